//! The program `transformer`: see [`transformer::cli`].

use std::process::ExitCode;
use transformer::{cli, error};

fn main() -> ExitCode {
    match cli::run(std::env::args_os()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One write for the whole message: those of several ranks arrive side by side, not inside one another.
            let message = format!("error: {error}\n");
            eprint!("{message}");
            ExitCode::from(error::EXIT_CODE)
        }
    }
}
