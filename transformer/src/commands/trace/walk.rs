//! `--step`: through the steps with the keyboard, one at a time.
//!
//! What is on the screen is a function of the step's number alone, so one can go back as well as on.

use super::lines::{lines, number, part, place, shape, short, wrapped};
use super::show::Columns;
use crate::error::{Error, Result};
use crate::trace::blob::{decode, decode_wide};
use crate::trace::schema::{Contribution, Step, Trace};
use autograd::Shape;
use console::{Key, Term, style};

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
    let all = lines(trace, columns >= 100);
    let card: Vec<String> = card(trace, at).iter().flat_map(|line| wrapped(line, columns - 1)).collect();
    let around = rows.saturating_sub(card.len() + 5).clamp(3, 17);
    let first = at.saturating_sub(around / 2).min(all.len().saturating_sub(around));
    let mut text = format!("{KEYS}\n\n");
    for line in &all[first..(first + around).min(all.len())] {
        let set = Columns::of(part(&trace.steps[line.step]), columns - 1).set(
            &line.step.to_string(),
            0,
            &line.cells,
        );
        text += &match line.step == at {
            true => format!("{}\n", style(marked(&set, columns - 1)).reverse()),
            false => format!("{set}\n"),
        };
    }
    let scope = if all[at].scope.is_empty() { "outside" } else { &all[at].scope };
    text += &format!("\n{}\n", style(format!("step {at} of {}, {scope}", all.len() - 1)).bold());
    text + &card.join("\n")
}

/// A line that stands out without colours as well: a mark before its number, and spaces up to the end.
fn marked(line: &str, columns: usize) -> String {
    let line = line.strip_prefix(' ').unwrap_or(line);
    format!("{:<columns$}", format!(">{line}"))
}

/// The step in full: what it does, the formula, where it is written, numbers.
fn card(trace: &Trace, at: usize) -> Vec<String> {
    match &trace.steps[at] {
        Step::Forward { node } => forward(trace, *node),
        Step::Seed { node } => vec![
            format!("The walk back begins at %{node}, the loss = {:.6}.", trace.run.loss),
            "∂loss/∂loss = 1".to_owned(),
        ],
        Step::Backward(contribution) => backward(trace, at, contribution),
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
            let inputs: Vec<String> =
                node.inputs.iter().map(|&i| format!("%{i} {}", shape(&trace.nodes[i]))).collect();
            card.push(format!("from {} to {} = {:?}", inputs.join(" and "), shape(node), node.shape));
            card.push(format!("rule: {}", place(&rule.source.file, rule.source.forward.line)));
            let call = crate::trace::sources::line(&node.call.file, node.call.line).unwrap_or("");
            card.push(format!("call: {}   {call}", place(&node.call.file, node.call.line)));
        }
        None if node.name.is_empty() => card.push("A constant: data, or a number.".to_owned()),
        None => card.push(format!("The parameter {}, {} = {:?}.", node.name, shape(node), node.shape)),
    }
    card.push(format!("numbers  {}", leading(&decode(&trace.data[node.value.data]))));
    card
}

fn backward(trace: &Trace, at: usize, what: &Contribution) -> Vec<String> {
    let (node, to) = (&trace.nodes[what.node], &trace.nodes[what.to]);
    let mut card = Vec::new();
    if let Some(rule) = trace.rules.get(&node.op) {
        let formula = rule.vjp.get(what.slot).or(rule.vjp.first()).cloned().unwrap_or_default();
        card.push(rule.words.clone());
        card.push(format!("{}   for input {} of %{}", style(formula).bold(), what.slot, what.node));
        card.push(format!("rule: {}", place(&rule.source.file, rule.source.vjp.line)));
    }
    let delta = decode(&trace.data[what.delta.data]);
    let mut before = vec![0.0; delta.len()];
    let mut later = false;
    for (step, other) in trace.steps.iter().enumerate() {
        let Step::Backward(other) = other else { continue };
        if other.to == what.to && step < at {
            before.iter_mut().zip(decode(&trace.data[other.delta.data])).for_each(|(sum, x)| *sum += x);
        }
        later |= other.to == what.to && step > at;
    }
    let after: Vec<f32> = before.iter().zip(&delta).map(|(before, delta)| before + delta).collect();
    let name = if to.name.is_empty() { shape(to) } else { short(&to.name).to_owned() };
    card.push(format!("cotangent of %{} {name}", what.to));
    match what.accumulate {
        true => card.push(format!("before   {}", leading(&before))),
        false => card.push("before   nothing has arrived".to_owned()),
    }
    card.push(format!("+        {}", leading(&delta)));
    card.push(format!("= {}  {}", if later { "so far" } else { "done  " }, leading(&after)));
    if let Some(check) = &what.check {
        card.push(format!(
            "along a random direction: {:.9} by the vjp, {:.9} by dual numbers: {}",
            check.reverse, check.forward, check.verdict
        ));
    }
    if !later {
        card.extend(largest_checked(trace, what.to));
    }
    card
}

/// The largest of a node's entries that were checked, three ways.
fn largest_checked(trace: &Trace, node: usize) -> Option<String> {
    let checks = trace.checks.iter().find(|checks| checks.node == node)?;
    let values = decode_wide(&trace.data[checks.values]);
    let size = |i: &usize| values[3 * i].abs();
    let i = (0..checks.entries.len()).max_by(|a, b| size(a).total_cmp(&size(b)))?;
    let strides = Shape::from(&trace.nodes[node].shape[..]).strides();
    let shape = &trace.nodes[node].shape;
    let index: Vec<usize> =
        strides.iter().zip(shape).map(|(stride, size)| checks.entries[i] / stride % size).collect();
    Some(format!(
        "entry {index:?}: {:.9} walking back, {:.9} by dual numbers, {:.9} by differences: {}",
        values[3 * i],
        values[3 * i + 1],
        values[3 * i + 2],
        trace.verdicts[checks.verdicts[i]]
    ))
}

fn leading(numbers: &[f32]) -> String {
    let first: Vec<String> =
        numbers.iter().take(6).map(|&x| format!("{:>8}", number(f64::from(x)))).collect();
    format!("{}{}", first.join(" "), if numbers.len() > 6 { " …" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_the_step_stands_out_without_colours_too() {
        assert_eq!(marked("    21 gather", 16), ">   21 gather   ");
        assert_eq!(marked("123456 gather", 8), ">123456 gather", "a number that leaves no room for the mark");
    }

    #[test]
    fn keys_lead_on_back_to_both_ends_and_to_a_number_and_never_out_of_the_trace() {
        let to = |key: Key, at: usize| next(&key, at, 10, Some(7));
        assert_eq!(
            [Key::ArrowRight, Key::Enter, Key::Char('n'), Key::Char(' ')].map(|key| to(key, 3)),
            [Some(4); 4]
        );
        assert_eq!([Key::ArrowLeft, Key::Backspace, Key::Char('b')].map(|key| to(key, 3)), [Some(2); 3]);
        assert_eq!(
            (to(Key::ArrowRight, 9), to(Key::ArrowLeft, 0), to(Key::PageDown, 5)),
            (Some(9), Some(0), Some(9))
        );
        assert_eq!((to(Key::Home, 5), to(Key::End, 5), to(Key::Char('g'), 5)), (Some(0), Some(9), Some(7)));
        assert_eq!(next(&Key::Char('g'), 5, 10, Some(99)), Some(9));
        assert_eq!(next(&Key::Char('g'), 5, 10, None), Some(5), "a number that is none leads nowhere");
        assert_eq!([Key::Char('q'), Key::Escape].map(|key| to(key, 5)), [None; 2]);
    }
}
