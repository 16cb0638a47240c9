//! What a command prints, and what becomes of it where nobody reads it.
//!
//! A command says its lines by [`say`] and goes on: a training does not end because the `head` that showed its first
//! lines has. After the first line that could not be written no other one is tried, and at its end the program asks
//! whether it was [`heard`]: a reader that has read enough is no error, a full disk is one.

use crate::error::{Error, Result};
use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::sync::OnceLock;

/// Why the standard output could no longer be written.
static FAILED: OnceLock<io::Error> = OnceLock::new();

/// Prints a line.
pub fn say(line: impl Display) {
    print(&format!("{line}\n"));
}

/// Prints a text as it is, at once.
pub fn print(text: &str) {
    if FAILED.get().is_none()
        && let Err(error) = write(text)
    {
        let _ = FAILED.set(error); // the first one counts
    }
}

/// Whether all that was said could be written, or somebody had read enough of it.
///
/// # Errors
/// If it could not be written for another reason.
pub fn heard() -> Result<()> {
    FAILED.get().map_or(Ok(()), unless_closed)
}

/// Prints a text as it is, for a command that does nothing else and ends when nobody reads on.
///
/// # Errors
/// Those of the operating system, as they are.
pub fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush())
}

/// Whether the reader of the standard output has gone away, as `head` does when it has enough.
///
/// # Errors
/// If it could not be written for another reason.
pub fn read_enough(wrote: io::Result<()>) -> Result<bool> {
    wrote.map_or_else(|error| unless_closed(&error).map(|()| true), |()| Ok(false))
}

fn unless_closed(error: &io::Error) -> Result<()> {
    match error.kind() {
        ErrorKind::BrokenPipe => Ok(()),
        _ => Err(Error::io("write", "the standard output", error)),
    }
}

/// Prints a line to the standard error. If that is closed, there is nobody left to tell.
pub fn warn(line: impl Display) {
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes()); // at once, so that lines of several ranks do not mix
}
