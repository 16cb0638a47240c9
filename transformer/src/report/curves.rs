//! The charts of a run, and those of several runs.

use super::plot::{Curve, Plot};
use super::seen::Seen;
use crate::chart::Axis;
use crate::run_dir::metrics::Measurement;
use crate::train::layers::Layer;

/// How many colours there are.
const COLOURS: usize = 8;

/// A layer that moves by this part of itself in an update learns at a fitting rate: a rule of thumb.
const FITTING: f64 = 1e-3;

/// The charts of one run; none of what it has not measured.
pub fn of_one(run: &Seen) -> Vec<Plot> {
    let plots = [loss(run), learning_rate(run), gradient(run), gradients(run), updates(run), speed(run)];
    plots.into_iter().flatten().collect()
}

/// The charts of several runs, laid over one another.
pub fn of_several(runs: &[Seen]) -> Vec<Plot> {
    let same_updates = runs.iter().all(|run| tokens_per_update(run) == tokens_per_update(&runs[0]));
    let by_tokens = if same_updates { None } else { compared(runs, &LOSSES[0], true) };
    let mut plots: Vec<Plot> = LOSSES.iter().filter_map(|what| compared(runs, what, false)).collect();
    plots.splice(1.min(plots.len())..1.min(plots.len()), by_tokens);
    plots
}

fn updates_axis(lines: &[Measurement]) -> Axis {
    Axis::from_zero("updates", lines.iter().map(|line| line.step as f64))
}

/// The points of a figure that can stand on a logarithmic axis.
fn points(run: &Seen, of: impl Fn(&Measurement) -> Option<f64>) -> Vec<(f64, f64)> {
    let lines = run.metrics.iter().filter_map(|line| of(line).map(|y| (line.step as f64, y)));
    lines.filter(|(_, y)| y.is_finite() && *y > 0.0).collect()
}

/// The chart, unless nothing is on it.
fn plot(title: &str, caption: &str, x: Axis, label: &str, log: bool, curves: Vec<Curve>) -> Option<Plot> {
    let curves: Vec<Curve> = curves.into_iter().filter(|curve| !curve.points.is_empty()).collect();
    if curves.iter().all(|curve| curve.constant) {
        return None;
    }
    let values = curves.iter().flat_map(|curve| curve.points.iter().map(|point| point.1));
    let y = if log { Axis::log_around(label, values) } else { Axis::from_zero(label, values) };
    Some(Plot { title: title.to_owned(), caption: caption.to_owned(), x, y, curves })
}

fn loss(run: &Seen) -> Option<Plot> {
    let x = updates_axis(&run.metrics);
    let training = Curve::new("training", "", "c1 thin", points(run, |line| Some(line.train_loss)));
    let validation = points(run, |line| line.val_loss);
    let validation = Curve { dots: true, ..Curve::new("validation", "", "c6", validation) };
    let mut curves =
        vec![training, validation, Curve::constant("ln V, guessing", "ln V", run.guessing(), &x)];
    curves.extend(run.floor().map(|floor| Curve::constant("floor, the text's entropy", "floor", floor, &x)));
    let caption = "Falls steeply, then slowly. Validation that turns up while training falls: the text is being learned \
                   by heart. No lower than ln V: nothing is learned.";
    plot("Loss", caption, x, "nats per token", true, curves)
}

fn learning_rate(run: &Seen) -> Option<Plot> {
    let curve = Curve::new("learning rate", "", "c0", points(run, |line| Some(line.lr)));
    let caption = "Rises through the warm-up and falls to the end.";
    plot("Learning rate", caption, updates_axis(&run.metrics), "learning rate", false, vec![curve])
}

fn gradient(run: &Seen) -> Option<Plot> {
    let x = updates_axis(&run.metrics);
    let mut curves =
        vec![Curve::new("‖g‖, before clipping", "", "c3", points(run, |line| Some(line.grad_norm)))];
    let clip = run.state.config.grad_clip;
    curves.extend((clip > 0.0).then(|| Curve::constant("clipped from here on", "clip", clip, &x)));
    let caption = "Steady or slowly falling. Single peaks are odd batches; growth over many updates comes before a loss \
                   that blows up: lower the learning rate.";
    plot("Gradient norm", caption, x, "norm", true, curves)
}

fn gradients(run: &Seen) -> Option<Plot> {
    let caption =
        "Of one order of magnitude: every layer hears the loss. A layer far below the others hardly learns.";
    let of = |layer: &Layer| f64::from(layer.grad_norm);
    by_layer(run, "Gradient norm by layer", caption, "norm", None, of)
}

fn updates(run: &Seen) -> Option<Plot> {
    let caption = "How far an update moves a layer, as a part of itself. Around 10⁻³ is a fitting rate, a \
                   rule of thumb; small models bear ten times that after the warm-up. It follows the learning rate.";
    by_layer(run, "Update to weight, by layer", caption, "‖Δp‖/‖p‖", Some(FITTING), Layer::update_ratio)
}

fn by_layer(
    run: &Seen,
    title: &str,
    caption: &str,
    label: &str,
    guide: Option<f64>,
    of: impl Fn(&Layer) -> f64,
) -> Option<Plot> {
    let lines = run.layers.as_ref()?;
    let names: Vec<&str> = lines.first()?.layers.iter().map(|layer| layer.name.as_str()).collect();
    let named_every = names.len().div_ceil(COLOURS);
    let curve = |(i, &name): (usize, &&str)| {
        let at = lines.iter().filter_map(|line| {
            let layer = line.layers.iter().find(|layer| layer.name == name)?;
            Some((line.step as f64, of(layer)))
        });
        let points = at.filter(|(_, y)| y.is_finite() && *y > 0.0).collect();
        let short = if i % named_every == 0 || i + 1 == names.len() { name } else { "" };
        Curve::new(name, short, &format!("c{} thin", i * COLOURS / names.len()), points)
    };
    let x = updates_axis(&run.metrics);
    let mut curves: Vec<Curve> = names.iter().enumerate().map(curve).collect();
    curves.extend(guide.map(|guide| Curve::constant("rule of thumb", "", guide, &x)));
    plot(title, caption, x, label, true, curves)
}

fn speed(run: &Seen) -> Option<Plot> {
    let curve = Curve::new("tokens per second", "", "c2", points(run, |line| Some(line.tokens_per_second)));
    let caption = "Without evaluations. A dip is another program that wanted the processor, or the first update, which \
                   asks for the memory.";
    plot("Speed", caption, updates_axis(&run.metrics), "tokens per second", false, vec![curve])
}

/// A figure that runs are compared by.
struct Figure {
    title: &'static str,
    label: &'static str,
    log: bool,
    dots: bool,
    of: fn(&Measurement) -> Option<f64>,
}

const LOSSES: [Figure; 5] = [
    Figure {
        title: "Validation loss",
        label: "nats per token",
        log: true,
        dots: true,
        of: |line| line.val_loss,
    },
    Figure {
        title: "Training loss",
        label: "nats per token",
        log: true,
        dots: false,
        of: |line| Some(line.train_loss),
    },
    Figure { title: "Gradient norm", label: "norm", log: true, dots: false, of: |line| Some(line.grad_norm) },
    Figure {
        title: "Learning rate",
        label: "learning rate",
        log: false,
        dots: false,
        of: |line| Some(line.lr),
    },
    Figure {
        title: "Speed",
        label: "tokens per second",
        log: false,
        dots: false,
        of: |line| Some(line.tokens_per_second),
    },
];

fn tokens_per_update(run: &Seen) -> usize {
    run.state.config.tokens_per_update()
}

fn compared(runs: &[Seen], what: &Figure, by_tokens: bool) -> Option<Plot> {
    let scale = |run: &Seen| if by_tokens { tokens_per_update(run) as f64 } else { 1.0 };
    let curve = |(i, run): (usize, &Seen)| {
        let points = points(run, what.of).into_iter().map(|(x, y)| (x * scale(run), y)).collect();
        let stroke = ["", " dash", " dots"][i / COLOURS % 3];
        let class = format!("{}{}{stroke}", class_of(i), if what.dots { "" } else { " thin" });
        Curve { dots: what.dots, ..Curve::new(&run.name, "", &class, points) }
    };
    let label = if by_tokens { "tokens" } else { "updates" };
    let ends = runs.iter().filter_map(|run| run.last().map(|line| line.step as f64 * scale(run)));
    let x = Axis::from_zero(label, ends);
    let title = if by_tokens { format!("{} by tokens", what.title) } else { what.title.to_owned() };
    plot(&title, "", x, what.label, what.log, runs.iter().enumerate().map(curve).collect())
}

/// The colour of run number `i`: neighbours are far apart.
pub fn class_of(i: usize) -> String {
    format!("c{}", [1, 6, 3, 7, 5, 2, 0, 4][i % COLOURS])
}
