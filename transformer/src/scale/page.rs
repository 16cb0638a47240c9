//! The page: the losses on logarithmic axes, the law, the envelope, the floor, the prediction; one file, offline.

use super::fit::Law;
use super::record::{Run, Scaling};
use crate::chart::{Axis, Line, escape, number, svg};
use crate::error::Result;
use crate::files::write_atomically;
use std::path::Path;

/// Writes the page.
///
/// # Errors
/// If the file cannot be written.
pub fn write(path: &Path, scaling: &Scaling) -> Result<()> {
    let page = html(scaling);
    write_atomically(path, |file| file.write_all(page.as_bytes()))
}

/// The page as HTML.
pub fn html(scaling: &Scaling) -> String {
    let plan = &scaling.plan;
    let charts = match scaling.runs.is_empty() {
        true => String::new(),
        false => [against_compute(scaling), against_tokens(scaling), against_parameters(scaling)].concat(),
    };
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width,initial-scale=1\"><title>Scale: {data}</title><style>{css}</style>\
         <h1>What more parameters and more tokens buy: {data}</h1>\
         <p>Rung r is a model of ⌈r/2⌉ layers, r heads, 16·r wide. N counts the weights of its layers, D the tokens it \
         was trained on, C the floating-point operations of training; losses are in nats per token, on a validation part \
         that all models share.</p>{law}{prediction}<h2>The runs</h2><div class=\"charts\">{charts}</div>{table}</html>",
        data = escape(&plan.data),
        css = include_str!("../page.css"),
        law = law(scaling),
        prediction = prediction(scaling),
        table = table(scaling),
    )
}

fn law(scaling: &Scaling) -> String {
    let Some(fit) = &scaling.fit else { return "<p>The fitted rungs are not all done yet.</p>".to_owned() };
    let Law { e, ln_a, alpha, ln_b, beta } = fit.law;
    let row = |name: &str, value: String, [low, high]: [f64; 2]| {
        format!("<tr><td>{name}<td class=n>{value}<td class=n>{} to {}", digits(low), digits(high))
    };
    let [ie, ia, ialpha, ib, ibeta] = fit.intervals;
    let floor = scaling.floor.map_or(String::new(), |floor| {
        let inside = if (ie[0]..=ie[1]).contains(&floor) { "lies inside" } else { "lies outside of" };
        format!(
            "<p>The corpus is made by a grammar, so the true floor is known: <b>{floor:.4}</b> nats per token, −ln p of the \
             validation part itself. The fitted E is {e:.4}, {:+.1} % off; the floor {inside} its interval.</p>",
            100.0 * (e / floor - 1.0)
        )
    });
    format!(
        "<h2>The law</h2><p>L(N, D) = E + A/N<sup>α</sup> + B/D<sup>β</sup> (Hoffmann et al. 2022, eq. 2), fitted to all \
         rungs but the last by a Huber loss on ln L (eq. 3). The intervals hold the middle 95 % of 200 fits to losses \
         with other residuals, drawn from those that there are.</p><div class=scroll><table><tr><th><th class=n>fitted<th class=n>95 %{}{}{}{}{}</table></div>\
         {floor}<p class=soft>The worst of the fitted runs is {:.1} % off the law.</p>",
        row("E", digits(e), ie),
        row("ln A", digits(ln_a), ia),
        row("α", digits(alpha), ialpha),
        row("ln B", digits(ln_b), ib),
        row("β", digits(beta), ibeta),
        100.0 * fit.worst_residual
    )
}

fn digits(x: f64) -> String {
    match x {
        x if (1e-3..10.0).contains(&x) => format!("{x:.4}"),
        x if (10.0..1e4).contains(&x) => format!("{x:.1}"),
        x => format!("{x:.2e}"),
    }
}

fn prediction(scaling: &Scaling) -> String {
    let rows = scaling.prediction.iter().map(|said| {
        let [low, high] = said.interval;
        let measured = said.measured.map_or("not run yet".to_owned(), |loss| format!("{loss:.4}"));
        let error = said.error().map_or(String::new(), |error| format!("{:+.2} %", 100.0 * error));
        format!(
            "<tr><td>rung {}, {} tokens<td class=n>{:.4}<td class=n>{low:.4} to {high:.4}<td class=n>{measured}<td class=n>\
             {error}",
            said.rung,
            number(said.tokens as f64),
            said.predicted
        )
    });
    let rows = rows.collect::<String>();
    if rows.is_empty() {
        return rows;
    }
    format!(
        "<h2>Said before it was run</h2><div class=scroll><table><tr><th><th class=n>predicted<th class=n>95 %<th class=n>\
         measured<th class=n>off by{rows}</table></div>"
    )
}

fn class(rung: usize) -> String {
    format!("c{}", (rung - 1) % 8)
}

/// Where the charts end below: the floor, or the lowest loss.
fn losses(scaling: &Scaling) -> impl Iterator<Item = f64> {
    let of = |run: &Run| run.curve.iter().map(|&(_, loss)| loss).chain([run.loss]).collect::<Vec<_>>();
    let highest = 4.0 * scaling.runs.iter().map(|run| run.loss).fold(f64::INFINITY, f64::min);
    let all: Vec<f64> = scaling.runs.iter().flat_map(of).chain(scaling.floor).collect();
    all.into_iter().filter(move |&loss| loss < highest)
}

fn floor_line(scaling: &Scaling, x: &Axis) -> Option<Line> {
    scaling.floor.map(|floor| Line {
        name: "floor".to_owned(),
        class: "ink dash".to_owned(),
        points: x.range.map(|x| (x, floor)).to_vec(),
        dots: false,
    })
}

fn figure(svg: &str, caption: &str) -> String {
    format!("<figure>{svg}<figcaption>{caption}</figcaption></figure>")
}

fn spread([low, high]: [f64; 2]) -> impl Iterator<Item = f64> {
    (0..=40).map(move |i| low * (high / low).powf(f64::from(i) / 40.0))
}

fn against_compute(scaling: &Scaling) -> String {
    let flops = scaling.runs.iter().flat_map(|run| {
        let each = run.flops / run.tokens as f64;
        run.curve.iter().map(move |&(tokens, _)| each * tokens as f64).chain([run.flops])
    });
    let x = Axis::log_around("training compute C, FLOPs", flops);
    let y = Axis::log_around("loss, nats per token", losses(scaling));
    let mut lines = Vec::new();
    for run in &scaling.runs {
        let each = run.flops / run.tokens as f64;
        let longest = scaling.plan.updates.iter().max() == Some(&run.updates);
        lines.push(Line {
            name: if longest { format!("rung {}, {} updates", run.rung, run.updates) } else { String::new() },
            class: format!("{} thin", class(run.rung)),
            // From the end backwards: the name stands at the beginning, where there is room.
            points: run.curve.iter().rev().map(|&(tokens, loss)| (each * tokens as f64, loss)).collect(),
            dots: false,
        });
        lines.push(dot(run, run.flops));
    }
    // A FLOP of the smallest rungs buys less than 1/6 of a parameter and token: the ratio of the runs is interpolated.
    let ratios: Vec<(f64, f64)> = scaling
        .runs
        .iter()
        .map(|run| (run.weights as f64, run.flops / (run.weights as f64 * run.tokens as f64)))
        .collect();
    if let Some(fit) = &scaling.fit {
        let envelope = spread([1e9, 1e18]).filter_map(|product| {
            let n = fit.law.best_size(product);
            Some((product * ratio(&ratios, n)?, fit.law.loss(n, product / n)))
        });
        lines.push(Line {
            name: "envelope, the lowest loss that the law allows at each compute".to_owned(),
            class: "ink".to_owned(),
            points: envelope.collect(),
            dots: false,
        });
    }
    lines.extend(floor_line(scaling, &x));
    let caption = "Thin lines: losses on the way, from a piece of the validation part, at a learning rate that has not come \
                   to its end. Dots: the ends of runs. Black: the compute-optimal envelope of the law.";
    figure(&svg("loss against compute", &x, &y, &lines), caption)
}

/// C/(N·D) at a size: between the two nearest rungs, on logarithmic axes; none outside of them.
fn ratio(ratios: &[(f64, f64)], n: f64) -> Option<f64> {
    let below = ratios.iter().filter(|(weights, _)| *weights <= n).max_by(|a, b| a.0.total_cmp(&b.0))?;
    let above = ratios.iter().filter(|(weights, _)| *weights >= n).min_by(|a, b| a.0.total_cmp(&b.0))?;
    let share = if above.0 > below.0 { (n / below.0).ln() / (above.0 / below.0).ln() } else { 0.0 };
    Some((below.1.ln() + share * (above.1 / below.1).ln()).exp())
}

fn dot(run: &Run, x: f64) -> Line {
    Line {
        name: format!("rung {}, {} tokens: {:.4}", run.rung, number(run.tokens as f64), run.loss),
        class: class(run.rung),
        points: vec![(x, run.loss)],
        dots: true,
    }
}

fn against_tokens(scaling: &Scaling) -> String {
    let x = Axis::log_around("tokens D", scaling.runs.iter().map(|run| run.tokens as f64));
    let y = Axis::log_around(
        "loss, nats per token",
        scaling.runs.iter().map(|run| run.loss).chain(scaling.floor),
    );
    let mut lines: Vec<Line> = scaling.runs.iter().map(|run| dot(run, run.tokens as f64)).collect();
    for rung in scaling.plan.rungs.iter().copied().chain([scaling.plan.held_out]) {
        let Some(fit) = &scaling.fit else { break };
        let predicted = if rung == scaling.plan.held_out { " dash" } else { "" };
        let n = super::ladder::weights(rung) as f64;
        lines.push(Line {
            name: format!("rung {rung}, the law"),
            class: format!("{}{predicted}", class(rung)),
            points: spread(x.range).map(|d| (d, fit.law.loss(n, d))).collect(),
            dots: false,
        });
    }
    lines.extend(scaling.prediction.iter().map(|said| Line {
        name: format!("predicted: {:.4}", said.predicted),
        class: format!("{} hollow", class(said.rung)),
        points: vec![(said.tokens as f64, said.predicted)],
        dots: true,
    }));
    lines.extend(floor_line(scaling, &x));
    let caption = "Dots: measured. Lines: the law. The dashed line and the hollow dot: what it said of the rung that it had \
                   not seen.";
    figure(&svg("loss against tokens", &x, &y, &lines), caption)
}

fn against_parameters(scaling: &Scaling) -> String {
    let x = Axis::log_around("weights of the layers N", scaling.runs.iter().map(|run| run.weights as f64));
    let y = Axis::log_around(
        "loss, nats per token",
        scaling.runs.iter().map(|run| run.loss).chain(scaling.floor),
    );
    let mut lines: Vec<Line> = scaling.runs.iter().map(|run| dot(run, run.weights as f64)).collect();
    for &updates in &scaling.plan.updates {
        let Some(fit) = &scaling.fit else { break };
        let Some(run) = scaling.runs.iter().find(|run| run.updates == updates) else { continue };
        let d = run.tokens as f64;
        lines.push(Line {
            name: format!("D = {}, the law", number(d)),
            class: "low".to_owned(),
            points: spread(x.range).map(|n| (n, fit.law.loss(n, d))).collect(),
            dots: false,
        });
    }
    lines.extend(floor_line(scaling, &x));
    figure(
        &svg("loss against parameters", &x, &y, &lines),
        "Dots: measured. Lines: the law, a line for each length.",
    )
}

fn table(scaling: &Scaling) -> String {
    let mut runs: Vec<&Run> = scaling.runs.iter().collect();
    runs.sort_by_key(|run| (run.rung, run.updates, run.seed));
    let rows: String = runs
        .iter()
        .map(|run| {
            let said = scaling.fit.as_ref().map_or(String::new(), |fit| {
                let law = fit.law.loss(run.weights as f64, run.tokens as f64);
                format!("{:+.2} %", 100.0 * (law / run.loss - 1.0))
            });
            format!(
                "<tr><td class=n>{}<td class=n>{}<td class=n>{}<td class=n>{}<td class=n>{:.2e}<td class=n>{:.4}<td class=n>\
                 {said}<td class=n>{:.0}",
                run.rung,
                number(run.weights as f64),
                number(run.parameters as f64),
                number(run.tokens as f64),
                run.flops,
                run.loss,
                run.seconds
            )
        })
        .collect();
    format!(
        "<div class=scroll><table><tr><th class=n>rung<th class=n>N<th class=n>all parameters<th class=n>D<th class=n>C<th \
         class=n>loss<th class=n>law off by<th class=n>seconds{rows}</table></div>"
    )
}
