//! The lines on paper or on a terminal: in columns that fit, under headings by scope, identical blocks folded.

use super::super::screen::thousands;
use super::lines::{Line, Part, lines, number, part};
use super::subject::TRAINED_ELSEWHERE;
use crate::trace::blob::decode;
use crate::trace::schema::{Blob, Step, Trace};
use console::{Term, style};

/// How much to show.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// How many levels of scopes are open; the steps below are counted in one line, and identical blocks are shown
    /// once. `None`: everything.
    pub depth: Option<usize>,
    /// Whether to show the first numbers of each tensor.
    pub values: bool,
    /// Whether to walk back and update as well.
    pub backward: bool,
    /// The columns of the terminal.
    pub columns: usize,
}

impl Look {
    /// Whether there is room for more than the least.
    pub fn wide(&self) -> bool {
        self.columns >= 100
    }
}

/// The width of the terminal, or 100 where there is none.
pub fn columns() -> usize {
    let term = Term::stdout();
    let size = term.size_checked().filter(|_| term.is_term());
    size.map_or(100, |(_, columns)| usize::from(columns)).max(60)
}

/// The whole trace as text.
pub fn text(trace: &Trace, look: &Look) -> String {
    let all = lines(trace, look.wide());
    let mut text = head(trace);
    for of in [Part::Forward, Part::Backward, Part::Update] {
        if of == Part::Forward || look.backward {
            let these: Vec<&Line> = all.iter().filter(|line| part(&trace.steps[line.step]) == of).collect();
            text += &section(of, &these, trace, look);
        }
    }
    text + &foot(trace, look)
}

fn head(trace: &Trace) -> String {
    let run = &trace.run;
    let trained = match run.updates {
        0 if run.source.ends_with(TRAINED_ELSEWHERE) => String::new(),
        0 => ", which has learned nothing yet".to_owned(),
        updates => format!(", after {} updates", thousands(updates as f64)),
    };
    let seen: String = trace.tokens.iter().map(|token| token.text.as_str()).collect();
    let last = trace.targets.last().map_or("", |token| token.text.as_str());
    let dims: Vec<String> = trace.dims.iter().map(|dim| format!("{} {}", dim.name, dim.size)).collect();
    let mut text = format!("{}{trained}\n", run.source);
    text += &format!("it sees {seen:?}; the token after each is asked for, after the last {last:?}\n");
    text += &format!("axes: {}\n", dims.join(", "));
    match run.path.as_str() {
        "fused" => text += "computed by the fused ops, which training runs\n",
        "dropout" => text += "computed with dropout, which drops the same entries every time\n",
        _ => {}
    }
    if let Some(planted) = &run.planted {
        text += &format!("a wrong rule is planted: {planted}\n");
    }
    text
}

/// What is done, what it was done to, and with what result, before the numbers and after.
fn foot(trace: &Trace, look: &Look) -> String {
    let run = &trace.run;
    let mut text = format!(
        "\nloss {:.4} nats a token\n{} parameters, {} FLOPs forward, {} bytes of values at {}\n",
        run.loss,
        thousands(run.parameters as f64),
        thousands(run.flops as f64),
        thousands(run.bytes as f64),
        run.dtype
    );
    if !look.backward {
        return text + "walk back with --backward\n";
    }
    text += &format!(
        "gradient norm {}, clipped by × {}; learning rate {}\n",
        number(run.gradient_norm),
        number(trace.adamw.clip),
        number(run.learning_rate)
    );
    if run.checked == 0 {
        return text + "nothing was checked\n";
    }
    let contributions = trace.steps.iter().filter(|step| matches!(step, Step::Backward(_))).count();
    text += &format!(
        "checked: {contributions} contributions, each by itself,\nand {} of {} entries of gradients, three ways\n",
        thousands(run.checked as f64),
        thousands(run.checkable as f64)
    );
    text + &verdict(trace)
}

fn verdict(trace: &Trace) -> String {
    if trace.ok {
        return format!("{}\n", style("all agree").green());
    }
    let Some(broken) = &trace.first_broken else {
        return format!("{}\n", style("WRONG: an entry of a gradient").red());
    };
    let node = &trace.nodes[broken.node];
    let words = format!(
        "WRONG, first at %{} {} in {}: {}",
        broken.node, node.op, trace.scopes[node.scope], broken.why
    );
    format!("{}\n", style(words).red())
}

fn section(of: Part, lines: &[&Line], trace: &Trace, look: &Look) -> String {
    let columns = Columns::of(of, look.columns);
    let checked = match (trace.run.checked > 0, look.wide()) {
        (true, true) => "checked        rule",
        (true, false) => "checked",
        (false, true) => "               rule",
        (false, false) => "",
    };
    let titles = match of {
        Part::Forward => ["forward", "", "rms", "asked for in"],
        Part::Backward => ["backward", "", "norm", checked],
        Part::Update => ["update", "", "moved by", "‖g‖      decay"],
    };
    let mut text = format!("\n{}\n", style(columns.title(titles)).bold());
    let mut at = 0;
    while at < lines.len() {
        let block = levels(&lines[at].scope)[0].clone();
        let length = lines[at..].iter().take_while(|line| levels(&line.scope)[0] == block).count();
        let number = if look.depth.is_none() { 1 } else { alike(&lines[at..], length) };
        let last = &levels(&lines[at + (number - 1) * length].scope)[0];
        let heading = if number > 1 { format!("{block} … {last}  × {number}") } else { block };
        text += &group(&heading, &lines[at..at + length], &columns, trace, look);
        at += number * length;
    }
    text
}

/// How many blocks of `length` lines follow one another that differ in their numbers alone.
fn alike(lines: &[&Line], length: usize) -> usize {
    let same = |block: &[&Line]| {
        let scope = |line: &Line| levels(&line.scope)[1..].to_vec();
        let inside = block.len() == length && levels(&block[0].scope)[0] != levels(&lines[0].scope)[0];
        inside
            && block.iter().zip(lines).all(|(one, other)| {
                one.signature == other.signature
                    && scope(one) == scope(other)
                    && levels(&one.scope)[0] == levels(&block[0].scope)[0]
            })
    };
    let ends = |from: usize| {
        let next = lines.get(from + length);
        next.is_none_or(|next| levels(&next.scope)[0] != levels(&lines[from].scope)[0])
    };
    let repeated = (1..).map(|i| i * length).take_while(|&from| from + length <= lines.len());
    1 + repeated.take_while(|&from| same(&lines[from..from + length]) && ends(from)).count()
}

/// The lines of one block, under headings.
fn group(heading: &str, lines: &[&Line], columns: &Columns, trace: &Trace, look: &Look) -> String {
    let open = look.depth.unwrap_or(usize::MAX);
    let mut text = String::new();
    let mut path: Vec<String> = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let scope = levels(&lines[at].scope);
        let closed = scope.len() > open || (scope[0] == "parameters" && look.depth.is_some());
        let shown = if closed { scope.len().min(open + 1) - 1 } else { scope.len() };
        for level in 0..shown {
            if path.get(level) != Some(&scope[level]) {
                let name = if level == 0 { heading } else { &scope[level] };
                text += &format!("{:indent$}{}\n", "", style(name).cyan(), indent = 2 * level);
                path.truncate(level);
                path.push(scope[level].clone());
            }
        }
        path.truncate(shown);
        if closed {
            let inside = |line: &&&Line| levels(&line.scope).starts_with(&scope[..=shown]);
            let number = lines[at..].iter().take_while(inside).count();
            let name = if shown == 0 { heading } else { &scope[shown] };
            text += &format!("{:indent$}{}  {number} steps\n", "", style(name).cyan(), indent = 2 * shown);
            at += number;
        } else {
            text += &line(lines[at], shown, columns);
            if look.values {
                text += &values(trace, lines[at], columns.width);
            }
            at += 1;
        }
    }
    text
}

/// One line, its check in colour.
fn line(line: &Line, depth: usize, columns: &Columns) -> String {
    let set = columns.set(&line.step.to_string(), depth, &line.cells);
    match line.wrong {
        true => format!("{}\n", style(set).red()),
        false => set.replace('✓', &style("✓").green().to_string()) + "\n",
    }
}

/// The first numbers of what a step computes.
fn values(trace: &Trace, line: &Line, width: usize) -> String {
    let blob: &Blob = match &trace.steps[line.step] {
        Step::Forward { node } => &trace.nodes[*node].value,
        Step::Backward(contribution) => &contribution.delta,
        _ => return String::new(),
    };
    let fits = (width.saturating_sub(10) / 9).max(1);
    let all = decode(&trace.data[blob.data]);
    let numbers: Vec<String> =
        all.iter().take(fits).map(|&x| format!("{:>8}", number(f64::from(x)))).collect();
    let more = if all.len() > fits { " …" } else { "" };
    format!("{:8}{}\n", "", style(numbers.join(" ") + more).dim())
}

/// `blocks.0.attention` → `blocks.0`, `attention`; what is outside every scope is in one called `outside`.
pub fn levels(scope: &str) -> Vec<String> {
    let mut levels: Vec<String> = Vec::new();
    for part in scope.split('.') {
        match levels.last_mut() {
            Some(last) if part.parse::<usize>().is_ok() => *last = format!("{last}.{part}"),
            _ if part.is_empty() => levels.push("outside".to_owned()),
            _ => levels.push(part.to_owned()),
        }
    }
    levels
}

/// The columns of a section: step, what, shapes, size, rest.
pub struct Columns {
    what: usize,
    shapes: usize,
    rest: usize,
    width: usize,
}

const STEP: usize = 4;
const SIZE: usize = 8;
/// Two levels of scopes.
const INDENT: usize = 4;

impl Columns {
    /// Of a section, on a terminal of this width.
    pub fn of(part: Part, width: usize) -> Self {
        let wide = width >= 100;
        let (what, rest) = match part {
            Part::Forward if wide => (22, 16),
            Part::Forward => (11, 15),
            Part::Backward if wide => (23, 32),
            Part::Backward => (23, 14),
            Part::Update => (6, 14),
        };
        let taken = INDENT + STEP + 1 + what + 1 + 1 + SIZE + 1 + rest;
        Columns { what, shapes: width.saturating_sub(taken).clamp(12, 44), rest, width }
    }

    /// What the columns hold; the section's name stands at the margin.
    fn title(&self, [name, what, size, rest]: [&str; 4]) -> String {
        let set = self.set("", 0, &[String::new(), what.to_owned(), size.to_owned(), rest.to_owned()]);
        let margin: String = set.chars().skip(name.chars().count()).collect();
        name.to_owned() + &margin
    }

    /// The cells in their columns; at less depth the shapes begin where they would at more.
    pub fn set(&self, step: &str, depth: usize, [what, shapes, size, rest]: &[String; 4]) -> String {
        let depth = (2 * depth).min(INDENT);
        let what = fit(what, self.what + INDENT - depth);
        let (shapes, rest) = (fit(shapes, self.shapes), cut(rest, self.rest));
        let line = format!("{:depth$}{step:>STEP$} {what} {shapes} {size:>SIZE$} {rest}", "");
        line.trim_end().to_owned()
    }
}

/// Padded to `width`, or cut.
fn fit(text: &str, width: usize) -> String {
    format!("{:<width$}", cut(text, width))
}

fn cut(text: &str, width: usize) -> String {
    match text.chars().count() <= width {
        true => text.to_owned(),
        false => text.chars().take(width - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_s_number_belongs_to_its_level() {
        assert_eq!(levels("blocks.11.attention"), ["blocks.11", "attention"]);
        assert_eq!(levels("head.norm"), ["head", "norm"]);
        assert_eq!(levels(""), ["outside"]);
    }

    fn told(scope: &str, signature: &str) -> Line {
        let (scope, signature) = (scope.to_owned(), signature.to_owned());
        Line { step: 0, scope, signature, cells: Default::default(), wrong: false }
    }

    #[test]
    fn blocks_are_folded_as_long_as_they_are_alike() {
        let mut lines = Vec::new();
        for block in 0..3 {
            lines.push(told(&format!("blocks.{block}"), "add"));
            lines.push(told(&format!("blocks.{block}.mlp"), "gelu"));
        }
        lines.push(told("head", "matmul"));
        assert_eq!(alike(&lines.iter().collect::<Vec<_>>(), 2), 3);
        lines[5].signature = "relu".to_owned();
        assert_eq!(alike(&lines.iter().collect::<Vec<_>>(), 2), 2);
        lines[4] = told("blocks.2", "mul");
        lines.insert(4, told("blocks.1", "add"));
        assert_eq!(alike(&lines.iter().collect::<Vec<_>>(), 2), 1, "the second block is longer");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let long = |n: usize| "x".repeat(n);
        for width in [80, 100, 140] {
            for part in [Part::Forward, Part::Backward, Part::Update] {
                let set = Columns::of(part, width).set(
                    "1234",
                    2,
                    &[long(50), long(90), "-2.5e-13".into(), long(40)],
                );
                assert!(set.chars().count() <= width, "{} in {width}", set.chars().count());
            }
        }
    }
}
