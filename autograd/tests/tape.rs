//! What a tape promises: each use of a number counts, each walk back starts from nothing, and every mistake is told
//! at the line that made it.

#[path = "tape/detector.rs"]
mod detector;
#[path = "tape/intercept.rs"]
mod intercept;
#[path = "tape/printed.rs"]
mod printed;
#[path = "tape/tangents.rs"]
mod tangents;

use autograd::{Tape, Tensor, Var};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

fn scalar(tape: &Tape<f64>, x: f64) -> Var<'_, f64> {
    tape.leaf(Tensor::scalar(x))
}

fn drop_it(_: Var<f64>) {}

/// dy/dx for a function of one number.
fn slope(x: f64, f: impl for<'t> Fn(Var<'t, f64>) -> Var<'t, f64>) -> f64 {
    let tape = Tape::new();
    let x = scalar(&tape, x);
    f(x).backward().of(x).item()
}

/// The message of a panic, and the file and line that it blames.
fn blamed(f: impl FnOnce()) -> (String, String, u32) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let found = Arc::new(Mutex::new(None));
    let told = Arc::clone(&found);
    let this = std::thread::current().id();
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if std::thread::current().id() == this {
            let place = info.location().expect("a panic has a place");
            let message = info.payload_as_str().unwrap_or_default().to_owned();
            *told.lock().unwrap() = Some((message, place.file().to_owned(), place.line()));
        }
    }));
    let result = catch_unwind(AssertUnwindSafe(f));
    std::panic::set_hook(before);
    assert!(result.is_err(), "it must panic");
    found.lock().unwrap().take().expect("the hook has seen the panic")
}

#[test]
fn a_number_that_is_used_twice_collects_both_contributions() {
    assert_eq!(slope(3.0, |x| x * x), 6.0);
    assert_eq!(slope(3.0, |x| x + x), 2.0);
    assert_eq!(slope(3.0, |x| x - x), 0.0);
    assert_eq!(slope(3.0, |x| x / x), 0.0);
}

#[test]
fn paths_that_part_and_meet_again_are_summed() {
    // y = (2x)·(x²) = 2x³: a diamond. y' = 6x².
    assert_eq!(slope(2.0, |x| (2.0 * x) * (x * x)), 24.0);
    // Ten diamonds in a row, x → x + x: 2¹⁰ paths from the end to x, walked in ten steps.
    assert_eq!(slope(1.0, |x| (0..10).fold(x, |x, _| x + x)), 1024.0);
}

#[test]
fn numbers_and_variables_combine_in_every_order() {
    let tape = Tape::<f64>::new();
    let (x, y) = (scalar(&tape, 3.0), scalar(&tape, 5.0));
    let value = |z: Var<f64>| z.value().item();
    assert_eq!(value(2.0 * x + y), 11.0);
    assert_eq!(value(x * x), 9.0);
    assert_eq!(value(-x), -3.0);
    assert_eq!(value(x / 3.0), 1.0);
    assert_eq!(value(3.0 / x), 1.0);
    assert_eq!(value(1.0 - x), -2.0);
    assert_eq!(value(x - 1.0), 2.0);
    assert_eq!(value(x + 1.0), 4.0);
    assert_eq!(value(1.0 + x), 4.0);
    assert_eq!(value(x * 2.0), 6.0);
    assert_eq!(value(x / y), 0.6);
    assert_eq!(value(x - y), -2.0);
    for (slope_of, expected) in [
        (slope(3.0, |x| 2.0 * x), 2.0),
        (slope(3.0, |x| x * 2.0), 2.0),
        (slope(3.0, |x| -x), -1.0),
        (slope(3.0, |x| x / 4.0), 0.25),
        (slope(3.0, |x| 9.0 / x), -1.0),
        (slope(3.0, |x| 1.0 - x), -1.0),
        (slope(3.0, |x| x - 1.0), 1.0),
        (slope(3.0, |x| 1.0 + x), 1.0),
    ] {
        assert!((slope_of - expected).abs() < 1e-15, "{slope_of} should be {expected}");
    }
}

#[test]
fn a_chain_of_a_hundred_thousand_ops_needs_no_recursion() {
    let tape = Tape::new();
    let x = scalar(&tape, 1.0);
    let y = (0..100_000).fold(x, |y, _| y * 1.00001);
    let expected = 1.00001f64.powi(100_000);
    assert!((y.value().item() / expected - 1.0).abs() < 1e-10);
    assert!((y.backward().of(x).item() / expected - 1.0).abs() < 1e-10);
}

#[test]
fn every_walk_back_starts_from_nothing() {
    let tape = Tape::new();
    let x = scalar(&tape, 2.0);
    let y = x * x * x;
    let (first, second) = (y.backward(), y.backward());
    assert_eq!((first.of(x).item(), second.of(x).item()), (12.0, 12.0));
}

#[test]
fn a_tape_can_be_walked_back_from_several_of_its_numbers() {
    let tape = Tape::new();
    let x = scalar(&tape, 2.0);
    let y = x * x;
    let z = y * x;
    assert_eq!((y.backward().of(x).item(), z.backward().of(x).item()), (4.0, 12.0));
    assert_eq!(z.backward().of(y).item(), 2.0, "also inner numbers have a cotangent");
}

#[test]
fn a_cotangent_of_ones_own_weights_the_outputs() {
    let tape = Tape::new();
    let x = tape.leaf(Tensor::new([3], [1.0, 2.0, 3.0]));
    let gradients = (x * x).backward_from(Tensor::new([3], [1.0, 0.0, -1.0]));
    assert_eq!(gradients.of(x).data(), [2.0, 0.0, -6.0]);
}

#[test]
fn gradients_of_parts_of_a_batch_add_up_to_the_gradient_of_their_sum() {
    let data = [0.5, -1.0, 2.0, 3.0];
    let loss = |w: f64, data: &[f64]| {
        let tape = Tape::new();
        let w = scalar(&tape, w);
        let x = tape.constant(Tensor::new([data.len()], data));
        ((x * w).tanh()).sum_all().backward().of(w).item()
    };
    let parts: f64 = data.chunks(2).map(|part| loss(0.7, part)).sum();
    assert!((parts - loss(0.7, &data)).abs() < 1e-15);
}

#[test]
fn under_no_grad_nothing_is_recorded_for_the_walk_back() {
    let tape = Tape::new();
    let x = scalar(&tape, 3.0);
    let constant = tape.no_grad(|| x * x);
    let y = constant * x;
    assert_eq!(y.backward().of(x).item(), 9.0);
    assert!(y.backward().get(constant).is_none());
    assert!(!tape.nodes()[constant.index()].requires_gradient);
    assert_eq!((x * x).backward().of(x).item(), 6.0, "afterwards the tape records again");
}

#[test]
fn a_leaf_made_under_no_grad_is_a_constant() {
    let tape = Tape::new();
    let x = scalar(&tape, 3.0);
    let c = tape.no_grad(|| scalar(&tape, 2.0));
    let gradients = (c * x).backward();
    assert_eq!(gradients.of(x).item(), 2.0);
    assert!(gradients.get(c).is_none());
}

#[test]
fn detach_is_a_constant_with_the_same_value() {
    assert_eq!(slope(3.0, |x| x * x.detach()), 3.0);
    let tape = Tape::new();
    let x = scalar(&tape, 3.0);
    assert_eq!(x.detach().value(), x.value());
}

#[test]
fn a_parameter_that_the_loss_does_not_reach_is_named() {
    let tape = Tape::new();
    let (used, unused) = (scalar(&tape, 1.0), tape.parameter("transformer.wpe.weight", Tensor::scalar(2.0)));
    let gradients = (used * used).backward();
    assert!(gradients.get(unused).is_none());
    let (message, ..) = blamed(|| {
        gradients.of(unused);
    });
    for part in ["transformer.wpe.weight", "the loss was not computed from it", "tape.rs"] {
        assert!(message.contains(part), "{part} in {message}");
    }
}

#[test]
fn the_walk_of_a_training_step_returns_the_same_gradients_and_spends_the_tape() {
    let tape = Tape::new();
    let x = tape.leaf(Tensor::new([3], [1.0, 2.0, 3.0]));
    let y = (x.exp() * x).sum_all();
    let kept = y.backward();
    let freed = y.backward_and_free();
    assert_eq!(kept.of(x), freed.of(x));
    assert!(tape.nodes().iter().filter(|node| node.op.is_some()).all(|node| node.value.numel() == 0));
    let (message, file, _) = blamed(|| {
        y.backward();
    });
    assert!(message.contains("backward_and_free has given its values away"), "{message}");
    assert!(file.ends_with("tests/tape.rs"), "{file}");
    let (message, file, _) = blamed(|| {
        let _ = x.exp();
    });
    assert!(message.contains("this tape is spent"), "{message}");
    assert!(file.ends_with("tests/tape.rs"), "{file}");
}

#[test]
fn a_walk_that_is_refused_spends_nothing() {
    let tape = Tape::new();
    let x = tape.leaf(Tensor::new([3], [1.0, 2.0, 3.0]));
    let y = x.sum_all();
    let nodes = tape.nodes();
    blamed(|| {
        y.backward_and_free();
    });
    drop(nodes);
    assert_eq!(y.backward().of(x).data(), [1.0; 3]);
}

#[test]
fn a_variable_of_another_tape_is_refused() {
    let (one, other) = (Tape::new(), Tape::new());
    let (x, y) = (scalar(&one, 1.0), scalar(&other, 2.0));
    let (message, ..) = blamed(|| {
        let _ = one.apply(autograd::ops::arithmetic::Add, &[x, y]);
    });
    assert_eq!(
        message.lines().next(),
        Some("assertion `left == right` failed: add: an input lives on another tape")
    );
    let gradients = (x * x).backward();
    let (message, ..) = blamed(|| {
        gradients.of(y);
    });
    assert!(message.contains("these gradients belong to another tape"), "{message}");
}
