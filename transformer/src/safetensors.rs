//! Named tensors in a file, in the format `safetensors`: a length, a header in JSON, and the numbers.
//!
//! ```text
//! [ header's length: u64 ][ {"wte.weight": {"dtype": "F32", "shape": [65, 128], "data_offsets": [0, 33280]}, …} ][ … ]
//! ```
//!
//! Writing streams one tensor after the other, reading seeks to the tensor that is asked for: neither holds the file in
//! memory. A header is checked against the file's length before anything is allocated, so that a truncated or lying
//! file is an error that names the file and the tensor.
//!
//! Reference: <https://github.com/huggingface/safetensors>.

use crate::error::{Error, Result};
use crate::files;
use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The advice for a file that cannot be used as it is.
const WAY_OUT: &str = "take the file from an intact copy, or another checkpoint of the run";

/// The word in the header on what tokens the tensors are for.
const VOCABULARY: &str = "vocabulary";

/// A longer header than this is refused, as the format's own reader does.
const LONGEST_HEADER: u64 = 100_000_000;

/// A tensor to be written: its name, its shape and its elements in row-major order.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    /// The name, unique in its file.
    pub name: &'a str,
    /// The shape.
    pub shape: &'a [usize],
    /// The elements.
    pub data: Elements<'a>,
}

/// The elements of a tensor, with their type.
#[derive(Debug, Clone, Copy)]
pub enum Elements<'a> {
    /// 32-bit floating point
    F32(&'a [f32]),
    /// 64-bit floating point
    F64(&'a [f64]),
}

impl<'a> Named<'a> {
    /// A tensor of 32-bit numbers.
    pub fn f32(name: &'a str, shape: &'a [usize], data: &'a [f32]) -> Self {
        Named { name, shape, data: Elements::F32(data) }
    }

    /// A tensor of 64-bit numbers.
    pub fn f64(name: &'a str, shape: &'a [usize], data: &'a [f64]) -> Self {
        Named { name, shape, data: Elements::F64(data) }
    }
}

impl Elements<'_> {
    fn dtype(&self) -> Dtype {
        match self {
            Elements::F32(_) => Dtype::F32,
            Elements::F64(_) => Dtype::F64,
        }
    }

    fn len(&self) -> usize {
        match self {
            Elements::F32(data) => data.len(),
            Elements::F64(data) => data.len(),
        }
    }

    fn write(&self, file: &mut dyn Write) -> io::Result<()> {
        match self {
            Elements::F32(data) => data.iter().try_for_each(|x| file.write_all(&x.to_le_bytes())),
            Elements::F64(data) => data.iter().try_for_each(|x| file.write_all(&x.to_le_bytes())),
        }
    }
}

/// Writes a file of tensors, atomically. The same tensors give the same bytes, in whatever order they come.
///
/// # Errors
/// If the file cannot be written; the one that was there before is then intact.
///
/// # Panics
/// If a shape does not fit its elements or a name is used twice.
#[track_caller]
pub fn save(path: &Path, tensors: &[Named]) -> Result<()> {
    save_for(path, tensors, None)
}

/// The same, with a word in the header on what tokens the tensors are for, which [`TensorFile::vocabulary`] gives back.
///
/// # Errors
/// As [`save`].
///
/// # Panics
/// As [`save`].
#[track_caller]
pub fn save_for(path: &Path, tensors: &[Named], vocabulary: Option<&str>) -> Result<()> {
    let write = writer(tensors, vocabulary);
    files::write_atomically(path, write)
}

#[track_caller]
fn writer(tensors: &[Named], vocabulary: Option<&str>) -> impl FnOnce(&mut dyn Write) -> io::Result<()> {
    let mut tensors = tensors.to_vec();
    // Wider numbers first, so that each tensor is aligned to its own element size.
    tensors.sort_by(|a, b| b.data.dtype().cmp(&a.data.dtype()).then(a.name.cmp(b.name)));
    let header = header(&tensors, vocabulary);
    move |file| {
        file.write_all(&(header.len() as u64).to_le_bytes())?;
        file.write_all(&header)?;
        tensors.iter().try_for_each(|tensor| tensor.data.write(file))
    }
}

/// The header in JSON, padded with spaces to a multiple of 8 bytes.
#[track_caller]
fn header(tensors: &[Named], vocabulary: Option<&str>) -> Vec<u8> {
    let mut offset = 0;
    let mut infos = Vec::with_capacity(tensors.len());
    for (i, Named { name, shape, data }) in tensors.iter().enumerate() {
        assert!(i == 0 || tensors[i - 1].name != *name, "two tensors are called {name}");
        let elements: usize = shape.iter().product();
        assert_eq!(elements, data.len(), "{name}: the shape {shape:?} does not fit {} elements", data.len());
        let end = offset + data.len() * data.dtype().bitsize() / 8;
        let info = TensorInfo { dtype: data.dtype(), shape: shape.to_vec(), data_offsets: (offset, end) };
        infos.push((name.to_string(), info));
        offset = end;
    }
    // transformers loads only files that say so.
    let format = [("format".to_string(), "pt".to_string())].into_iter().collect();
    let metadata = Metadata::new(Some(format), infos).expect("the offsets above leave no gap");
    let mut header = serde_json::to_string(&metadata).expect("a header is plain JSON");
    if let Some(vocabulary) = vocabulary {
        // Written into the text, for a map with two entries has no fixed order, and the same tensors no fixed bytes.
        let second = format!(r#""format":"pt","{VOCABULARY}":{}"#, serde_json::json!(vocabulary));
        header = header.replacen(r#""format":"pt""#, &second, 1);
    }
    let mut header = header.into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    header
}

/// A file of tensors, opened: its header is checked, the numbers are read when they are asked for.
#[derive(Debug)]
pub struct TensorFile {
    path: PathBuf,
    file: RefCell<File>,
    metadata: Metadata,
    data_start: u64,
}

impl TensorFile {
    /// Opens a file and checks that its header fits its length.
    ///
    /// # Errors
    /// If the file is missing, truncated, or no `safetensors` file.
    pub fn open(path: &Path) -> Result<Self> {
        let mut file = File::open(path).map_err(|error| Error::io("read", path, &error))?;
        let (metadata, data_start) =
            read_header(&mut file).map_err(|error| error.in_file(path).way_out(WAY_OUT))?;
        Ok(TensorFile { path: path.to_path_buf(), file: RefCell::new(file), metadata, data_start })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What tokens the tensors are for, if the file says it: what was given to [`save_for`].
    pub fn vocabulary(&self) -> Option<&str> {
        self.metadata.metadata().as_ref()?.get(VOCABULARY).map(String::as_str)
    }

    /// The names of all tensors, in the order of the file.
    pub fn names(&self) -> Vec<String> {
        self.metadata.offset_keys()
    }

    /// The shape of a tensor, if there is one of this name.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.metadata.info(name).map(|info| info.shape.as_slice())
    }

    /// Checks that the file has exactly these tensors, with these shapes.
    ///
    /// # Errors
    /// If one is missing, has another shape, or is not among them; the message names it.
    pub fn check<'a>(&self, expected: impl IntoIterator<Item = (&'a str, &'a [usize])>) -> Result<()> {
        let mut known = std::collections::HashSet::new();
        for (name, shape) in expected {
            self.info(name, shape)?;
            known.insert(name);
        }
        match self.names().into_iter().find(|name| !known.contains(name.as_str())) {
            Some(extra) => Err(self.wrong(&extra, "the model has no tensor of this name".into())),
            None => Ok(()),
        }
    }

    /// Reads a tensor of 32-bit numbers.
    ///
    /// # Errors
    /// If it is missing, has another shape, is of another type, or cannot be read.
    pub fn f32(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let info = self.info(name, shape)?;
        match info.dtype {
            Dtype::F32 => Ok(elements(&self.bytes(name, info)?, f32::from_le_bytes)),
            other => Err(self.wrong(name, format!("its numbers are of the type {other}; F32 was expected"))),
        }
    }

    /// Reads a tensor of floating-point numbers: those of 16 bits are widened, those of 64 bits rounded.
    ///
    /// # Errors
    /// If it is missing, has another shape, is of another type, or cannot be read.
    pub fn floats(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let info = self.info(name, shape)?;
        match info.dtype {
            Dtype::F64 => Ok(elements(&self.bytes(name, info)?, |bytes| f64::from_le_bytes(bytes) as f32)),
            Dtype::F32 => self.f32(name, shape),
            Dtype::F16 => Ok(elements(&self.bytes(name, info)?, |bytes| from_f16(u16::from_le_bytes(bytes)))),
            Dtype::BF16 => {
                Ok(elements(&self.bytes(name, info)?, |bytes| from_bf16(u16::from_le_bytes(bytes))))
            }
            other => {
                let types = "F32, F16, BF16 or F64 was expected";
                Err(self.wrong(name, format!("its numbers are of the type {other}; {types}")))
            }
        }
    }

    /// Reads a tensor of 64-bit numbers; those of 32 bits are widened.
    ///
    /// # Errors
    /// If it is missing, has another shape, is of another type, or cannot be read.
    pub fn f64(&self, name: &str, shape: &[usize]) -> Result<Vec<f64>> {
        let info = self.info(name, shape)?;
        match info.dtype {
            Dtype::F64 => Ok(elements(&self.bytes(name, info)?, f64::from_le_bytes)),
            Dtype::F32 => Ok(self.f32(name, shape)?.into_iter().map(f64::from).collect()),
            other => {
                Err(self.wrong(name, format!("its numbers are of the type {other}; F64 or F32 was expected")))
            }
        }
    }

    fn info(&self, name: &str, shape: &[usize]) -> Result<&TensorInfo> {
        let info = self.metadata.info(name).ok_or_else(|| self.wrong(name, "it is missing".into()))?;
        if info.shape != shape {
            let found = &info.shape;
            return Err(self.wrong(name, format!("its shape is {found:?}, but the model's is {shape:?}")));
        }
        Ok(info)
    }

    /// The bytes of one tensor; the header has been checked against the file's length.
    fn bytes(&self, name: &str, info: &TensorInfo) -> Result<Vec<u8>> {
        let (start, end) = info.data_offsets;
        let mut bytes = vec![0; end - start];
        let mut file = self.file.borrow_mut();
        file.seek(SeekFrom::Start(self.data_start + start as u64))
            .and_then(|_| file.read_exact(&mut bytes))
            .map_err(|error| Error::io("read", &self.path, &error).at(format!("tensor {name}")))?;
        Ok(bytes)
    }

    fn wrong(&self, name: &str, what: String) -> Error {
        Error::new(what)
            .in_file(&self.path)
            .at(format!("tensor {name}"))
            .way_out("use the config.json and the weights of one and the same model")
    }
}

fn elements<T, const N: usize>(bytes: &[u8], from_le_bytes: fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks::<N>().0.iter().map(|&chunk| from_le_bytes(chunk)).collect()
}

/// A number of IEEE 754's 16 bits, which are a sign s, an exponent of 5 bits and a fraction m of 10:
/// ±m·2⁻²⁴ where e = 0; ±∞ or NaN where e = 31; ±(2¹⁰ + m)·2^(e − 25) between.
fn from_f16(bits: u16) -> f32 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    let size = match exponent {
        0 => fraction * 2f32.powi(-24),
        31 => {
            if fraction == 0.0 {
                f32::INFINITY
            } else {
                f32::NAN
            }
        }
        _ => (1024.0 + fraction) * 2f32.powi(exponent - 25),
    };
    if bits >> 15 == 1 { -size } else { size }
}

/// A number of 16 bits that are the upper half of 32.
fn from_bf16(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// Reads the header; returns it with the place where the numbers start.
fn read_header(file: &mut File) -> Result<(Metadata, u64)> {
    let refused = |error: io::Error| Error::new(format!("the header cannot be read ({error})"));
    let file_length = file.metadata().map_err(refused)?.len();
    if file_length < 8 {
        return Err(Error::new(format!(
            "the file is cut off: it has {file_length} bytes, not even the 8 of its header's length"
        )));
    }
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(refused)?;
    let length = u64::from_le_bytes(length);
    if length > LONGEST_HEADER {
        return Err(Error::new(format!(
            "this is no safetensors file: its header would be {length} bytes long"
        )));
    }
    let data_start = 8 + length;
    if data_start > file_length {
        return Err(Error::new(format!(
            "the file is cut off in its header: it has {file_length} bytes, the header ends at {data_start}"
        )));
    }
    let mut header = vec![0; length as usize];
    file.read_exact(&mut header).map_err(refused)?;
    let metadata: Metadata = serde_json::from_slice(&header)
        .map_err(|error| Error::new(format!("the header is not valid: {error}")).at("the header"))?;
    let expected = data_start.saturating_add(metadata.data_len() as u64); // no file is as long as that
    if file_length != expected {
        let longer_or_cut = if file_length < expected { "cut off" } else { "longer than its header says" };
        return Err(Error::new(format!(
            "the file is {longer_or_cut}: it has {file_length} bytes, the header says {expected}"
        )));
    }
    Ok((metadata, data_start))
}

#[cfg(test)]
mod tests;
