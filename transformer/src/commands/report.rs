//! `report`: a training run as a page, or several runs side by side.

use super::out::say;
use crate::error::{Error, Result};
use crate::report::write;
use crate::run_dir::RunDir;
use clap::Args;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  transformer report runs/demo                         runs/demo/report.html, which train has written too
  transformer report runs/a runs/b --out compare.html  their curves, how they ended, in what they differ";

/// The flags of `report`.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(rename_all = "snake_case", after_help = EXAMPLES)]
pub struct Flags {
    /// The directories of the runs
    #[arg(value_name = "RUN", required = true)]
    pub runs: Vec<PathBuf>,
    /// The page [default: report.html in the directory of the run; for several runs, here]
    #[arg(long, value_name = "FILE.html")]
    pub out: Option<PathBuf>,
}

/// Writes the page and says where.
///
/// # Errors
/// If a directory holds no run, a file in it is damaged, or the page cannot be written.
pub fn run(flags: &Flags) -> Result<()> {
    let out = match (&flags.out, &flags.runs[..]) {
        (Some(out), _) => out.clone(),
        (None, [run]) => RunDir::open(run)?.report(),
        (None, _) => PathBuf::from("report.html"),
    };
    if out.is_dir() {
        return Err(Error::new("this is a directory, not a file")
            .in_file(out)
            .at("--out")
            .way_out("name a file"));
    }
    write(&flags.runs, &out)?;
    say(format!("wrote {}: open it in a browser", out.display()));
    Ok(())
}
