//! The judge itself: how small an error it finds, and what it says of kinks and of noise.

use super::*;

/// What is said of a derivative that is `reverse` walking back and `forward` by dual numbers, in gradients of size 1.
fn verdict(reverse: f64, forward: f64, f: impl Fn(f64) -> f64) -> Verdict {
    GradCheck::default().judge(reverse, forward, &difference(f), 1.0)
}

#[test]
fn an_error_of_a_ten_billionth_between_reverse_and_forward_is_found() {
    assert_eq!(verdict(1.0 + 1e-10, 1.0, |t| t), Verdict::ReverseDiffersFromForward);
    assert_eq!(verdict(1.0 + 1e-12, 1.0, |t| t), Verdict::Agree);
}

#[test]
fn an_error_of_a_millionth_between_forward_and_difference_is_found() {
    assert_eq!(verdict(1.0 + 1e-6, 1.0 + 1e-6, |t| t), Verdict::DifferenceDiffers);
    assert_eq!(verdict(1.0 + 1e-9, 1.0 + 1e-9, |t| t), Verdict::Agree);
}

#[test]
fn at_a_kink_every_slope_between_the_sides_is_right_and_one_outside_is_wrong() {
    let relu = |t: f64| t.max(0.0);
    for slope in [0.0, 0.5, 1.0] {
        let found = verdict(slope, slope, relu);
        assert!(matches!(found, Verdict::Kink { left: 0.0, .. }) && found.ok(), "{slope}: {found:?}");
    }
    for slope in [-0.01, 1.01, 1.5] {
        let found = verdict(slope, slope, relu);
        assert!(matches!(found, Verdict::OutsideKink { .. }) && !found.ok(), "{slope}: {found:?}");
    }
}

#[test]
fn a_difference_that_may_be_anything_is_called_noisy() {
    let rough = Difference { value: 1.0, error: 1.0, kink: None };
    assert_eq!(GradCheck::default().judge(1.0, 1.0, &rough, 1.0), Verdict::DifferenceTooNoisy);
}

#[test]
fn what_is_no_number_agrees_with_nothing() {
    for (reverse, forward) in [(f64::NAN, 1.0), (1.0, f64::NAN), (f64::NAN, f64::NAN)] {
        assert!(!verdict(reverse, forward, |t| t).ok(), "{reverse} and {forward}");
    }
    assert!(!verdict(1.0, 1.0, |_| f64::NAN).ok(), "a difference of NaN");
}

#[test]
fn a_hessian_passes_only_if_it_is_symmetric_and_its_difference_is_near_and_known() {
    let right = SecondOrder { u_hv: 1.0, v_hu: 1.0, difference: 1.0, difference_error: 0.0 };
    assert!(right.ok());
    assert!(!SecondOrder { v_hu: 1.0 + 1e-9, ..right }.ok(), "it is not symmetric");
    assert!(!SecondOrder { difference: 1.0 + 1e-5, ..right }.ok(), "its difference is another");
    assert!(!SecondOrder { difference_error: 1e-3, ..right }.ok(), "its difference may be anything");
    assert!(!SecondOrder { difference: f64::NAN, ..right }.ok());
}
