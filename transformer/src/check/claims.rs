//! What ought to hold besides the gradient: one sentence each, and the number that it was judged by.

use super::nodes::{NodeReport, missing};
use super::reference::{self, Expected};
use super::subject::{Recorded, Subject};
use crate::data::batches::Batch;
use crate::model::{Decoder, ModelConfig, NormKind};
use autograd::gradcheck::NodeCheck;
use autograd::{Node, Tape, Tensor};
use serde::Serialize;

/// A claim, and whether it holds.
#[derive(Debug, Clone, Serialize)]
pub struct Claim {
    /// Whether it holds.
    pub ok: bool,
    /// The largest relative error that was found.
    pub worst: f64,
    /// What was looked at, or what is wrong, in words.
    pub words: String,
}

impl Claim {
    /// Holds if the worst error is within the tolerance; a NaN is not.
    fn within(tolerance: f64, worst: f64, words: String) -> Self {
        Claim { ok: worst <= tolerance, worst, words }
    }
}

/// Each step of the formulas is on the tape and has their value.
pub fn values(tape: &Tape<f64>, nodes: &[NodeReport], expected: &[Expected]) -> Claim {
    let held = nodes.iter().filter_map(|report| report.value.as_ref());
    let worst = held.clone().map(|value| match value.found == value.expected {
        true => 0.0,
        false if value.expected.is_infinite() => f64::INFINITY,
        false => (value.found - value.expected).abs() / value.expected.abs().max(1e-3),
    });
    let worst = worst.fold(0.0, largest);
    let wrong = held.clone().filter(|value| !value.ok).count();
    let (steps, loss) = (held.count(), reference::loss(expected));
    let words = match (missing(tape, expected), wrong) {
        (Some((step, _)), _) => format!("there is no {} number {} in {}", step.op, step.nth, step.scope),
        (None, 0) => format!("{steps} steps have the value of the formula; they end in the loss {loss:.6}"),
        (None, _) => format!("{wrong} of {steps} steps have another value than the formula"),
    };
    Claim { ok: wrong == 0 && steps == expected.len(), worst, words }
}

/// Each op's vjp is the derivative of its own forward rule.
pub fn rules(paths: &[&[NodeReport]]) -> Claim {
    let checks = || paths.iter().copied().flatten().filter_map(|report| report.rule.as_ref());
    let apart = |check: &NodeCheck| match check.reverse == check.forward {
        true => 0.0,
        false => (check.reverse - check.forward).abs() / check.reverse.abs().max(check.forward.abs()),
    };
    let worst = checks().map(apart).fold(0.0, largest);
    let (wrong, number) = (checks().filter(|check| check.fault.is_some()).count(), checks().count());
    let words = match wrong {
        0 => format!("{number} ops have the vjp of their forward rule, and add it to what is there"),
        _ => format!("{wrong} of {number} ops have a wrong vjp"),
    };
    Claim { ok: wrong == 0, worst, words }
}

/// Both paths have the same value and the same gradient at the end of each scope, and for each parameter.
pub fn fused(textbook: &Recorded<f64>, fused: &Recorded<f64>) -> Claim {
    let (tapes, loss) = ([textbook.loss.tape(), fused.loss.tape()], [textbook.loss, fused.loss]);
    let gradients = loss.map(|loss| loss.backward());
    let gradient =
        |path: usize, x| gradients[path].get(x).cloned().unwrap_or_else(|| Tensor::zeros(x.shape()));
    let (mut worst, mut place) = (0.0, String::new());
    let mut note = |error: f64, what: String| {
        if error > worst || error.is_nan() {
            (worst, place) = (error, what);
        }
    };
    let ends = tapes.map(scope_ends);
    for (scope, node) in &ends[0] {
        let Some((_, other)) = ends[1].iter().find(|(name, _)| name == scope) else {
            note(f64::NAN, format!("the fused path has no scope {scope}"));
            continue;
        };
        let ends = [tapes[0].var(*node), tapes[1].var(*other)];
        note(apart(&ends[1].value(), &ends[0].value()), format!("the value of {scope}"));
        note(apart(&gradient(1, ends[1]), &gradient(0, ends[0])), format!("the gradient of {scope}"));
    }
    for (x, y) in textbook.parameters.iter().zip(&fused.parameters) {
        let name = tapes[0].nodes()[x.index()].name.clone();
        note(apart(&gradient(1, *y), &gradient(0, *x)), format!("the gradient of {name}"));
    }
    let number = ends[0].len();
    let mut claim = Claim::within(1e-10, worst, String::new());
    claim.words = match claim.ok {
        true => format!("{number} scopes have the textbook's value and gradient, and so has every parameter"),
        false => format!("{place} is not the textbook's"),
    };
    claim
}

/// The last node of each scope, in the order in which they end. (Two norms share a scope: the second is compared.)
fn scope_ends(tape: &Tape<f64>) -> Vec<(String, usize)> {
    let mut ends: Vec<(String, usize)> = Vec::new();
    for (node, at) in tape.nodes().iter().enumerate().filter(|(_, node)| node.op.is_some()) {
        let scope = tape.scope_name(at.scope);
        ends.retain(|(known, _)| *known != scope);
        ends.push((scope, node));
    }
    ends
}

/// The writer, token by token with a cache and without a tape, has the logits of training.
pub fn decoder(subject: &Subject, fused: &Recorded<f64>) -> Claim {
    let ([b, n], v) = (subject.batch.shape(), subject.model.config.vocab_size);
    let mut writer = Decoder::new(&subject.model, b);
    let mut written = Tensor::zeros([b, n, v]);
    for at in 0..n {
        let tokens: Vec<usize> = (0..b).map(|row| subject.batch.x[row * n + at]).collect();
        for (row, logits) in writer.push(&tokens).chunks(v).enumerate() {
            written.data_mut()[(row * n + at) * v..][..v].copy_from_slice(logits);
        }
    }
    let worst = apart(&written, &fused.logits.value());
    let words = "the writer, token by token with a cache, has the logits that are trained".to_owned();
    Claim::within(1e-10, worst, words)
}

/// Each target is the token after its input.
pub fn targets(batch: &Batch) -> Claim {
    let n = batch.length;
    let moved =
        (0..batch.x.len()).filter(|i| i % n + 1 < n).filter(|&i| batch.y[i] != batch.x[i + 1]).count();
    let words = match moved {
        0 => format!("{} targets are the inputs moved by one", batch.targets()),
        _ => format!("{moved} of {} targets are not the token after their input", batch.targets()),
    };
    Claim { ok: moved == 0, worst: moved as f64, words }
}

/// Attention's weights are probabilities, and exactly 0 on what comes later.
pub fn attention(tape: &Tape<f64>) -> Claim {
    let nodes = tape.nodes();
    let mut worst: f64 = 0.0;
    let mut rows = 0;
    for node in nodes.iter().filter(|node| node.op_name() == "softmax") {
        let n = node.value.shape()[node.value.shape().len() - 1];
        for (i, row) in node.value.data().chunks(n).enumerate() {
            let later: f64 = row[i % n + 1..].iter().map(|weight| weight.abs()).sum();
            let negative = row.iter().fold(0.0, |most: f64, weight| most.max(-weight));
            worst = largest(worst, (row.iter().sum::<f64>() - 1.0).abs().max(later).max(negative));
            rows += 1;
        }
    }
    let words = format!("{rows} rows of attention: at least 0, sum 1, nothing on later tokens");
    Claim { ok: worst <= 1e-12 && rows > 0, worst, words }
}

/// A norm's rows have variance (of an RMS norm: mean square) σ²/(σ² + ε) before the weight, and mean 0.
pub fn norms(tape: &Tape<f64>, config: &ModelConfig) -> Claim {
    let nodes = tape.nodes();
    let is_norm =
        |node: &&Node<f64>| node.op_name() == "div" && tape.scope_name(node.scope).ends_with("norm");
    let centred = config.design.norm == NormKind::Layer;
    let mut worst: f64 = 0.0;
    let mut rows = 0;
    for node in nodes.iter().filter(is_norm) {
        let (d, deviation) = (node.value.shape()[2], &nodes[node.inputs[1] as usize].value);
        for (row, deviation) in node.value.data().chunks(d).zip(deviation.data()) {
            let mean = if centred { row.iter().sum::<f64>() / d as f64 } else { 0.0 };
            let square = row.iter().map(|x| x * x).sum::<f64>() / d as f64;
            let ought = 1.0 - config.design.norm_eps / (deviation * deviation);
            worst = largest(worst, mean.abs().max((square - ought).abs()));
            rows += 1;
        }
    }
    let what = if centred { "mean 0, variance" } else { "mean square" };
    Claim {
        ok: worst <= 1e-9 && rows > 0, worst, words: format!("{rows} rows of norms: {what} σ²/(σ² + ε)")
    }
}

/// Dropout keeps the expectation, and lets the gradient through what it keeps; and with the same masks the fused ops, one of
/// which drops attention's weights inside, have the textbook's value and gradient: `fused`, if it has been looked at.
pub fn dropout(nodes: &[NodeReport], fused: Option<Claim>) -> Claim {
    let wrong = nodes.iter().filter(|report| report.fault().is_some()).count();
    let number = nodes.len();
    if wrong > 0 || number == 0 {
        return Claim {
            ok: false,
            worst: wrong as f64,
            words: format!("{wrong} of {number} dropouts are wrong"),
        };
    }
    let words = format!("{number} dropouts keep the expectation");
    match fused {
        None => Claim { ok: true, worst: 0.0, words },
        Some(Claim { ok: true, worst, .. }) => {
            let words =
                format!("{words}, and with them the fused ops have the textbook's value and gradient");
            Claim { ok: true, worst, words }
        }
        Some(Claim { ok: false, worst, words }) => {
            Claim { ok: false, worst, words: format!("with dropout {words}") }
        }
    }
}

/// The largest |a − b|, relative to the largest |b|.
fn apart(a: &Tensor<f64>, b: &Tensor<f64>) -> f64 {
    if a.shape() != b.shape() {
        return f64::NAN;
    }
    let size = |x: &[f64]| x.iter().fold(0.0, |most, x| largest(most, x.abs()));
    let off = size(a.zip(b, |a, b| a - b).data());
    if off == 0.0 { 0.0 } else { off / size(b.data()) }
}

/// The larger of the two, and NaN if one is.
fn largest(a: f64, b: f64) -> f64 {
    if b > a || b.is_nan() { b } else { a }
}
