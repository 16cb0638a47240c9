//! `Error`: what went wrong outside of the program, where exactly, and how to go on.
//!
//! Files, flags and texts come from outside and may be anything; what is wrong with them is told in three parts:
//! the file and the place in it, what was found there, and a way out. Every such error ends the program with
//! [`EXIT_CODE`]. (A mistake *inside* the program, such as shapes that do not fit, is a panic instead.)

use std::fmt::{self, Display};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// The exit code of a program that stopped because of bad input.
pub const EXIT_CODE: u8 = 2;

/// The result of everything that touches the outside world.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error with the file it is in, the place in that file, and a way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    what: String,
    file: Option<PathBuf>,
    place: Option<String>,
    way_out: Option<String>,
}

impl Error {
    /// An error in one sentence, without a capital or a full stop.
    pub fn new(what: impl Into<String>) -> Self {
        Error { what: what.into(), file: None, place: None, way_out: None }
    }

    /// Names the file (or directory) that the error is in, unless a deeper layer has named it already.
    #[must_use]
    pub fn in_file(mut self, path: impl AsRef<Path>) -> Self {
        self.file.get_or_insert_with(|| path.as_ref().to_path_buf());
        self
    }

    /// Names the place in the file: a line, a field, a tensor; or the flag, where there is no file.
    #[must_use]
    pub fn at(mut self, place: impl Into<String>) -> Self {
        self.place = Some(place.into());
        self
    }

    /// Says what the reader of the message can do about it.
    #[must_use]
    pub fn way_out(mut self, way_out: impl Into<String>) -> Self {
        self.way_out = Some(way_out.into());
        self
    }

    /// The operating system's refusal to do something (`"read"`, `"write"`, …) with a file, in plain words.
    pub fn io(doing: &str, path: impl AsRef<Path>, error: &io::Error) -> Self {
        let (what, way_out) = match error.kind() {
            ErrorKind::NotFound => ("there is no such file or directory", "check the spelling of the path"),
            ErrorKind::PermissionDenied => {
                ("permission is denied", "choose another path, or change the permissions of this one")
            }
            ErrorKind::ReadOnlyFilesystem => ("the file system is read-only", "choose another path"),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                ("the disk is full", "free some space and try again; what was saved before is intact")
            }
            ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
                ("a part of this path is a file, not a directory", "choose another path")
            }
            ErrorKind::IsADirectory => ("this is a directory, not a file", "name a file"),
            _ => ("the operating system refused", "choose another path, or try again"),
        };
        Error::new(format!("cannot {doing} this: {what} ({error})")).in_file(path).way_out(way_out)
    }

    /// The file that the error is in, where there is one.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }
}

impl Display for Error {
    /// `FILE, PLACE: WHAT`, and on a line of its own the way out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.as_ref().map(|path| path.display().to_string());
        let whereabouts: Vec<String> = file.into_iter().chain(self.place.clone()).collect();
        if !whereabouts.is_empty() {
            write!(f, "{}: ", whereabouts.join(", "))?;
        }
        f.write_str(&self.what)?;
        match &self.way_out {
            Some(way_out) => write!(f, "\n  way out: {way_out}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

/// Which line of `text` its byte `offset` is on, and which character of that line; both counted from 1.
pub fn line_and_column(text: &[u8], offset: usize) -> (usize, usize) {
    let before = &text[..offset];
    let line_start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
    let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
    (line, 1 + String::from_utf8_lossy(&before[line_start..]).chars().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_names_the_file_the_place_and_the_way_out() {
        let error = Error::new("the byte 0xff is not UTF-8")
            .in_file("a.txt")
            .at("line 3")
            .way_out("save the file as UTF-8");
        assert_eq!(
            error.to_string(),
            "a.txt, line 3: the byte 0xff is not UTF-8\n  way out: save the file as UTF-8"
        );
    }

    #[test]
    fn the_innermost_file_is_the_one_that_is_named() {
        let error = Error::new("oops").in_file("run/config.json").in_file("run");
        assert_eq!(error.file(), Some(Path::new("run/config.json")));
    }

    #[test]
    fn a_full_disk_is_called_a_full_disk() {
        let error = Error::io("write", "model.safetensors", &io::Error::from(ErrorKind::StorageFull));
        assert!(
            error.to_string().contains("model.safetensors: cannot write this: the disk is full"),
            "{error}"
        );
    }

    #[test]
    fn lines_and_columns_are_counted_from_one_and_in_characters() {
        let text = "ab\n한글x\n".as_bytes();
        assert_eq!(line_and_column(text, 0), (1, 1));
        assert_eq!(line_and_column(text, 3), (2, 1));
        assert_eq!(line_and_column(text, 9), (2, 3));
        assert_eq!(line_and_column(text, text.len()), (3, 1));
    }
}
