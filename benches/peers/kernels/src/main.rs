//! f32 matrix products by role: ours and the peers' in turn, on the same operands. `../kernels.py` starts it.
//!
//! Arguments: `--threads N`, `--mkl FILE`, `--openblas FILE`, `--who NAME` for one of them alone, and words that the
//! printed name must contain one of. Prints a JSON object a line: first the peak rate of multiply-adds, then each case with
//! the median and the best rate in GFLOP/s of everybody, and how many times as fast as each peer we are (the median of the
//! turns' ratios; with `--who`, of that one to itself).

mod cases;
mod crates;
mod libraries;

use autograd::kernels::{peak::multiply_add_peak, threads};
use cases::{Case, cases};
use serde_json::{Map, Value, json};
use std::time::Instant;

type Multiply<'a> = Box<dyn Fn(&Case, &[f32], &[f32], &mut [f32]) + 'a>;

/// Floating-point operations of a thread in one turn: about a millisecond.
const A_TURN: f64 = 1e8;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (mut t, mut mkl, mut openblas, mut one, mut words) = (1, None, None, None, vec![]);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} takes a value"));
        match argument.as_str() {
            "--threads" => t = value()?.parse()?,
            "--who" => one = Some(value()?),
            "--mkl" => mkl = Some(libraries::Mkl::load(value()?.as_ref())?),
            "--openblas" => openblas = Some(libraries::OpenBlas::load(value()?.as_ref())?),
            _ => words.push(argument),
        }
    }
    threads::set_threads(t);
    let mut all: Vec<(&str, Multiply)> = vec![
        ("ours", Box::new(crates::ours)),
        ("gemm", Box::new(|case, a, b, c| crates::gemm(case, t, a, b, c))),
        ("faer", Box::new(|case, a, b, c| crates::faer(case, t, a, b, c))),
        ("matrixmultiply", Box::new(crates::matrixmultiply)),
    ];
    if let Some(mkl) = &mkl {
        all.push(("MKL", Box::new(|case, a, b, c| mkl.multiply(case, a, b, c))));
    }
    if let Some(openblas) = &openblas {
        all.push(("OpenBLAS", Box::new(|case, a, b, c| openblas.multiply(case, a, b, c))));
    }
    all.retain(|(who, _)| one.as_ref().is_none_or(|one| one == who));
    let chosen = |case: &Case| words.is_empty() || words.iter().any(|word| case.name().contains(word));
    println!("{}", json!({ "threads": t, "peak": multiply_add_peak(20) / 1e9 }));
    for case in cases().into_iter().filter(chosen) {
        println!("{}", measure(&case, t, &all));
    }
    Ok(())
}

fn measure(case: &Case, t: usize, all: &[(&str, Multiply)]) -> Value {
    let &Case { m, k, n, .. } = case;
    let a: Vec<f32> = (0..m * k).map(|i| (i * 7 % 13) as f32 * 0.1 - 0.6).collect();
    let b: Vec<f32> = (0..k * n).map(|i| (i * 5 % 17) as f32 * 0.1 - 0.8).collect();
    let (mut right, mut results) = (vec![f32::NAN; m * n], vec![vec![f32::NAN; m * n]; all.len()]);
    crates::ours(case, &a, &b, &mut right);
    for ((who, multiply), c) in all.iter().zip(&mut results) {
        multiply(case, &a, &b, c);
        let same = c.iter().zip(&right).all(|(x, y)| (x - y).abs() < 1e-5 * k as f32);
        assert!(same, "{}: {who} computes something else than ours", case.name());
    }

    let repeat = (A_TURN * t as f64 / case.flops()).ceil() as usize;
    let turns = ((3e10 * t as f64 / case.flops()) as usize).clamp(5, 15);
    let mut times = vec![vec![]; all.len()];
    for _ in 0..turns {
        for (((_, multiply), c), times) in all.iter().zip(&mut results).zip(&mut times) {
            if repeat > 1 {
                multiply(case, &a, &b, c); // awake, with the operands in its caches
            }
            let start = Instant::now();
            for _ in 0..repeat {
                multiply(case, &a, &b, c);
            }
            times.push(start.elapsed().as_secs_f64() / repeat as f64);
        }
    }

    let ratios = times.iter().map(|theirs| {
        let ratios = theirs.iter().zip(&times[0]).map(|(theirs, ours)| theirs / ours);
        median(ratios.collect())
    });
    let by_name = |values: Vec<f64>| -> Map<String, Value> {
        all.iter().map(|(who, _)| who.to_string()).zip(values.into_iter().map(Value::from)).collect()
    };
    let rate = |seconds: f64| case.flops() / seconds / 1e9;
    let best = |times: &Vec<f64>| rate(times.iter().copied().fold(f64::INFINITY, f64::min));
    json!({
        "config": case.config, "role": case.role, "direction": case.direction, "m": m, "k": k, "n": n,
        "threads": t,
        "median": by_name(times.iter().map(|times| rate(median(times.clone()))).collect()),
        "best": by_name(times.iter().map(best).collect()),
        "ratio": by_name(ratios.collect()),
    })
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}
