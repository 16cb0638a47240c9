//! One process at a time writes into a directory: `.lock` is locked while it may.

use crate::error::{Error, Result};
use std::fs::{self, File, TryLockError};
use std::path::Path;

/// The file that is locked; it stays when the lock is gone.
pub const LOCK: &str = ".lock";

/// Held while this process may write into a directory; the system lets go of it however the process ends.
#[derive(Debug)]
pub struct Lock {
    /// None on a file system without locks: one goes on without.
    _file: Option<File>,
}

impl Lock {
    /// Makes a directory, if it is not there, and locks it.
    ///
    /// # Errors
    /// If another process holds it, or it cannot be written.
    pub fn take(directory: &Path) -> Result<Self> {
        fs::create_dir_all(directory).map_err(|error| Error::io("make", directory, &error))?;
        let path = directory.join(LOCK);
        let file = File::create(&path).map_err(|error| Error::io("write", &path, &error))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock { _file: Some(file) }),
            Err(TryLockError::WouldBlock) => Err(Error::new("another process is training in this directory")
                .in_file(directory)
                .way_out("wait for it or stop it, or name another --out_dir")),
            Err(TryLockError::Error(_)) => Ok(Lock { _file: None }),
        }
    }
}
