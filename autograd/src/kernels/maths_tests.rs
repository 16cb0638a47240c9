//! Errors of the vector functions, measured in units in the last place, on every instruction set of this machine.

use super::lanes::InstructionSet;
use super::maths::{Function, map_on};
use super::textbook;
use crate::Float;

fn xs(from: f64, to: f64) -> impl Iterator<Item = f64> {
    let n = if cfg!(miri) { 50 } else { 60_000 };
    (0..=n).map(move |i| from + (to - from) * f64::from(i) / f64::from(n))
}

/// The largest error at f32 against f64, and at f64 against the system's library (itself right to 1 unit).
fn worst(function: Function, exact: fn(f64) -> f64, xs: impl Iterator<Item = f64>, bounds: (f64, f64)) {
    let xs: Vec<f64> = xs.collect();
    let narrow: Vec<f32> = xs.iter().map(|&x| x as f32).collect();
    for set in InstructionSet::available() {
        let mut y = vec![0.0f32; xs.len()];
        map_on(set, function, &narrow, &mut y);
        for (&x, &y) in narrow.iter().zip(&y) {
            let right = exact(f64::from(x));
            let unit = f64::from((right as f32).abs().next_up() - (right as f32).abs()).max(1e-45);
            let error = (f64::from(y) - right).abs() / unit;
            assert!(
                error <= bounds.0,
                "{function:?} on {set:?} at f32: f({x}) = {y}, exactly {right}: {error:.2} ulp"
            );
        }
        let mut y = vec![0.0f64; xs.len()];
        map_on(set, function, &xs, &mut y);
        for (&x, &y) in xs.iter().zip(&y) {
            let right = exact(x);
            let error = (y - right).abs() / (right.abs().next_up() - right.abs());
            assert!(
                error <= bounds.1,
                "{function:?} on {set:?} at f64: f({x}) = {y}, by libm {right}: {error:.2} ulp"
            );
        }
    }
}

#[test]
fn exp_errs_by_at_most_one_unit() {
    worst(Function::Exp, f64::exp, xs(-87.0, 88.0).chain(xs(-1.0, 1.0)), (1.0, 2.0));
}

#[test]
fn ln_errs_by_at_most_one_unit() {
    worst(Function::Ln, f64::ln, xs(1e-3, 3.0).chain(xs(1.0, 1e6)).chain(xs(0.99, 1.01)), (1.0, 2.0));
    worst(Function::Ln, f64::ln, xs(-85.0, 85.0).map(f64::exp), (1.0, 2.0));
}

#[test]
fn tanh_errs_by_at_most_three_units() {
    worst(Function::Tanh, f64::tanh, xs(-25.0, 25.0).chain(xs(-0.5, 0.5)).chain(xs(-1e-6, 1e-6)), (3.0, 4.0));
}

#[test]
fn sigmoid_errs_by_at_most_three_units() {
    worst(Function::Sigmoid, |x| 1.0 / (1.0 + (-x).exp()), xs(-80.0, 30.0).chain(xs(-1.0, 1.0)), (3.0, 4.0));
}

#[test]
fn the_ends_of_the_number_line_are_right() {
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    let table: [(Function, &[(f64, f64)]); 4] = [
        (
            Function::Exp,
            &[(inf, inf), (-inf, 0.0), (1e4, inf), (-1e4, 0.0), (0.0, 1.0), (nan, nan), (-0.0, 1.0)],
        ),
        (Function::Ln, &[(inf, inf), (0.0, -inf), (1.0, 0.0), (-1.0, nan), (-inf, nan), (nan, nan)]),
        (Function::Tanh, &[(inf, 1.0), (-inf, -1.0), (1e4, 1.0), (-1e4, -1.0), (0.0, 0.0), (nan, nan)]),
        (Function::Sigmoid, &[(inf, 1.0), (-inf, 0.0), (1e4, 1.0), (-1e4, 0.0), (0.0, 0.5), (nan, nan)]),
    ];
    for set in InstructionSet::available() {
        for (function, cases) in table {
            for &(x, right) in cases {
                let (mut narrow, mut wide) = ([0.0f32], [0.0f64]);
                map_on(set, function, &[x as f32], &mut narrow);
                map_on(set, function, &[x], &mut wide);
                for y in [f64::from(narrow[0]), wide[0]] {
                    assert!(
                        y == right || y.is_nan() && right.is_nan(),
                        "{function:?} on {set:?}: f({x}) = {y}"
                    );
                }
            }
        }
    }
}

#[test]
fn exp_and_ln_know_subnormal_numbers() {
    for set in InstructionSet::available() {
        let (mut y, mut z) = ([0.0f32; 2], [0.0f64; 2]);
        map_on(set, Function::Exp, &[-90.0, -100.0], &mut y);
        assert!((f64::from(y[0]) - (-90.0f64).exp()).abs() <= 1.5e-45, "{set:?}: {y:?}");
        map_on(set, Function::Ln, &[1e-40f32, 1.4e-45], &mut y);
        assert!((f64::from(y[0]) - f64::from(1e-40f32).ln()).abs() < 1e-5, "{set:?}: {y:?}");
        assert!((f64::from(y[1]) - f64::from(1.4e-45f32).ln()).abs() < 1e-5, "{set:?}: {y:?}");
        map_on(set, Function::Ln, &[5e-324, 1e-310], &mut z);
        assert!(
            (z[0] - 5e-324f64.ln()).abs() < 1e-12 && (z[1] - 1e-310f64.ln()).abs() < 1e-12,
            "{set:?}: {z:?}"
        );
    }
}

#[test]
fn gelu_and_its_slope_are_the_textbooks() {
    let x: Vec<f64> = xs(-20.0, 20.0).chain([0.0, 1e4, -1e4]).collect();
    let (mut y, mut dx) = (vec![0.0; x.len()], vec![0.0; x.len()]);
    f64::gelu_slice(&x, &mut y);
    f64::gelu_vjp_slice(&x, &vec![2.0; x.len()], &mut dx);
    for i in 0..x.len() {
        let (right, slope) = (textbook::gelu(x[i]), 2.0 * textbook::gelu_slope(x[i]));
        assert!(
            (y[i] - right).abs() <= 4e-15 * right.abs().max(1.0),
            "gelu({}) = {}, not {right}",
            x[i],
            y[i]
        );
        assert!((dx[i] - slope).abs() <= 2e-14, "gelu′({})·2 = {}, not {slope}", x[i], dx[i]);
    }
    let narrow: Vec<f32> = x.iter().map(|&x| x as f32).collect();
    let (mut z, mut dz) = (vec![0.0; x.len()], vec![0.0; x.len()]);
    f32::gelu_slice(&narrow, &mut z);
    f32::gelu_vjp_slice(&narrow, &vec![1.0; x.len()], &mut dz);
    for i in 0..x.len() {
        let (right, slope) =
            (textbook::gelu(f64::from(narrow[i])), textbook::gelu_slope(f64::from(narrow[i])));
        assert!(
            (f64::from(z[i]) - right).abs() <= 4e-7 * right.abs().max(1.0),
            "gelu({}) = {}",
            narrow[i],
            z[i]
        );
        assert!((f64::from(dz[i]) - slope).abs() <= 2e-6, "gelu′({}) = {}, not {slope}", narrow[i], dz[i]);
    }
}
