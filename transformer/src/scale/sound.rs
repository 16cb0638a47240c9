//! What can be: a plan that can be climbed, and numbers that a run can have. Files may have been edited or damaged, and
//! flags may ask for anything.

use super::ladder::{HIGHEST, LOWEST, weights};
use super::record::{Plan, Run, Scaling};
use crate::error::{Error, Result};
use std::fmt::Display;
use std::ops::RangeInclusive;

/// The losses that have a logarithm, and far more than any that training ends with.
pub const LOSSES: RangeInclusive<f64> = 1e-9..=1e9;
/// The tokens of a run.
pub const TOKENS: RangeInclusive<f64> = 1.0..=1e15;
/// How long a run can have taken.
pub const SECONDS: RangeInclusive<f64> = 0.0..=1e12;
const FLOPS: RangeInclusive<f64> = 1.0..=1e30;
const UPDATES: RangeInclusive<usize> = 1..=1_000_000_000;
/// The law has five unknowns, and something must be left over to tell how sure they are.
const FEWEST: usize = 6;

/// Checks that a number of a field lies in a range.
///
/// # Errors
/// If it does not.
pub fn within<T: PartialOrd + Display>(field: &str, number: T, range: &RangeInclusive<T>) -> Result<()> {
    if range.contains(&number) {
        return Ok(());
    }
    Err(Error::new(format!("{number} is not from {} to {}", range.start(), range.end())).at(field))
}

/// Checks that a plan can be climbed. The names of its fields begin with `of` in the message: `--`, or `plan.`.
///
/// # Errors
/// If it cannot; the message says what it takes.
pub fn check_plan(plan: &Plan, of: &str) -> Result<()> {
    let Plan { rungs, updates, seeds, held_out, .. } = plan;
    let wrong = |field: &str, what: String| Err(Error::new(what).at(format!("{of}{field}")));
    rungs.iter().try_for_each(|&rung| within(&format!("{of}rungs"), rung, &(LOWEST..=HIGHEST - 1)))?;
    updates.iter().try_for_each(|&updates| within(&format!("{of}updates"), updates, &UPDATES))?;
    if let Some(rung) = repeated(rungs) {
        return wrong("rungs", format!("rung {rung} is named twice"));
    }
    if let Some(updates) = repeated(updates) {
        return wrong("updates", format!("the length {updates} is named twice"));
    }
    if seeds.is_empty() || repeated(seeds).is_some() {
        return wrong("seeds", format!("{seeds:?} are not one or more different seeds"));
    }
    let points = rungs.len() * updates.len();
    if points < FEWEST {
        return wrong(
            "rungs",
            format!("{points} runs cannot tell five unknowns: it takes at least {FEWEST} runs"),
        );
    }
    let lowest = rungs.iter().max().map_or(LOWEST, |rung| rung + 1);
    if !(lowest..=HIGHEST).contains(held_out) {
        let what =
            format!("rung {held_out} is not above the fitted ones: that is one from {lowest} to {HIGHEST}");
        return wrong("held_out", what);
    }
    Ok(())
}

/// Checks what was read from `scaling.json`.
///
/// # Errors
/// If it cannot be gone on with; the message names the field.
pub fn check(scaling: &Scaling) -> Result<()> {
    check_plan(&scaling.plan, "plan.")?;
    scaling.floor.map_or(Ok(()), |floor| within("floor", floor, &LOSSES))?;
    for (i, run) in scaling.runs.iter().enumerate() {
        check_run(run, &format!("runs[{i}]"))?;
    }
    let held_out = scaling.plan.held_out;
    for (i, said) in scaling.prediction.iter().enumerate() {
        within(&format!("prediction[{i}].rung"), said.rung, &(held_out..=held_out))?;
    }
    Ok(())
}

fn check_run(run: &Run, of: &str) -> Result<()> {
    within(&format!("{of}.rung"), run.rung, &(LOWEST..=HIGHEST))?;
    let n = weights(run.rung);
    within(&format!("{of}.weights"), run.weights, &(n..=n))?;
    within(&format!("{of}.tokens"), run.tokens as f64, &TOKENS)?;
    within(&format!("{of}.flops"), run.flops, &FLOPS)?;
    within(&format!("{of}.loss"), run.loss, &LOSSES)?;
    within(&format!("{of}.seconds"), run.seconds, &SECONDS)?;
    run.curve.iter().try_for_each(|&(tokens, loss)| {
        within(&format!("{of}.curve"), tokens as f64, &TOKENS)?;
        within(&format!("{of}.curve"), loss, &LOSSES)
    })
}

/// The first value that was there before.
fn repeated<T: PartialEq + Copy>(values: &[T]) -> Option<T> {
    values.iter().enumerate().find(|&(i, value)| values[..i].contains(value)).map(|(_, &value)| value)
}
