//! `--why PARAMETER[i,j]`: which tokens made this entry of a gradient, and through which steps?
//!
//! ```text
//! y = x·W     W̄[i, j] = Σₙ x[n, i]·ȳ[n, j]        a term a token
//! ```

use super::lines::{number, place, short, wrapped};
use super::show::levels;
use crate::error::{Error, Result};
use crate::trace::record::{Contribution, Recording};
use crate::trace::schema::{Node, Step, Trace};
use autograd::Tensor;

/// An entry of a parameter.
#[derive(Debug, PartialEq)]
struct Entry {
    node: usize,
    index: Vec<usize>,
}

/// The answer, in lines.
///
/// # Errors
/// If there is no such parameter, or no such entry of it.
pub fn why(question: &str, recording: &Recording, trace: &Trace) -> Result<String> {
    let entry = entry(question, trace)?;
    let parameter = &trace.nodes[entry.node];
    let gradient = recording.gradients.get(recording.tape.var(entry.node));
    let whole = gradient.map_or(0.0, |gradient| gradient.at(&entry.index));
    let mut text = format!("∂loss/∂{}{:?} = {whole:.6e}\n", short(&parameter.name), entry.index);
    for (step, contribution) in steps_to(recording, trace, entry.node) {
        let node = &trace.nodes[contribution.from];
        text += &format!(
            "\nstep {step} (on the page #k={}): %{} {} in {}, {}: {:.6e}\n",
            step + 1, // how many steps are done
            contribution.from,
            node.op,
            trace.scopes[node.scope],
            place(&node.call.file, node.call.line),
            contribution.delta.at(&entry.index)
        );
        text += &terms(&entry, contribution, recording, trace);
        let column = if node.op == "matmul_tb" { entry.index[0] } else { *entry.index.last().unwrap_or(&0) };
        text += &way(contribution.from, column, recording, trace);
    }
    Ok(text)
}

/// `h.0.attn.c_attn.weight[3,17]`, or `blocks.0.W_Q[3,17]`.
fn entry(question: &str, trace: &Trace) -> Result<Entry> {
    let wrong = |what: String, way_out: String| Error::new(what).at("--why").way_out(way_out);
    let example =
        || "ask for example: --why blocks.0.W_Q[3,17], or --why h.0.mlp.c_fc.weight[3,17]".to_owned();
    let parts = question.trim_end_matches(']').split_once('[');
    let (name, index) = parts.ok_or_else(|| wrong(format!("{question:?} names no entry"), example()))?;
    let index: Option<Vec<usize>> = index.split(',').map(|number| number.trim().parse().ok()).collect();
    let mut index = index.ok_or_else(|| wrong(format!("{question:?} names no entry"), example()))?;
    let mut name = name.to_owned();
    let part = ["W_Q", "W_K", "W_V"].iter().position(|part| name.ends_with(part));
    if let Some(block) = name.strip_prefix("blocks.").and_then(|rest| rest.split('.').next()) {
        name = format!("h.{block}.attn.c_attn.weight");
    }
    let known = |node: &Node| !node.name.is_empty() && (node.name == name || short(&node.name) == name);
    let node = trace.nodes.iter().position(known).ok_or_else(|| {
        let names: Vec<&str> =
            trace.nodes.iter().map(|node| short(&node.name)).filter(|name| !name.is_empty()).collect();
        wrong(format!("there is no parameter {name}"), format!("name one of {}", names.join(", ")))
    })?;
    let shape = &trace.nodes[node].shape;
    if let (Some(part), [_, column]) = (part, &mut index[..]) {
        let (d, kept) = (shape[0], (shape[1] - shape[0]) / 2); // keys and values may have fewer heads than queries
        let width = if part == 0 { d } else { kept };
        if *column >= width {
            return Err(wrong(
                format!("column {column} of a matrix [{d}, {width}]"),
                format!("give one below {width}"),
            ));
        }
        *column += [0, d, d + kept][part];
    }
    if index.len() != shape.len() || index.iter().zip(shape).any(|(index, size)| index >= size) {
        return Err(wrong(
            format!("{index:?} is no entry of {shape:?}"),
            format!("give {} numbers, each below the size of its axis", shape.len()),
        ));
    }
    Ok(Entry { node, index })
}

/// The steps that contribute to a node, with their numbers.
fn steps_to<'a>(recording: &'a Recording, trace: &Trace, node: usize) -> Vec<(usize, &'a Contribution)> {
    let first = trace.steps.iter().position(|step| matches!(step, Step::Backward(_))).unwrap_or(0);
    let numbered = recording.contributions.iter().enumerate().map(|(i, step)| (first + i, step));
    numbered.filter(|(_, step)| step.to == node).collect()
}

/// One term a token.
fn terms(entry: &Entry, step: &Contribution, recording: &Recording, trace: &Trace) -> String {
    let tape = &recording.tape;
    let (node, nodes) = (&trace.nodes[step.from], &trace.nodes);
    let Some(dy) = recording.gradients.get(tape.var(step.from)) else { return String::new() };
    let x = |slot: usize| tape.var(nodes[step.from].inputs[slot]).value();
    let rows = recording.batch.length;
    let at = |t: &Tensor<f64>, row: usize, column: usize| t.data()[row * t.numel() / rows + column];
    let (i, j) = (entry.index[0], entry.index.last().copied().unwrap_or(0));
    let formula;
    let factors: Vec<(f64, f64)> = match node.op.as_str() {
        "matmul" => {
            formula = format!("x[n, {i}]·ȳ[n, {j}], x = %{}, y = %{}", node.inputs[0], step.from);
            (0..rows).map(|n| (at(&x(0), n, i), at(dy, n, j))).collect()
        }
        "matmul_tb" => {
            formula = format!("x[n, {j}]·ȳ[n, {i}], x = %{}, y = %{}", node.inputs[0], step.from);
            (0..rows).map(|n| (at(&x(0), n, j), at(dy, n, i))).collect()
        }
        "mul" => {
            formula = format!("x[n, {i}]·ȳ[n, {i}], x = %{}, y = %{}", node.inputs[0], step.from);
            (0..rows).map(|n| (at(&x(0), n, i), at(dy, n, i))).collect()
        }
        "gather" => {
            let of_tokens = entry.node == 0;
            formula = format!("ȳ[n, {j}] where row {i} was taken, y = %{}", step.from);
            let taken = |n: usize| if of_tokens { recording.batch.x[n] == i } else { n == i };
            (0..rows).map(|n| (f64::from(u8::from(taken(n))), at(dy, n, j))).collect()
        }
        "add" => {
            formula = format!("ȳ[n, {i}], y = %{}", step.from);
            (0..rows).map(|n| (1.0, at(dy, n, i))).collect()
        }
        _ => return String::new(),
    };
    let mut text =
        format!("  = Σₙ {formula}\n  {:>5} {:<8} {:>10} {:>10} {:>10}\n", "n", "token", "x", "ȳ", "x·ȳ");
    let mut sum = 0.0;
    for (n, (x, dy)) in factors.into_iter().enumerate().filter(|(_, (x, _))| *x != 0.0) {
        let token = format!("{:?}", trace.tokens[n].text);
        text += &format!("  {n:>5} {token:<8} {:>10} {:>10} {:>10}\n", number(x), number(dy), number(x * dy));
        sum += x * dy;
    }
    text + &format!("  {:>5} {:<8} {:>10} {:>10} {:>10}\n", "", "sum", "", "", number(sum))
}

/// The steps by which one column of ȳ of a node came back from the loss, a line a scope.
fn way(node: usize, column: usize, recording: &Recording, trace: &Trace) -> String {
    let columns = trace.nodes[node].shape.last().copied().unwrap_or(1);
    let carries = |step: &Contribution| {
        step.to == node && step.delta.data().iter().skip(column).step_by(columns).any(|delta| *delta != 0.0)
    };
    let mut after = vec![false; trace.nodes.len()]; // what this column reached on its way to the loss
    recording.contributions.iter().filter(|step| carries(step)).for_each(|step| after[step.from] = true);
    for (index, other) in trace.nodes.iter().enumerate() {
        after[index] |= other.inputs.iter().any(|&input| after[input]);
    }
    let first = trace.steps.len() - recording.parameters.len() - recording.contributions.len();
    let on_way = |step: &Contribution| after[step.from] && (after[step.to] || carries(step));
    let mut scopes: Vec<(String, Vec<(usize, &str)>)> = Vec::new();
    for (i, step) in recording.contributions.iter().enumerate().filter(|(_, step)| on_way(step)) {
        let from = &trace.nodes[step.from];
        let scope = levels(&trace.scopes[from.scope]).join(".");
        match scopes.last_mut() {
            Some((last, steps)) if *last == scope => steps.push((first + i, &from.op)),
            _ => scopes.push((scope, vec![(first + i, &from.op)])),
        }
    }
    let mut text = format!("  column {column} of ȳ came back to %{node} through the steps\n");
    for (scope, steps) in scopes {
        let ops: Vec<&str> = steps.iter().map(|(_, op)| *op).collect();
        let (start, end) = (steps[0].0, steps[steps.len() - 1].0);
        for (i, ops) in wrapped(&squeezed(&ops), 60).into_iter().enumerate() {
            let head = if i == 0 { format!("{start:>5} … {end:<5} {scope:<20}") } else { " ".repeat(34) };
            text += &format!("  {head} {ops}\n");
        }
    }
    text
}

/// `slice × 3, reshape`
fn squeezed(ops: &[&str]) -> String {
    let mut told: Vec<(&str, usize)> = Vec::new();
    for op in ops {
        match told.last_mut() {
            Some((last, number)) if last == op => *number += 1,
            _ => told.push((op, 1)),
        }
    }
    let words = told.iter().map(|(op, n)| if *n > 1 { format!("{op} × {n}") } else { (*op).to_owned() });
    words.collect::<Vec<_>>().join(", ")
}
