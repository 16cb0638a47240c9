//! `--step`: through the steps with the keyboard, one at a time.
//!
//! What is on the screen is a function of the step's number alone, so one can go back as well as on.

use super::lines::{Line, lines, number, place, shape, short};
use crate::error::{Error, Result};
use crate::trace::blob::decode;
use crate::trace::schema::{Step, Trace};
use console::{Key, Term, measure_text_width, style};

const KEYS: &str = "→ or n: next   ← or b: back   g: go to   Home, End   q: quit";

/// Lets the reader walk.
///
/// # Errors
/// If there is no terminal.
pub fn walk(trace: &Trace) -> Result<()> {
    let term = Term::stdout();
    if !term.is_term() || !console::user_attended() {
        return Err(Error::new("there is no terminal to walk on")
            .at("--step")
            .way_out("leave the flag out to print all steps, or run it in a terminal"));
    }
    let failed = |error: std::io::Error| Error::io("use", "the terminal", &error);
    let mut at = 0;
    loop {
        let (rows, columns) = term.size();
        term.clear_screen().map_err(failed)?;
        term.write_str(&screen(trace, at, usize::from(rows), usize::from(columns))).map_err(failed)?;
        let key = term.read_key().map_err(failed)?;
        let typed = match key {
            Key::Char('g') => {
                term.write_str("\ngo to step: ").map_err(failed)?;
                term.read_line().map_err(failed)?.trim().parse().ok()
            }
            _ => None,
        };
        match next(&key, at, trace.steps.len(), typed) {
            Some(step) => at = step,
            None => break term.write_line("").map_err(failed),
        }
    }
}

/// The step that a key leads to; `None` to quit.
fn next(key: &Key, at: usize, steps: usize, typed: Option<usize>) -> Option<usize> {
    let last = steps - 1;
    match key {
        Key::Char('q') | Key::Escape | Key::CtrlC => None,
        Key::ArrowRight | Key::ArrowDown | Key::Enter | Key::Char('n' | ' ') => Some((at + 1).min(last)),
        Key::ArrowLeft | Key::ArrowUp | Key::Backspace | Key::Char('b' | 'p') => Some(at.saturating_sub(1)),
        Key::PageDown => Some((at + 10).min(last)),
        Key::PageUp => Some(at.saturating_sub(10)),
        Key::Home => Some(0),
        Key::End => Some(last),
        Key::Char('g') => Some(typed.unwrap_or(at).min(last)),
        _ => Some(at),
    }
}

/// What is on the screen at a step: the steps around it, and the step itself in full.
fn screen(trace: &Trace, at: usize, rows: usize, columns: usize) -> String {
    let card = card(trace, at);
    let around = rows.saturating_sub(card.len() + 4).clamp(3, 15);
    let all = lines(trace, columns >= 100);
    let first = at.saturating_sub(around / 2).min(all.len().saturating_sub(around));
    let mut text = format!("step {at} of {}   {KEYS}\n", all.len() - 1);
    for line in &all[first..(first + around).min(all.len())] {
        text += &listed(line, line.step == at, columns);
    }
    text.push('\n');
    let fits = |line: &String| -> String {
        match measure_text_width(line) < columns {
            true => line.clone(),
            false => line.chars().take(columns.saturating_sub(2)).chain(['…']).collect(),
        }
    };
    text + &card.iter().map(fits).collect::<Vec<_>>().join("\n")
}

fn listed(line: &Line, here: bool, columns: usize) -> String {
    let [what, shapes, size, _] = &line.cells;
    let scope = if line.scope.is_empty() { "outside" } else { &line.scope };
    let text = format!(
        "{} {:>4} {scope:<20} {what:<23} {size:>8} {shapes}",
        if here { '>' } else { ' ' },
        line.step
    );
    let text: String = text.chars().take(columns - 1).collect();
    match here {
        true => format!("{}\n", style(text).reverse()),
        false => format!("{text}\n"),
    }
}

/// The step in full: what it does, the formula, where it is written, numbers.
fn card(trace: &Trace, at: usize) -> Vec<String> {
    match &trace.steps[at] {
        Step::Forward { node } => forward(trace, *node),
        Step::Seed { node } => vec![
            format!("The walk back begins at %{node}, the loss = {:.6}.", trace.run.loss),
            "∂loss/∂loss = 1".to_owned(),
        ],
        Step::Backward(contribution) => backward(trace, contribution),
        Step::Update(update) => {
            let at = |data: usize| f64::from(decode(&trace.data[data])[0]);
            vec![
                format!("AdamW moves {}.", short(&trace.nodes[update.node].name)),
                "p ← p − η·(λ·p + m̂/(√v̂ + ε))".to_owned(),
                format!(
                    "its first number: {} → {}   gradient {}, m {}, v {}",
                    number(at(update.before)),
                    number(at(update.after)),
                    number(at(update.gradient)),
                    number(at(update.m)),
                    number(at(update.v))
                ),
            ]
        }
    }
}

fn forward(trace: &Trace, index: usize) -> Vec<String> {
    let node = &trace.nodes[index];
    let mut card = Vec::new();
    match trace.rules.get(&node.op) {
        Some(rule) => {
            card.push(rule.sentence.clone());
            card.push(format!("{}   {}", style(&rule.forward).bold(), node.details));
            card.push(format!("rule: {}", place(&rule.source.file, rule.source.forward.line)));
        }
        None if node.name.is_empty() => card.push("A constant: data, or a number.".to_owned()),
        None => card.push(format!("The parameter {}.", node.name)),
    }
    card.push(format!("call: {}   {}", place(&node.call.file, node.call.line), call_text(trace, index)));
    let inputs: Vec<String> =
        node.inputs.iter().map(|&i| format!("%{i} {}", shape(&trace.nodes[i]))).collect();
    card.push(format!("from {} to {} = {:?}", inputs.join(", "), shape(node), node.shape));
    card.push(leading(trace, node.value.data));
    card
}

fn backward(trace: &Trace, what: &crate::trace::schema::Contribution) -> Vec<String> {
    let (node, to) = (&trace.nodes[what.node], &trace.nodes[what.to]);
    let mut card = Vec::new();
    if let Some(rule) = trace.rules.get(&node.op) {
        let formula = rule.vjp.get(what.slot).or(rule.vjp.first()).cloned().unwrap_or_default();
        card.push(rule.words.clone());
        card.push(format!("{}   for input {} of %{}", style(formula).bold(), what.slot, what.node));
        card.push(format!("rule: {}", place(&rule.source.file, rule.source.vjp.line)));
    }
    let arrived = if what.accumulate { "added to what has arrived there" } else { "the first to arrive" };
    card.push(format!("to %{} {} {}: {arrived}", what.to, shape(to), short(&to.name)));
    card.push(leading(trace, what.delta.data));
    if let Some(check) = &what.check {
        card.push(format!(
            "along a random direction: {:.12} by the vjp, {:.12} by dual numbers: {}",
            check.reverse, check.forward, check.verdict
        ));
    }
    card
}

fn leading(trace: &Trace, data: usize) -> String {
    let numbers = decode(&trace.data[data]);
    let first: Vec<String> = numbers.iter().take(8).map(|&x| number(f64::from(x))).collect();
    format!("{}{}", first.join("  "), if numbers.len() > 8 { "  …" } else { "" })
}

fn call_text(trace: &Trace, index: usize) -> &str {
    let call = &trace.nodes[index].call;
    crate::trace::sources::line(&call.file, call.line).unwrap_or("")
}
