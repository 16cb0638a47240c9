//! The detector of numbers that are not finite.

use super::{blamed, drop_it};
use autograd::{Tape, Tensor};

#[test]
fn the_detector_names_the_first_value_that_is_not_finite() {
    let tape = Tape::<f64>::new();
    let x = tape.leaf(Tensor::new([3], [1.0, 0.0, 2.0]));
    let scope = tape.scope("mlp");
    let line = line!() + 1;
    let y = (x - x) / (x * 0.0 + 1.0) * 3.0 + x.ln();
    drop(scope);
    let loss = (y * y).sum_all();
    assert!(!loss.value().item().is_finite());
    let found = tape.first_non_finite().expect("ln 0 is infinite");
    assert_eq!((found.op.as_str(), found.scope.as_str(), found.shapes.as_str()), ("ln", "mlp", "[3] → [3]"));
    assert_eq!((found.index.as_slice(), found.value), (&[1][..], f64::NEG_INFINITY));
    assert!(found.location.starts_with(&format!("{}:{line}", file!())), "{}", found.location);
}

#[test]
fn a_mask_of_minus_infinity_is_no_cause_for_alarm() {
    let tape = Tape::<f64>::new();
    tape.stop_at_non_finite(true);
    let x = tape.leaf(Tensor::new([2], [1.0, 2.0]));
    let masked = x.masked_fill(&Tensor::new([2], [0.0, 1.0]), f64::NEG_INFINITY);
    assert_eq!(masked.softmax(-1).value().data(), [1.0, 0.0]);
    let (message, file, _) = blamed(|| drop_it((x - 3.0).ln()));
    assert!(message.contains("ln") && message.contains("NaN"), "{message}");
    assert_eq!(file, file!());
}
