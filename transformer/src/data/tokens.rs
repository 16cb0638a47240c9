//! A sequence of ids: in memory, or in a file that is read by position.

use super::bin::BinFile;
use crate::error::Result;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// A sequence of ids, as one part of a text gives it.
#[derive(Debug, Clone, PartialEq)]
pub struct Tokens {
    ids: Ids,
}

#[derive(Debug, Clone, PartialEq)]
enum Ids {
    Memory(Vec<u32>), // half the memory of usize
    File(Arc<BinFile>, Range<usize>),
}

impl Tokens {
    /// Keeps a sequence of ids in memory.
    pub fn new(ids: &[usize]) -> Self {
        Tokens { ids: Ids::Memory(ids.iter().map(|&id| id as u32).collect()) }
    }

    /// All ids of a file, which stay there.
    pub fn in_file(file: BinFile) -> Self {
        let all = 0..file.len();
        Tokens { ids: Ids::File(Arc::new(file), all) }
    }

    /// The number of ids.
    pub fn len(&self) -> usize {
        match &self.ids {
            Ids::Memory(ids) => ids.len(),
            Ids::File(_, range) => range.len(),
        }
    }

    /// The file that they are in, if they are in one.
    pub fn path(&self) -> Option<&Path> {
        match &self.ids {
            Ids::Memory(_) => None,
            Ids::File(file, _) => Some(file.path()),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first `n` ids, and the others.
    ///
    /// # Panics
    /// If there are fewer than `n`.
    #[track_caller]
    pub fn split_at(&self, n: usize) -> (Self, Self) {
        let (left, right) = match &self.ids {
            Ids::Memory(ids) => (Ids::Memory(ids[..n].to_vec()), Ids::Memory(ids[n..].to_vec())),
            Ids::File(file, Range { start, end }) => {
                assert!(n <= self.len(), "{} ids cannot be split at {n}", self.len());
                let part = |range| Ids::File(Arc::clone(file), range);
                (part(*start..start + n), part(start + n..*end))
            }
        };
        (Tokens { ids: left }, Tokens { ids: right })
    }

    /// Appends the `length` ids from position `start` on to `window`.
    ///
    /// # Errors
    /// If they are in a file that can no longer be read.
    ///
    /// # Panics
    /// If the sequence ends before `start + length`.
    #[track_caller]
    pub fn copy(&self, start: usize, length: usize, window: &mut Vec<usize>) -> Result<()> {
        match &self.ids {
            Ids::Memory(ids) => window.extend(ids[start..start + length].iter().map(|&id| id as usize)),
            Ids::File(file, range) => {
                assert!(start + length <= range.len(), "{} ids end before {start} + {length}", range.len());
                file.read(range.start + start, length, window)?;
            }
        }
        Ok(())
    }
}
