//! A chart as SVG: axes, lines, dots, in the colours of the page that it is put into.
//!
//! The colours are classes (`c0`, `c1`, …), so that one style sheet serves a light and a dark page; a line also has its
//! name at its end, so that nothing is told by colour alone.

use std::fmt::Write;

/// An axis.
#[derive(Debug, Clone)]
pub struct Axis {
    /// What it shows, and in which unit.
    pub label: String,
    /// Whether equal steps are equal factors.
    pub log: bool,
    /// From where to where.
    pub range: [f64; 2],
}

/// A line, or dots.
#[derive(Debug, Clone)]
pub struct Line {
    /// What stands at its end, and in the tooltip.
    pub name: String,
    /// The class of its colour, and others.
    pub class: String,
    /// Where it goes.
    pub points: Vec<(f64, f64)>,
    /// Dots at the points instead of a line between them.
    pub dots: bool,
}

const WIDTH: f64 = 520.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 66.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 46.0;

/// The rectangle between the axes, in the units of the drawing: left, right, top, bottom.
pub fn frame(lines: &[Line]) -> [f64; 4] {
    let names = lines.iter().filter(|line| !line.dots).map(|line| line.short_name().chars().count());
    let room = 8.0 + 8.0 * names.max().unwrap_or(0) as f64;
    [LEFT, WIDTH - room.max(64.0), TOP, HEIGHT - BOTTOM]
}

impl Line {
    /// What stands at its end: its name up to the first comma.
    fn short_name(&self) -> &str {
        self.name.split(',').next().unwrap_or_default()
    }
}

impl Axis {
    /// A logarithmic axis that holds all of the values, with a little room on both sides.
    ///
    /// # Panics
    /// If a value is not above 0, or there is none.
    #[track_caller]
    pub fn log_around(label: &str, values: impl Iterator<Item = f64>) -> Axis {
        let (mut low, mut high) = (f64::INFINITY, 0.0f64);
        values.for_each(|value| (low, high) = (low.min(value), high.max(value)));
        assert!(low > 0.0 && low <= high, "a logarithmic axis needs values above 0, not {low} to {high}");
        let room = (high / low).powf(0.06).max(1.02);
        Axis { label: label.to_owned(), log: true, range: [low / room, high * room] }
    }

    /// An axis of equal steps from 0 to a little above the largest value.
    pub fn from_zero(label: &str, values: impl Iterator<Item = f64>) -> Axis {
        let high = values.fold(0.0, f64::max);
        Axis { label: label.to_owned(), log: false, range: [0.0, if high > 0.0 { 1.04 * high } else { 1.0 }] }
    }

    /// Where a value lies between the ends: 0 to 1.
    fn place(&self, value: f64) -> f64 {
        let [low, high] = self.range;
        if self.log { (value / low).ln() / (high / low).ln() } else { (value - low) / (high - low) }
    }

    /// Round numbers on the axis: 1, 2, 5 times powers of ten; powers alone on a long one, equal steps on a short one.
    fn ticks(&self) -> Vec<f64> {
        let [low, high] = self.range;
        if !self.log {
            let power = 10f64.powf(((high - low) / 3.0).log10().floor());
            let step = [5.0, 2.0, 1.0]
                .map(|times| times * power)
                .into_iter()
                .find(|step| (high - low) / step >= 3.0);
            let step = step.unwrap_or(power);
            let numbers = (low / step).ceil() as i64..=(high / step).floor() as i64;
            return numbers.map(|i| i as f64 * step).collect();
        }
        let decades = (high / low).log10();
        if decades < 0.3 {
            let finest = 0.2 * 10f64.powf((high - low).log10().floor());
            let steps = [25.0, 10.0, 5.0, 2.5, 1.0].map(|times| times * finest);
            let step = steps.into_iter().find(|step| (high - low) / step >= 4.0).unwrap_or(finest);
            let numbers = (low / step).ceil() as i64..=(high / step).floor() as i64;
            return numbers.map(|i| i as f64 * step).collect();
        }
        let steps: &[f64] = if decades > 2.5 {
            &[1.0]
        } else if decades > 0.8 {
            &[1.0, 2.0, 5.0]
        } else {
            &FINE
        };
        let powers = low.log10().floor() as i32..=high.log10().ceil() as i32;
        let all = powers.flat_map(|power| steps.iter().map(move |step| step * 10f64.powi(power)));
        all.filter(|tick| (low..=high).contains(tick)).collect()
    }
}

const FINE: [f64; 9] = [1.0, 1.2, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0];

/// The chart. `name` is what a screen reader says.
pub fn svg(name: &str, x: &Axis, y: &Axis, lines: &[Line]) -> String {
    let [_, right, _, floor] = frame(lines);
    let across = |value: f64| LEFT + x.place(value) * (right - LEFT);
    let up = |value: f64| floor - y.place(value) * (floor - TOP);
    let mut out = format!(
        "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
        escape(name)
    );
    for tick in x.ticks() {
        let at = across(tick);
        let _ = write!(out, "<path class=\"grid\" d=\"M{at:.1} {TOP}V{floor}\"/>");
        let _ = write!(
            out,
            "<text x=\"{at:.1}\" y=\"{}\" class=\"tick mid\">{}</text>",
            floor + 17.0,
            number(tick)
        );
    }
    for tick in y.ticks() {
        let at = up(tick);
        let _ = write!(out, "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{right}\"/>");
        let _ = write!(
            out,
            "<text x=\"{}\" y=\"{:.1}\" class=\"tick end\">{}</text>",
            LEFT - 6.0,
            at + 4.0,
            number(tick)
        );
    }
    let middle = (LEFT + right) / 2.0;
    let _ =
        write!(out, "<text x=\"{middle}\" y=\"{}\" class=\"mid\">{}</text>", HEIGHT - 8.0, escape(&x.label));
    let half = (TOP + floor) / 2.0;
    let _ = write!(
        out,
        "<text transform=\"translate(13 {half}) rotate(-90)\" class=\"mid\">{}</text>",
        escape(&y.label)
    );
    let mut ends: Vec<(f64, f64)> = Vec::new();
    for line in lines {
        let inside = |value: f64, axis: &Axis| value >= axis.range[0] && value <= axis.range[1];
        let shown: Vec<(f64, f64)> = line
            .points
            .iter()
            .filter(|(px, py)| inside(*px, x) && inside(*py, y))
            .map(|&(px, py)| (across(px), up(py)))
            .collect();
        let Some(&(last_x, last_y)) = shown.last() else { continue };
        let _ = write!(out, "<g class=\"{}\"><title>{}</title>", line.class, escape(&line.name));
        if line.dots {
            for (px, py) in &shown {
                let _ = write!(out, "<circle cx=\"{px:.1}\" cy=\"{py:.1}\" r=\"4\"/>");
            }
        } else {
            let path: Vec<String> = shown.iter().map(|(px, py)| format!("{px:.1} {py:.1}")).collect();
            let _ = write!(out, "<path d=\"M{}\"/>", path.join("L"));
        }
        if !line.name.is_empty() && !line.dots {
            let mut at = last_y + 4.0;
            let covered =
                |at: f64| ends.iter().any(|end| (end.0 - last_x).abs() < 60.0 && (end.1 - at).abs() < 14.0);
            while covered(at) {
                at -= 3.0; // names do not cover one another
            }
            ends.push((last_x, at));
            let short = line.short_name();
            let _ = write!(
                out,
                "<text x=\"{:.1}\" y=\"{at:.1}\" class=\"name\">{}</text>",
                last_x + 6.0,
                escape(short)
            );
        }
        out.push_str("</g>");
    }
    out.push_str("</svg>");
    out
}

/// A number as short as it can be read: 2e-4, 0.08, 2.5, 30 k, 4 M, 1e12.
pub fn number(x: f64) -> String {
    let short = |x: f64| {
        let decimals =
            [(100.0, 0), (10.0, 1), (1.0, 2)].iter().find(|(from, _)| x >= *from).map_or(4, |found| found.1);
        let text = format!("{x:.decimals$}");
        if decimals == 0 {
            return text;
        }
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    match x {
        x if x > 0.0 && x < 1e-3 => format!("{x:.1e}").replace(".0e", "e"),
        x if x >= 1e9 => format!("{x:.0e}"),
        x if x >= 1e6 => format!("{} M", short(x / 1e6)),
        x if x >= 1e3 => format!("{} k", short(x / 1e3)),
        x => short(x),
    }
}

/// A text in HTML.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_factors_are_equal_steps_on_a_logarithmic_axis() {
        let axis = Axis { label: String::new(), log: true, range: [1.0, 1e4] };
        assert_eq!([1.0, 10.0, 100.0, 1e4].map(|x| axis.place(x)), [0.0, 0.25, 0.5, 1.0]);
        assert_eq!(axis.ticks(), [1.0, 10.0, 100.0, 1e3, 1e4]);
    }

    #[test]
    fn an_axis_of_equal_steps_has_round_numbers() {
        let ticks = |high| Axis::from_zero("", [high].into_iter()).ticks();
        assert_eq!(ticks(3600.0), [0.0, 1000.0, 2000.0, 3000.0]);
        assert_eq!(ticks(60.0), [0.0, 20.0, 40.0, 60.0]);
        assert_eq!(ticks(0.0), [0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]);
    }

    #[test]
    fn a_short_axis_has_ticks_too() {
        let axis = Axis { label: String::new(), log: true, range: [0.0786, 0.0932] };
        let ticks: Vec<String> = axis.ticks().into_iter().map(number).collect();
        assert_eq!(ticks, ["0.08", "0.082", "0.084", "0.086", "0.088", "0.09", "0.092"]);
    }

    #[test]
    fn numbers_are_short() {
        let told = [0.0, 5e-5, 0.08, 2.5, 30_000.0, 13_024.0, 100.0, 4e6, 1e12].map(number);
        assert_eq!(told, ["0", "5e-5", "0.08", "2.5", "30 k", "13 k", "100", "4 M", "1e12"]);
    }

    #[test]
    fn what_lies_outside_is_not_drawn_and_what_is_said_is_escaped() {
        let axis = |range| Axis { label: "a < b".to_owned(), log: false, range };
        let line = Line {
            name: "x".to_owned(),
            class: "c0".to_owned(),
            points: vec![(0.5, 0.5), (9.0, 0.5)],
            dots: true,
        };
        let svg = svg("n", &axis([0.0, 1.0]), &axis([0.0, 1.0]), &[line]);
        assert_eq!(svg.matches("<circle").count(), 1);
        assert!(svg.contains("a &lt; b"));
    }
}
