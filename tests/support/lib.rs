//! Shared by the integration tests in `tests/`: the fixtures that PyTorch wrote.

use autograd::Tensor;
use safetensors::{Dtype, SafeTensors};
use std::path::PathBuf;

#[cfg(doctest)]
mod samples;

/// A file under `tests/fixtures`.
pub fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// A JSON file under `tests/fixtures`.
pub fn json(name: &str) -> serde_json::Value {
    serde_json::from_slice(&read(name)).expect("the fixture is JSON")
}

/// One tensor of a safetensors file under `tests/fixtures`, widened to f64.
pub fn tensor(file: &str, name: &str) -> Tensor<f64> {
    let bytes = read(file);
    let file = SafeTensors::deserialize(&bytes).expect("the fixture is a safetensors file");
    let view = file.tensor(name).unwrap_or_else(|_| panic!("the fixture has a tensor {name}"));
    let data: Vec<f64> = match view.dtype() {
        Dtype::F32 => view.data().as_chunks().0.iter().map(|b| f64::from(f32::from_le_bytes(*b))).collect(),
        Dtype::F64 => view.data().as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect(),
        Dtype::I64 => view.data().as_chunks().0.iter().map(|b| i64::from_le_bytes(*b) as f64).collect(),
        other => panic!("{name} is {other:?}"),
    };
    Tensor::new(view.shape(), data)
}

/// The largest |a − b|, relative to the largest |b|; infinite if a number is none.
pub fn relative_error(a: &Tensor<f64>, b: &Tensor<f64>) -> f64 {
    assert_eq!(a.shape(), b.shape());
    let size = |x: &f64| if x.is_nan() { f64::INFINITY } else { x.abs() };
    let largest = |x: &Tensor<f64>| x.data().iter().map(size).fold(0.0, f64::max);
    let distance = largest(&a.zip(b, |a, b| a - b));
    if distance == f64::INFINITY { distance } else { distance / largest(b) }
}

#[test]
fn what_is_no_number_is_infinitely_far_from_every_other() {
    let [one, nan] = [1.0, f64::NAN].map(|x| Tensor::new([2], [1.0, x]));
    assert_eq!(relative_error(&one, &one), 0.0);
    for (a, b) in [(&nan, &one), (&one, &nan), (&nan, &nan)] {
        assert_eq!(relative_error(a, b), f64::INFINITY);
    }
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(fixture(name)).unwrap_or_else(|error| panic!("{}: {error}", fixture(name).display()))
}
