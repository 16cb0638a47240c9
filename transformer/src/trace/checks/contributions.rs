//! One contribution by itself: whose fault is it?
//!
//! ```text
//! Σ delta·u = Σ v̄ₖ·(tangent of fₖ along u)          u random; only this one op runs
//! ```

use super::super::record::{Contribution, Recording};
use super::super::schema::{Along, Broken};
use super::entries::ROUNDING;
use super::{Verdict, gradient};
use crate::random::{Purpose, generator, unit};
use autograd::{Dual, Saved, Tape, Tensor};
use std::collections::BTreeMap;

/// Largest distance of a contribution from its forward value.
const ALONG: f64 = 1e-10;

/// Checks each contribution along a random direction, and looks for ones that are missing.
pub(super) fn contributions(recording: &Recording, duals: &Tape<Dual<f64>>) -> (Vec<Along>, Option<Broken>) {
    let mut sums: BTreeMap<(usize, usize), Tensor<f64>> = BTreeMap::new();
    for Contribution { from, slot, delta, .. } in &recording.contributions {
        sums.entry((*from, *slot)).and_modify(|sum| sum.add_assign(delta)).or_insert_with(|| delta.clone());
    }
    let mut checks: BTreeMap<(usize, usize), Along> = BTreeMap::new();
    let mut broken: Option<Broken> = None;
    let nodes = recording.tape.nodes();
    for node in (0..=recording.loss).rev().filter(|&node| nodes[node].requires_gradient) {
        let Some(dy) = gradient(recording, node) else { continue };
        for (slot, &input) in nodes[node].inputs.iter().enumerate() {
            if nodes[input as usize].requires_gradient && nodes[node].op.is_some() {
                let delta = sums.get(&(node, slot));
                let check = along(duals, node, slot, delta, dy);
                if check.verdict == Verdict::Wrong.word() && broken.is_none() {
                    let why = match delta {
                        Some(_) => format!(
                            "its vjp and its forward rule disagree: {:.6e} and {:.6e} along one direction",
                            check.reverse, check.forward
                        ),
                        None => "its vjp gives nothing to this input, which the result depends on".to_owned(),
                    };
                    broken = Some(Broken { node, slot: Some(slot), why });
                }
                checks.insert((node, slot), check);
            }
        }
    }
    let missing =
        Along { reverse: 0.0, forward: 0.0, relative_error: 0.0, verdict: Verdict::Wrong.word().into() };
    let of =
        |step: &Contribution| checks.get(&(step.from, step.slot)).cloned().unwrap_or_else(|| missing.clone());
    (recording.contributions.iter().map(of).collect(), broken)
}

/// Σ delta·u against Σ ȳ·(tangent of y along u), for one op and one of its inputs.
fn along(
    duals: &Tape<Dual<f64>>,
    node: usize,
    slot: usize,
    delta: Option<&Tensor<f64>>,
    dy: &Tensor<f64>,
) -> Along {
    let nodes = duals.nodes();
    let op = nodes[node].op.as_ref().expect("an op");
    let mut random = generator((node * 8 + slot) as u64, Purpose::Evaluation);
    let mut x: Vec<Tensor<Dual<f64>>> =
        nodes[node].inputs.iter().map(|&input| nodes[input as usize].value.clone()).collect();
    let u: Vec<f64> = (0..x[slot].numel()).map(|_| 2.0 * unit(&mut random) - 1.0).collect();
    x[slot].data_mut().iter_mut().zip(&u).for_each(|(x, &u)| {
        x.tangent = if x.value.is_finite() { u } else { 0.0 };
    });
    let y = op.forward(&x.iter().collect::<Vec<_>>(), &mut Saved::new());
    let products =
        dy.data().iter().zip(y.data()).map(|(dy, y)| if *dy == 0.0 { 0.0 } else { dy * y.tangent });
    let (forward, size) = products.fold((0.0, 0.0), |(sum, size), x| (sum + x, size + x * x));
    let terms = |delta: &Tensor<f64>| {
        let products = delta.data().iter().zip(&u).map(|(delta, u)| delta * u);
        products.fold((0.0, 0.0), |(sum, size): (f64, f64), x| (sum + x, size + x * x))
    };
    let (reverse, own) = delta.map_or((0.0, 0.0), terms);
    let scale = f64::abs(forward).max(reverse.abs()).max(f64::sqrt(size)).max(own.sqrt());
    let distance = (reverse - forward).abs();
    let relative_error = if distance == 0.0 { 0.0 } else { distance / scale };
    let agrees = relative_error <= ALONG || distance <= ROUNDING * ROUNDING;
    let verdict = if agrees { Verdict::Agree } else { Verdict::Wrong };
    Along { reverse, forward, relative_error, verdict: verdict.word().to_owned() }
}
