//! Event files, as TensorBoard reads them.
//!
//! ```text
//! record  = length: u64, mask(crc32c(length)): u32, data, mask(crc32c(data)): u32      all little-endian
//! mask(c) = (c >> 15 | c << 17) + 0xa282ead8
//! data    = Event as protocol buffers: a key (field << 3 | wire type) and a value, for each field
//! ```
//!
//! The record is TFRecord (tensorflow/core/lib/io/record_writer.h); the fields are those of TensorBoard's
//! compat/proto/event.proto and summary.proto. Only scalars are written, so a whole encoder of protocol buffers is not
//! needed. (Of the crates that do this, the newest releases bring 38 to 132 others, or panic where a disk is full.)

use crate::error::{Error, Result};
use crate::run_dir::metrics::Measurement;
use crate::train::layers::LayersLine;
use crc::{CRC_32_ISCSI, Crc};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

const CRC32C: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// How the name of every event file begins.
const NAME: &str = "events.out.tfevents.";

/// An event file that is being written.
#[derive(Debug)]
pub struct Events {
    path: PathBuf,
    file: File,
}

impl Events {
    /// Begins a file in `directory`, for what comes after `step`: TensorBoard then drops later steps of earlier files,
    /// which a resumed run repeats.
    ///
    /// # Errors
    /// If the directory cannot be written.
    pub fn create(directory: &Path, step: usize) -> Result<Self> {
        fs::create_dir_all(directory).map_err(|error| Error::io("make", directory, &error))?;
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let path = directory.join(format!("{NAME}{:010}.{:09}", since.as_secs(), since.subsec_nanos()));
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        let file = file.map_err(|error| Error::io("write", &path, &error))?;
        let mut events = Events { path, file };
        events.write(0, |event| text(event, 3, "brain.Event:2"))?; // file_version
        let mut start = Vec::new();
        varint(&mut start, 1, 1); // SessionLog.status = START
        events.write(step + 1, |event| bytes(event, 7, &start))?; // session_log
        Ok(events)
    }

    /// Appends what was measured at one step.
    ///
    /// # Errors
    /// If the disk is full.
    pub fn append(&mut self, line: &Measurement, layers: Option<&LayersLine>) -> Result<()> {
        let mut scalars = vec![("loss/train".to_owned(), line.train_loss)];
        scalars.extend(line.val_loss.map(|loss| ("loss/validation".to_owned(), loss)));
        scalars.extend(line.floor.map(|floor| ("loss/floor".to_owned(), floor)));
        scalars.push(("lr".to_owned(), line.lr));
        scalars.push(("grad_norm/all".to_owned(), line.grad_norm));
        scalars.push(("tokens_per_second".to_owned(), line.tokens_per_second));
        for layer in layers.iter().flat_map(|line| &line.layers) {
            scalars.push((format!("grad_norm/{}", layer.name), f64::from(layer.grad_norm)));
            scalars.push((format!("update_ratio/{}", layer.name), layer.update_ratio()));
        }
        self.write(line.step, |event| bytes(event, 5, &summary(&scalars)))
    }

    /// Writes an event with the fields that `fill` adds.
    fn write(&mut self, step: usize, fill: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let mut event = Vec::new();
        key(&mut event, 1, FIXED_64);
        event.extend(time.to_le_bytes()); // wall_time
        varint(&mut event, 2, step as u64); // step
        fill(&mut event);
        self.file.write_all(&record(&event)).map_err(|error| Error::io("write", &self.path, &error))
    }
}

/// Removes the event files of a run that is replaced, and no other files.
///
/// # Errors
/// If one cannot be removed.
pub fn remove_events(directory: &Path) -> Result<()> {
    if !directory.is_dir() {
        return Ok(());
    }
    let unreadable = |error| Error::io("read", directory, &error);
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if entry.file_name().to_string_lossy().starts_with(NAME) {
            fs::remove_file(entry.path()).map_err(|error| Error::io("remove", entry.path(), &error))?;
        }
    }
    Ok(())
}

fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mask = |bytes: &[u8]| CRC32C.checksum(bytes).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes();
    [&length[..], &mask(&length), data, &mask(data)].concat()
}

/// A Summary: a Value (field 1) for each tag.
fn summary(scalars: &[(String, f64)]) -> Vec<u8> {
    let mut summary = Vec::new();
    for (tag, scalar) in scalars {
        let mut value = Vec::new();
        text(&mut value, 1, tag); // tag
        key(&mut value, 2, FIXED_32);
        value.extend((*scalar as f32).to_le_bytes()); // simple_value
        bytes(&mut summary, 1, &value);
    }
    summary
}

const VARINT: u64 = 0;
const FIXED_64: u64 = 1;
const BYTES: u64 = 2;
const FIXED_32: u64 = 5;

/// Seven bits a byte, the lowest first; the eighth says that more follow.
fn number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn key(out: &mut Vec<u8>, field: u64, wire_type: u64) {
    number(out, field << 3 | wire_type);
}

fn varint(out: &mut Vec<u8>, field: u64, value: u64) {
    key(out, field, VARINT);
    number(out, value);
}

fn bytes(out: &mut Vec<u8>, field: u64, value: &[u8]) {
    key(out, field, BYTES);
    number(out, value.len() as u64);
    out.extend(value);
}

fn text(out: &mut Vec<u8>, field: u64, value: &str) {
    bytes(out, field, value.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_castagnoli_s() {
        assert_eq!(CRC32C.checksum(b"123456789"), 0xe306_9283); // RFC 3720, and every table of checksums
    }

    #[test]
    fn numbers_have_seven_bits_a_byte() {
        let encoded = |x| {
            let mut out = Vec::new();
            number(&mut out, x);
            out
        };
        assert_eq!(encoded(1), [1]);
        assert_eq!(encoded(150), [0x96, 0x01]); // the example of the format's own documentation
        assert_eq!(encoded(u64::MAX).len(), 10);
    }

    #[test]
    fn a_record_is_its_data_between_its_length_and_its_checksums() {
        let record = record(b"ab");
        assert_eq!(
            (record.len(), &record[..8], &record[12..14]),
            (18, &[2, 0, 0, 0, 0, 0, 0, 0][..], &b"ab"[..])
        );
    }

    #[test]
    fn only_event_files_are_removed() {
        let directory = tempfile::tempdir().unwrap();
        Events::create(directory.path(), 0).unwrap();
        fs::write(directory.path().join("notes.txt"), "mine").unwrap();
        remove_events(directory.path()).unwrap();
        let left: Vec<_> =
            fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["notes.txt"]);
        remove_events(&directory.path().join("missing")).unwrap();
    }
}
