//! The program `transformer`: see [`transformer::cli`].

use std::process::ExitCode;
use transformer::{cli, error};

fn main() -> ExitCode {
    match cli::run(std::env::args_os()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            cli::warn(format!("error: {error}"));
            ExitCode::from(error::EXIT_CODE)
        }
    }
}
