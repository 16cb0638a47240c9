//! Files of one JSON object a line, in the order of the steps: what a run measures, and what it looked like on the way.
//!
//! A resumed run repeats the steps after its checkpoint, so the lines after that step are cut off first: a run that was
//! killed and resumed leaves the same lines as one that was not.

use super::RunDir;
use crate::error::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

/// What stands on a line of such a file.
pub trait Line: Serialize + DeserializeOwned {
    /// The name of the file.
    const FILE: &'static str;
    /// What a line is called in a message.
    const NAME: &'static str;

    /// The number of updates that were done when it was written.
    fn step(&self) -> usize;
}

/// A file that is being written.
#[derive(Debug)]
pub struct Lines<L> {
    pub(super) path: PathBuf,
    pub(super) file: File,
    pub(super) of: PhantomData<L>,
}

impl RunDir {
    /// Opens the file to go on after `step`: lines of later steps, and one that a kill cut in half, are removed.
    ///
    /// # Errors
    /// If the file cannot be written, or a line in its midst is damaged.
    pub fn lines_after<L: Line>(&self, step: usize) -> Result<Lines<L>> {
        let path = self.file(L::FILE);
        let refused = |error| Error::io("write", &path, &error);
        let kept = if path.exists() { read::<L>(&path)? } else { Vec::new() };
        let kept = kept.iter().take_while(|(line, _)| line.step() <= step).map(|(_, length)| length).sum();
        let file = OpenOptions::new().create(true).append(true).open(&path).map_err(refused)?;
        file.set_len(kept).map_err(refused)?;
        Ok(Lines { path, file, of: PhantomData })
    }

    /// Reads all lines.
    ///
    /// # Errors
    /// If the file is missing, or a line other than an unfinished last one is damaged; the message names the line.
    pub fn lines<L: Line>(&self) -> Result<Vec<L>> {
        Ok(read(&self.file(L::FILE))?.into_iter().map(|(line, _)| line).collect())
    }

    /// Whether the run has a file of such lines.
    pub fn has_lines<L: Line>(&self) -> bool {
        self.file(L::FILE).exists()
    }
}

impl<L: Line> Lines<L> {
    /// Appends a line.
    ///
    /// # Errors
    /// If the disk is full.
    pub fn append(&mut self, line: &L) -> Result<()> {
        let mut line = serde_json::to_vec(line).map_err(|error| Error::new(error.to_string()))?;
        line.push(b'\n');
        self.file.write_all(&line).map_err(|error| Error::io("write", &self.path, &error))
    }

    /// Waits until all lines are on the disk.
    ///
    /// # Errors
    /// If the disk is full or gone.
    pub fn sync(&mut self) -> Result<()> {
        self.file.sync_all().map_err(|error| Error::io("write", &self.path, &error))
    }
}

/// The lines, each with its length in bytes. A last one without its end is left out.
fn read<L: Line>(path: &Path) -> Result<Vec<(L, u64)>> {
    let bytes = fs::read(path).map_err(|error| Error::io("read", path, &error))?;
    let whole = bytes.split_inclusive(|&byte| byte == b'\n').filter(|line| line.ends_with(b"\n"));
    whole
        .enumerate()
        .map(|(i, line)| match serde_json::from_slice(line) {
            Ok(read) => Ok((read, line.len() as u64)),
            Err(error) => Err(Error::new(format!("this is no {}: {error}", L::NAME))
                .in_file(path)
                .at(format!("line {}", i + 1))
                .way_out("remove the line, or the whole file; no checkpoint depends on it")),
        })
        .collect()
}
