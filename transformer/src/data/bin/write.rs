//! Writing a file of ids as they come.

use super::{Format, HEADER};
use crate::error::{Error, Result};
use crate::files;
use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Writes ids into a file, which is there when all of them are written, and not before.
pub struct BinWriter {
    path: PathBuf,
    temporary: PathBuf,
    out: BufWriter<File>,
    format: Format,
    length: usize,
}

impl BinWriter {
    /// Begins a file in the given format.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn create(path: &Path, format: Format) -> Result<Self> {
        let temporary = files::with_suffix(path, files::TEMPORARY);
        let file = File::create(&temporary).map_err(|error| Error::io("write", path, &error))?;
        let out = BufWriter::with_capacity(1 << 20, file);
        let mut writer = BinWriter { path: path.to_path_buf(), temporary, out, format, length: 0 };
        writer.attempt(|out| out.write_all(&vec![0; format.start()]))?;
        Ok(writer)
    }

    /// Writes more ids.
    ///
    /// # Errors
    /// If the disk is full, or an id does not fit into the format.
    pub fn write(&mut self, ids: &[usize]) -> Result<()> {
        let width = self.format.width();
        let largest = u32::MAX as usize >> (32 - 8 * width);
        if let Some(id) = ids.iter().find(|&&id| id > largest) {
            return Err(Error::new(format!("the id {id} does not fit into {width} bytes"))
                .in_file(&self.path)
                .way_out("write 32 bits an id, with --format llama3"));
        }
        self.length += ids.len();
        self.attempt(|out| ids.iter().try_for_each(|id| out.write_all(&id.to_le_bytes()[..width])))
    }

    /// Completes the header, and puts the file in its place. Returns the number of ids.
    ///
    /// # Errors
    /// If the disk is full, or there are more ids than the header can say.
    pub fn finish(mut self) -> Result<usize> {
        if let Some([magic, version]) = self.format.magic() {
            let Ok(length) = i32::try_from(self.length) else {
                return Err(Error::new(format!("{} ids are more than llm.c's header can say", self.length))
                    .in_file(&self.path)
                    .way_out("write several files, or nanoGPT's format, which has no header"));
            };
            let header: Vec<u8> = [magic, version, length].iter().flat_map(|n| n.to_le_bytes()).collect();
            debug_assert!(header.len() < HEADER);
            self.attempt(|out| {
                out.seek(SeekFrom::Start(0))?;
                out.write_all(&header)
            })?;
        }
        self.attempt(|out| out.flush().and_then(|()| out.get_ref().sync_all()))?;
        files::rename(&self.temporary, &self.path)?;
        files::sync_directory(&self.path)?;
        Ok(self.length)
    }

    fn attempt(&mut self, what: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> Result<()> {
        what(&mut self.out).map_err(|error| Error::io("write", &self.path, &error))
    }
}

impl Drop for BinWriter {
    /// What was not finished is removed.
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.temporary);
    }
}
