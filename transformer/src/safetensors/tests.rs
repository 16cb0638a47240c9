//! Tensors come back as they were, and a damaged file is always an error, never a panic.

use super::*;
use proptest::prelude::*;
use std::fs;

const SHAPE: &[usize] = &[2, 3];
const WEIGHTS: &[f32] = &[1.0, -2.5, 0.0, f32::MIN_POSITIVE, f32::MAX, -0.0];

fn small_file(directory: &Path) -> PathBuf {
    let path = directory.join("model.safetensors");
    let wide = [std::f64::consts::PI];
    save(&path, &[Named::f32("b.weight", SHAPE, WEIGHTS), Named::f64("a.scale", &[], &wide)]).unwrap();
    path
}

#[test]
fn tensors_come_back_bit_for_bit() {
    let directory = tempfile::tempdir().unwrap();
    let file = TensorFile::open(&small_file(directory.path())).unwrap();
    let bits = |data: &[f32]| data.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&file.f32("b.weight", SHAPE).unwrap()), bits(WEIGHTS));
    assert_eq!(file.f64("a.scale", &[]).unwrap(), [std::f64::consts::PI]);
    assert_eq!(file.f64("b.weight", SHAPE).unwrap()[1], -2.5);
    assert_eq!(file.names(), ["a.scale", "b.weight"]);
}

#[test]
fn the_format_s_own_reader_reads_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let bytes = fs::read(small_file(directory.path())).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let weights = tensors.tensor("b.weight").unwrap();
    assert_eq!(weights.shape(), SHAPE);
    assert_eq!(weights.data(), WEIGHTS.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>());
}

#[test]
fn the_bytes_do_not_depend_on_the_order_of_the_tensors() {
    let directory = tempfile::tempdir().unwrap();
    let (one, other) = (directory.path().join("one"), directory.path().join("other"));
    let (a, b) = (Named::f32("a", &[1], &[1.0]), Named::f32("b", &[1], &[2.0]));
    save(&one, &[a, b]).unwrap();
    save(&other, &[b, a]).unwrap();
    assert_eq!(fs::read(one).unwrap(), fs::read(other).unwrap());
}

#[test]
fn a_file_says_what_vocabulary_it_is_for_in_always_the_same_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.safetensors");
    let write = || {
        save_for(&path, &[Named::f32("a", &[1], &[1.0])], Some("fnv1a64:0\"1")).unwrap();
        fs::read(&path).unwrap()
    };
    let bytes = write();
    assert!((0..8).all(|_| write() == bytes));
    assert_eq!(TensorFile::open(&path).unwrap().vocabulary(), Some("fnv1a64:0\"1"));
    assert_eq!(TensorFile::open(&small_file(directory.path())).unwrap().vocabulary(), None);
    let (_, theirs) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    assert_eq!(theirs.metadata().as_ref().unwrap()["format"], "pt");
}

#[test]
fn every_truncation_is_an_error_that_names_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = small_file(directory.path());
    let whole = fs::read(&path).unwrap();
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let message = TensorFile::open(&path).unwrap_err().to_string();
        assert!(message.contains("model.safetensors") && message.contains("cut off"), "{length}: {message}");
        assert!(message.contains("way out: "), "{message}");
    }
}

#[test]
fn a_file_that_is_too_long_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = small_file(directory.path());
    let mut bytes = fs::read(&path).unwrap();
    bytes.push(0);
    fs::write(&path, &bytes).unwrap();
    assert!(TensorFile::open(&path).unwrap_err().to_string().contains("longer than its header says"));
}

#[test]
fn a_header_that_lies_is_an_error_and_allocates_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.safetensors");
    let with_header = |header: &str| {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.extend([0; 4]);
        fs::write(&path, bytes).unwrap();
        TensorFile::open(&path).unwrap_err().to_string()
    };
    for (header, what) in [
        (r#"{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 8]}}"#, "not valid"),
        (
            r#"{"a": {"dtype": "F32", "shape": [9000000000000], "data_offsets": [0, 36000000000000]}}"#,
            "cut off",
        ),
        (
            r#"{"a": {"dtype": "F32", "shape": [4294967296, 4294967296], "data_offsets": [0, 4]}}"#,
            "not valid",
        ),
        (r#"{"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]}}"#, "not valid"),
        (
            r#"{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}, "b": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}"#,
            "not valid",
        ),
        (r#"{"a": {"dtype": "F33", "shape": [1], "data_offsets": [0, 4]}}"#, "not valid"),
        ("[]", "not valid"),
        ("", "not valid"),
    ] {
        let message = with_header(header);
        assert!(message.contains("model.safetensors") && message.contains(what), "{header}: {message}");
    }
    fs::write(&path, u64::MAX.to_le_bytes()).unwrap();
    assert!(TensorFile::open(&path).unwrap_err().to_string().contains("no safetensors file"));
}

#[test]
fn a_wrong_tensor_is_named_with_what_was_expected() {
    let directory = tempfile::tempdir().unwrap();
    let file = TensorFile::open(&small_file(directory.path())).unwrap();
    let missing = file.f32("c.weight", SHAPE).unwrap_err().to_string();
    assert!(missing.contains("model.safetensors, tensor c.weight: it is missing"), "{missing}");
    let shape = file.f32("b.weight", &[3, 2]).unwrap_err().to_string();
    assert!(shape.contains("tensor b.weight: its shape is [2, 3], but the model's is [3, 2]"), "{shape}");
    let dtype = file.f32("a.scale", &[]).unwrap_err().to_string();
    assert!(dtype.contains("tensor a.scale") && dtype.contains("F64; F32 was expected"), "{dtype}");
}

#[test]
fn a_checkpoint_of_another_model_is_told_by_its_first_wrong_tensor() {
    let directory = tempfile::tempdir().unwrap();
    let file = TensorFile::open(&small_file(directory.path())).unwrap();
    let all: [(&str, &[usize]); 2] = [("b.weight", SHAPE), ("a.scale", &[])];
    assert!(file.check(all).is_ok());
    let extra = file.check([all[0]]).unwrap_err().to_string();
    assert!(extra.contains("tensor a.scale: the model has no tensor of this name"), "{extra}");
    let missing = file.check([all[0], all[1], ("c", &[])]).unwrap_err().to_string();
    assert!(missing.contains("tensor c: it is missing"), "{missing}");
}

#[test]
#[should_panic(expected = "a: the shape [2, 2] does not fit 3 elements")]
fn a_shape_that_does_not_fit_is_a_programming_error() {
    let _ = writer(&[Named::f32("a", &[2, 2], &[1.0, 2.0, 3.0])], None);
}

proptest! {
    #[test]
    fn no_single_wrong_byte_makes_the_reader_panic(position: prop::sample::Index, value: u8) {
        let directory = tempfile::tempdir().unwrap();
        let path = small_file(directory.path());
        let mut bytes = fs::read(&path).unwrap();
        let position = position.index(bytes.len());
        bytes[position] = value;
        fs::write(&path, &bytes).unwrap();
        // Either the file is refused, or every tensor in it can be read or is refused by name.
        if let Ok(file) = TensorFile::open(&path) {
            for name in file.names() {
                let shape = file.shape(&name).unwrap().to_vec();
                let read = file.f64(&name, &shape).map(|data| data.len());
                prop_assert!(read.is_err() || read == Ok(shape.iter().product()));
            }
        }
    }
}
