//! Every op on the tape by itself: its value against the formula's, its vjp against forward mode of its own rule.
//!
//! What is wrong downstream of a wrong op looks wrong as well. So the op that is named is the first on the tape whose own
//! value is wrong although those before it are right, or whose own rule is.

use super::reference::Expected;
use autograd::gradcheck::{NodeCheck, check_node};
use autograd::{Dual, Node, Tape, Tensor};
use std::collections::BTreeMap;

/// What is known of one op.
#[derive(Debug, Clone)]
pub struct NodeReport {
    /// Its number on the tape.
    pub node: usize,
    /// The scope that it is applied in.
    pub scope: String,
    /// Its name.
    pub op: &'static str,
    /// The line of code that applied it.
    pub line: String,
    /// Its value, held against the formula's, where there is one.
    pub value: Option<Value>,
    /// Its vjp, held against forward mode and differences, where somebody wants a gradient.
    pub rule: Option<NodeCheck>,
    /// What is wrong with what it drops, if it is a dropout.
    pub dropout: Option<String>,
}

/// The entry of a value that is furthest from the formula's.
#[derive(Debug, Clone)]
pub struct Value {
    /// One coordinate an axis.
    pub index: Vec<usize>,
    /// What the op returned there.
    pub found: f64,
    /// What the formula says.
    pub expected: f64,
    /// Whether the whole value agrees, to 1e-10 of its largest entry.
    pub ok: bool,
}

impl NodeReport {
    /// What is wrong, in words; `None` if nothing is.
    pub fn fault(&self) -> Option<String> {
        if let Some(Value { index, found, expected, ok: false }) = &self.value {
            return Some(format!(
                "its value is not the formula's: {found:.6} at {index:?}, not {expected:.6}"
            ));
        }
        if let Some(what) = &self.dropout {
            return Some(what.clone());
        }
        let rule = self.rule.as_ref()?;
        let NodeCheck { input, index, reverse, forward, difference, .. } = rule;
        let place = index.as_ref().map_or(String::new(), |index| format!(" at {index:?}"));
        rule.fault.map(|fault| {
            format!(
                "{fault}: input {input}{place}: reverse {reverse:.9}, forward {forward:.9}, difference {difference:.9}"
            )
        })
    }
}

/// Checks each op of a tape; `duals` holds the same computation at dual numbers. Where `expected` has the step of an op,
/// its value is held against that. `which` says by name which ops to check.
pub fn check_nodes(
    tape: &Tape<f64>,
    duals: &Tape<Dual<f64>>,
    expected: &[Expected],
    which: impl Fn(&str) -> bool,
) -> Vec<NodeReport> {
    let nodes = tape.nodes();
    let steps = numbered(tape, &nodes);
    let ops = (0..nodes.len()).filter(|&node| nodes[node].op.is_some() && which(nodes[node].op_name()));
    ops.map(|node| {
        let Step { scope, op, nth } = &steps[node];
        let step = expected.iter().find(|step| (&step.scope, step.op, step.nth) == (scope, *op, *nth));
        NodeReport {
            node,
            scope: scope.clone(),
            op,
            line: format!("{}:{}", nodes[node].location.file(), nodes[node].location.line()),
            value: step.map(|step| held(&nodes[node].value, &step.value)),
            rule: check_node(tape, duals, node),
            dropout: (*op == "dropout").then(|| wrong_dropout(&nodes, node)).flatten(),
        }
    })
    .collect()
}

/// The first step of the formulas that is not on the tape at all, and the node of the step before it.
pub fn missing<'e>(tape: &Tape<f64>, expected: &'e [Expected]) -> Option<(&'e Expected, usize)> {
    let steps = numbered(tape, &tape.nodes());
    let place = |step: &Expected| {
        steps.iter().position(|at| (&at.scope, at.op, at.nth) == (&step.scope, step.op, step.nth))
    };
    let mut before = 0;
    for step in expected {
        match place(step) {
            Some(node) => before = node,
            None => return Some((step, before)),
        }
    }
    None
}

/// An op by name: its scope, and its number among those of its name there.
struct Step {
    scope: String,
    op: &'static str,
    nth: usize,
}

fn numbered(tape: &Tape<f64>, nodes: &[Node<f64>]) -> Vec<Step> {
    let mut counts: BTreeMap<(String, &'static str), usize> = BTreeMap::new();
    let step = |node: &Node<f64>| {
        let (scope, op) = (tape.scope_name(node.scope), node.op_name());
        let count = counts.entry((scope.clone(), op)).or_default();
        *count += 1;
        Step { scope, op, nth: *count - 1 }
    };
    nodes.iter().map(step).collect()
}

fn held(found: &Tensor<f64>, expected: &[f64]) -> Value {
    if found.numel() != expected.len() {
        return Value {
            index: vec![],
            found: found.numel() as f64,
            expected: expected.len() as f64,
            ok: false,
        };
    }
    let scale = expected.iter().filter(|x| x.is_finite()).fold(1e-3, |most: f64, x| most.max(x.abs()));
    let off = |i: usize| match found.data()[i] == expected[i] {
        true => 0.0, // also where both are −∞
        false => (found.data()[i] - expected[i]).abs() / scale,
    };
    let worst = (0..expected.len()).max_by(|&a, &b| off(a).total_cmp(&off(b))).unwrap_or(0);
    Value {
        index: found.index_of(worst),
        found: found.data()[worst],
        expected: expected[worst],
        ok: off(worst) <= 1e-10,
    }
}

/// What is kept has to be multiplied by one c, and the mean of c over what is kept and 0 over the rest has to be 1, but
/// for chance: five standard deviations of √((c − 1)/N).
fn wrong_dropout(nodes: &[Node<f64>], node: usize) -> Option<String> {
    let (x, y) = (&nodes[nodes[node].inputs[0] as usize].value, &nodes[node].value);
    let pairs = x.data().iter().zip(y.data()).filter(|(x, _)| **x != 0.0);
    let factors: Vec<f64> = pairs.map(|(x, y)| y / x).collect();
    let c = factors.iter().copied().fold(0.0, f64::max);
    if factors.iter().any(|&factor| factor != 0.0 && (factor - c).abs() > 1e-12 * c) {
        return Some("it multiplies what it keeps by more than one number".to_owned());
    }
    let mean = factors.iter().sum::<f64>() / factors.len() as f64;
    let chance = 5.0 * ((c - 1.0).max(0.0) / factors.len() as f64).sqrt();
    ((mean - 1.0).abs() > chance + 1e-12).then(|| {
        format!("it does not keep the expectation: what it keeps is multiplied by {c:.4}, so the mean is {mean:.4} of what it was")
    })
}
