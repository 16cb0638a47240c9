//! One line a step: what happened, to which shapes, how large, and where it is written.

use crate::trace::schema::{Contribution, Node, Step, Trace, Update};
use std::collections::BTreeMap;

/// A step, told in a line.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Its number among the trace's steps.
    pub step: usize,
    /// The part of the model, such as `blocks.0.attention`.
    pub scope: String,
    /// What makes two steps of different blocks alike.
    pub signature: String,
    /// The cells, to be set in columns: what, shapes, size, the rest.
    pub cells: [String; 4],
    /// Whether its check has failed.
    pub wrong: bool,
}

/// Part of a step of training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Computing.
    Forward,
    /// Walking back.
    Backward,
    /// AdamW.
    Update,
}

/// Which part of the training step a step is of; the seed is the first of the walk back.
pub fn part(step: &Step) -> Part {
    match step {
        Step::Forward { .. } => Part::Forward,
        Step::Seed { .. } | Step::Backward(_) => Part::Backward,
        Step::Update(_) => Part::Update,
    }
}

/// A line for each step; a wide one has more in it.
pub fn lines(trace: &Trace, wide: bool) -> Vec<Line> {
    let finished = last_contributions(trace);
    let line = |(step, what): (usize, &Step)| match what {
        Step::Forward { node } => forward(trace, step, *node, wide),
        Step::Seed { node } => Line {
            step,
            scope: scope(trace, &trace.nodes[*node]),
            signature: String::new(),
            cells: [
                format!("{:<11} %{node}", "seed"),
                format!("=  {}", shape(&trace.nodes[*node])),
                "1".into(),
                String::new(),
            ],
            wrong: false,
        },
        Step::Backward(contribution) => backward(trace, step, contribution, &finished, wide),
        Step::Update(update) => self::update(trace, step, update),
    };
    trace.steps.iter().enumerate().map(line).collect()
}

fn forward(trace: &Trace, step: usize, index: usize, wide: bool) -> Line {
    let node = &trace.nodes[index];
    let inputs: Vec<String> = node.inputs.iter().map(|&input| shape(&trace.nodes[input])).collect();
    let between = if node.op.starts_with("matmul") { " × " } else { ", " };
    let (scope, shapes) = match inputs.is_empty() {
        true if node.name.is_empty() => (scope(trace, node), shape(node)),
        true => ("parameters".to_owned(), format!("{} {}", shape(node), short(&node.name))),
        false => (scope(trace, node), format!("{} → {}", inputs.join(between), shape(node))),
    };
    let mut what = if node.op == "leaf" && node.name.is_empty() { "constant" } else { &node.op }.to_owned();
    if wide && !node.inputs.is_empty() {
        let inputs: Vec<String> = node.inputs.iter().map(|input| format!("%{input}")).collect();
        what = format!("{what:<11} {}", inputs.join(" "));
    }
    let wrong = trace.faults.iter().any(|fault| fault.node == index);
    let place = if node.op == "leaf" { String::new() } else { place(&node.call.file, node.call.line) };
    let entries = node.shape.iter().product::<usize>() - node.value.stats.inf - node.value.stats.nan;
    let size = match node.shape.is_empty() {
        true => node.value.stats.mean,
        false => node.value.stats.norm / (entries.max(1) as f64).sqrt(),
    };
    Line {
        step,
        signature: format!("{} {} {} {}", node.op, node.details, shapes, wrong),
        scope,
        cells: [what, shapes, number(size), place],
        wrong,
    }
}

fn backward(
    trace: &Trace,
    step: usize,
    what: &Contribution,
    finished: &BTreeMap<usize, usize>,
    wide: bool,
) -> Line {
    let (node, to) = (&trace.nodes[what.node], &trace.nodes[what.to]);
    let sign = if what.accumulate { "+=" } else { "= " };
    let to_what = if to.name.is_empty() { shape(to) } else { short(&to.name).to_owned() };
    let target = format!("{sign} {to_what}{}", summed(node, to));
    let mut check = String::new();
    let mut wrong = false;
    if let Some(along) = &what.check {
        wrong = along.verdict != "agree";
        let error =
            if along.relative_error == 0.0 { "0".into() } else { format!("{:.0e}", along.relative_error) };
        check = format!("{} {error}", if wrong { "WRONG" } else { "✓" });
    }
    if finished.get(&what.to) == Some(&step)
        && let Some(checks) = trace.checks.iter().find(|checks| checks.node == what.to)
    {
        let bad = checks.verdicts.iter().filter(|&&verdict| trace.verdicts[verdict] == "wrong").count();
        let number = checks.verdicts.len();
        check = format!("{check:<8} {}/{number}", number - bad);
        wrong |= bad > 0;
    }
    if wide {
        check = format!("{check:<14} {}", vjp_place(trace, &node.op));
    }
    Line {
        step,
        scope: scope(trace, node),
        signature: format!("{} {} {} {wrong} {}", node.op, what.slot, shape(to), what.accumulate),
        cells: [format!("{:<11} %{} → %{}", node.op, what.node, what.to), target, number(what.norm), check],
        wrong,
    }
}

fn update(trace: &Trace, step: usize, what: &Update) -> Line {
    let node = &trace.nodes[what.node];
    let (scope, of_block) = match short(&node.name).strip_prefix("h.").and_then(|rest| rest.split_once('.')) {
        Some((block, rest)) => (format!("blocks.{block}"), rest),
        None if node.name.contains("ln_f") => ("head".to_owned(), ""),
        None => ("embedding".to_owned(), ""),
    };
    let gradient = node.gradient.as_ref().map_or(0.0, |gradient| gradient.stats.norm);
    let decay = if what.decay > 0.0 { format!("{}", what.decay) } else { String::new() };
    Line {
        step,
        scope,
        signature: format!("{} {of_block}", shape(node)),
        cells: [
            format!("%{}", what.node),
            format!("{} {}", shape(node), short(&node.name)),
            number(what.norm),
            format!("{:<8} {decay}", number(gradient)).trim_end().to_owned(),
        ],
        wrong: false,
    }
}

/// The last step that contributes to each node.
fn last_contributions(trace: &Trace) -> BTreeMap<usize, usize> {
    let to = |(step, what): (usize, &Step)| match what {
        Step::Backward(contribution) => Some((contribution.to, step)),
        _ => None,
    };
    trace.steps.iter().enumerate().filter_map(to).collect()
}

/// ` Σ b n`: the axes over which a cotangent was summed because the input was repeated along them.
fn summed(node: &Node, to: &Node) -> String {
    if !["add", "sub", "mul", "div", "broadcast"].contains(&node.op.as_str()) || node.shape == to.shape {
        return String::new();
    }
    let missing = node.shape.len() - to.shape.len();
    let names: Vec<&str> = node.axes.split(' ').collect();
    let gone = (0..node.shape.len())
        .filter(|&axis| axis < missing || to.shape[axis - missing] < node.shape[axis])
        .filter_map(|axis| names.get(axis).copied());
    format!(" Σ {}", gone.collect::<Vec<_>>().join(" "))
}

/// `[b n d]`; where the axes have no names, their sizes.
pub fn shape(node: &Node) -> String {
    match node.axes.is_empty() {
        true => format!("{:?}", node.shape),
        false => format!("[{}]", node.axes),
    }
}

fn scope(trace: &Trace, node: &Node) -> String {
    trace.scopes[node.scope].clone()
}

/// A parameter's name without what all have.
pub fn short(name: &str) -> &str {
    name.strip_prefix("transformer.").unwrap_or(name)
}

/// `attention.rs:47`
pub fn place(file: &str, line: usize) -> String {
    format!("{}:{line}", file.rsplit('/').next().unwrap_or(file))
}

/// Three significant digits in at most eight characters.
pub fn number(x: f64) -> String {
    match x.abs() {
        0.0 => "0".to_owned(),
        size if (1e-3..1e4).contains(&size) => {
            let digits = (2 - size.log10().floor() as i32).clamp(0, 5) as usize;
            format!("{x:.digits$}")
        }
        _ => format!("{x:.1e}"),
    }
}

/// A line as several, none longer than `width`, cut between words.
pub fn wrapped(line: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in line.split(' ') {
        let last = lines.last_mut().expect("there is one");
        if last.chars().count() + 1 + word.chars().count() > width && !last.is_empty() {
            lines.push(word.to_owned());
        } else {
            *last += if last.is_empty() { "" } else { " " };
            *last += word;
        }
    }
    lines
}

/// Where the vjp of an op is written.
fn vjp_place(trace: &Trace, op: &str) -> String {
    trace.rules.get(op).map_or(String::new(), |rule| place(&rule.source.file, rule.source.vjp.line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_and_little_room() {
        let told = [0.0, 1.0, -0.93123, 123.456, 0.0123456, 5e-9, 12345.0, -2.5e-13].map(number);
        assert_eq!(told, ["0", "1.00", "-0.931", "123", "0.0123", "5.0e-9", "1.2e4", "-2.5e-13"]);
    }

    #[test]
    fn long_lines_are_cut_between_words() {
        assert_eq!(wrapped("one two three", 8), ["one two", "three"]);
        assert_eq!(wrapped("", 8), [""]);
        assert_eq!(wrapped("unbreakable", 4), ["unbreakable"]);
    }
}
