//! Files that are either the old one or the new one, never half of each.
//!
//! A file is replaced in four steps: write a temporary file *in the same directory*, `fsync` it, rename it over the
//! old one (which POSIX makes atomic), `fsync` the directory so that the rename itself survives a power cut. A kill at
//! any moment leaves the old file, or the new one, and at worst a temporary file (`*.tmp`), which nobody reads and the
//! next writer of the run directory clears away.
//!
//! Reference: T. S. Pillai et al., "All File Systems Are Not Created Equal: On the Complexity of Crafting
//! Crash-Consistent Applications", OSDI 2014.

use crate::error::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// The ending of every temporary file.
pub const TEMPORARY: &str = ".tmp";

/// Replaces the file at `path` by what `write` writes, atomically and durably.
///
/// # Errors
/// If the directory cannot be written or the disk is full: the file that was there before is then untouched.
pub fn write_atomically(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let temporary = with_suffix(path, TEMPORARY);
    write_durably(&temporary, write).map_err(|error| Error::io("write", path, &error))?;
    rename(&temporary, path)?;
    sync_directory(path)
}

/// Writes a new file and waits until it is on the disk; what could only be written in part is removed again.
///
/// # Errors
/// Those of the operating system, as they are.
pub fn write_durably(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let written = write(&mut file).and_then(|()| file.flush()).and_then(|()| file.get_ref().sync_all());
    if written.is_err() {
        let _ = fs::remove_file(path); // the first error is the one to report
    }
    written
}

/// Renames a file over another one.
///
/// # Errors
/// If the operating system refuses; the error names the file that was to be replaced.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).map_err(|error| Error::io("replace", to, &error))
}

/// Removes a file, if it is there.
///
/// # Errors
/// If the operating system refuses.
pub fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", path, &error)),
        _ => Ok(()),
    }
}

/// A path as a word of a command that a shell reads: in quotes, where it has spaces or other signs.
pub fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+,:=@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// Whether a file lies in a directory, by whatever name both are called.
pub fn lies_in(file: &Path, directory: &Path) -> bool {
    match (file.canonicalize(), directory.canonicalize()) {
        (Ok(file), Ok(directory)) => file.parent() == Some(directory.as_path()),
        _ => false,
    }
}

/// Waits until the directory that holds `path` is on the disk, so that renames in it survive a power cut.
///
/// # Errors
/// If the directory cannot be opened or synchronised.
pub fn sync_directory(path: &Path) -> Result<()> {
    if cfg!(unix) {
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        File::open(directory)
            .and_then(|directory| directory.sync_all())
            .map_err(|error| Error::io("synchronise", directory, &error))?;
    }
    Ok(())
}

/// `model.safetensors` and `.tmp` make `model.safetensors.tmp`, in the same directory.
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(suffix);
    path.with_file_name(name)
}

/// Replaces the file at `path` by `value` as JSON, atomically.
///
/// # Errors
/// If the file cannot be written.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    write_atomically(path, |file| {
        serde_json::to_writer_pretty(&mut *file, value)?;
        file.write_all(b"\n")
    })
}

/// Reads a JSON file; `way_out` is what its errors advise.
///
/// # Errors
/// If the file is missing, may not be read, is cut off or no JSON, or a field of it is missing or of another type; the
/// message names the line or the field.
pub fn read_json<T: DeserializeOwned>(path: &Path, way_out: &str) -> Result<T> {
    let bytes = fs::read(path).map_err(|error| Error::io("read", path, &error))?;
    serde_json::from_slice(&bytes).map_err(|error| {
        Error::new(format!("this is not the JSON that was expected: {error}")).in_file(path).way_out(way_out)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, text: &str) -> Result<()> {
        write_atomically(path, |file| file.write_all(text.as_bytes()))
    }

    #[test]
    fn a_written_file_holds_what_was_written_and_leaves_nothing_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.json");
        write(&path, "old").unwrap();
        write(&path, "new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_writer_that_fails_midway_leaves_the_old_file_and_no_temporary_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.json");
        write(&path, "old").unwrap();
        let error = write_atomically(&path, |file| {
            file.write_all(b"half of the n")?;
            Err(io::Error::other("a power cut, say"))
        });
        assert!(error.unwrap_err().to_string().contains("a power cut, say"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_temporary_file_left_by_a_kill_is_no_obstacle() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.json");
        fs::write(with_suffix(&path, TEMPORARY), "a longer half of something").unwrap();
        write(&path, "new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_reported_and_the_old_file_is_intact() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.json");
        write(&path, "old").unwrap();
        // Whatever is written through this link meets a device that is always full.
        std::os::unix::fs::symlink("/dev/full", with_suffix(&path, TEMPORARY)).unwrap();
        let error = write(&path, "new").unwrap_err().to_string();
        assert!(error.contains("a.json") && error.contains("the disk is full"), "{error}");
        assert!(error.contains("way out: free some space"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    }

    #[test]
    fn a_path_is_quoted_for_the_shell_only_where_it_has_to_be() {
        for (path, word) in [
            ("runs/char-2", "runs/char-2"),
            ("실행/하나", "실행/하나"),
            ("my runs/a", "'my runs/a'"),
            ("it's", r"'it'\''s'"),
            ("$HOME", "'$HOME'"),
        ] {
            assert_eq!(shell_word(Path::new(path)), word);
        }
    }

    #[test]
    fn a_path_under_a_file_is_refused_with_its_name() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "x").unwrap();
        let error = write(&file.join("a.json"), "new").unwrap_err().to_string();
        assert!(error.contains("a.json") && error.contains("a file, not a directory"), "{error}");
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = read_json::<u32>(Path::new("no/such/config.json"), "").unwrap_err().to_string();
        assert!(error.contains("no/such/config.json") && error.contains("no such file"), "{error}");
    }

    #[test]
    fn json_comes_back_and_what_is_no_json_is_refused_at_its_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("numbers.json");
        write_json(&path, &[1, 2]).unwrap();
        assert_eq!(read_json::<Vec<u32>>(&path, "").unwrap(), [1, 2]);
        for (wrong, place) in
            [("[1,\n2", "line 2 column 1"), ("[1, \"a\"]", "line 1 column 7"), ("", "line 1 column 0")]
        {
            fs::write(&path, wrong).unwrap();
            let error = read_json::<Vec<u32>>(&path, "write it anew").unwrap_err().to_string();
            assert!(error.contains("numbers.json: ") && error.contains(place), "{error}");
            assert!(error.ends_with("way out: write it anew"), "{error}");
        }
    }
}
