//! A chart with a legend: drawn here, and its numbers as data, so that a pointer can read them off.

use crate::chart::{Axis, Line, escape, frame, svg};
use serde::Serialize;

/// More points than this on a line are thinned out.
const MOST: usize = 800;

/// A line of a plot.
pub struct Curve {
    /// What stands in the legend.
    pub name: String,
    /// What stands at its end, or nothing.
    pub short: String,
    /// The classes of its colour and stroke.
    pub class: String,
    /// Step and value.
    pub points: Vec<(f64, f64)>,
    /// Whether each point is a dot of its own too.
    pub dots: bool,
    /// Whether it is the same everywhere: a bound, a guide.
    pub constant: bool,
}

/// A chart on the page.
pub struct Plot {
    /// Its heading.
    pub title: String,
    /// How to read it.
    pub caption: String,
    /// The axes.
    pub x: Axis,
    /// The second one.
    pub y: Axis,
    /// The lines.
    pub curves: Vec<Curve>,
}

/// What the page's script knows of a plot.
#[derive(Serialize)]
pub struct PlotData {
    /// Left, right, top and bottom of the frame.
    frame: [f64; 4],
    x: AxisData,
    y: AxisData,
    curves: Vec<CurveData>,
}

#[derive(Serialize)]
struct CurveData {
    constant: bool,
    /// As they are drawn.
    points: Vec<[f64; 2]>,
}

#[derive(Serialize)]
struct AxisData {
    range: [f64; 2],
    log: bool,
}

impl Curve {
    /// A line that was measured.
    pub fn new(name: &str, short: &str, class: &str, points: Vec<(f64, f64)>) -> Curve {
        let (name, short, class) = (name.to_owned(), short.to_owned(), class.to_owned());
        Curve { name, short, class, points, dots: false, constant: false }
    }

    /// A value that does not change, across the whole axis.
    pub fn constant(name: &str, short: &str, value: f64, x: &Axis) -> Curve {
        let points = x.range.map(|x| (x, value)).to_vec();
        Curve { constant: true, ..Curve::new(name, short, "low dash", points) }
    }
}

impl Plot {
    fn lines(&self) -> Vec<Line> {
        let line = |curve: &Curve, dots: bool| Line {
            name: if dots { curve.name.clone() } else { curve.short.clone() },
            class: curve.class.clone(),
            points: thin(&curve.points),
            dots,
        };
        let paths = self.curves.iter().map(|curve| line(curve, false));
        paths.chain(self.curves.iter().filter(|curve| curve.dots).map(|curve| line(curve, true))).collect()
    }

    /// The chart with its heading, legend and caption.
    pub fn html(&self) -> String {
        let key = |curve: &Curve| {
            format!(
                "<span class=\"key {}\"><svg viewBox=\"0 0 22 10\" aria-hidden=true><g><path d=\"M1 5H21\"/></g></svg>{} \
                 <output></output></span>",
                curve.class,
                escape(&curve.name)
            )
        };
        let keys: String = self.curves.iter().map(key).collect();
        let (title, caption) = (escape(&self.title), escape(&self.caption));
        let chart = svg(&self.title, &self.x, &self.y, &self.lines());
        format!(
            "<figure class=plot data-unit=\"{}\"><h3>{title} <output></output></h3>{chart}<div class=legend>{keys}</div>\
             <figcaption>{caption}</figcaption></figure>",
            escape(&self.x.label)
        )
    }

    /// The numbers of the chart.
    pub fn data(&self) -> PlotData {
        let axis = |axis: &Axis| AxisData { range: axis.range, log: axis.log };
        let curve = |curve: &Curve| CurveData {
            constant: curve.constant,
            points: thin(&curve.points).into_iter().map(|(x, y)| [x, short(y)]).collect(),
        };
        PlotData {
            frame: frame(&self.lines()),
            x: axis(&self.x),
            y: axis(&self.y),
            curves: self.curves.iter().map(curve).collect(),
        }
    }
}

/// Five digits are enough for the eye.
fn short(x: f64) -> f64 {
    format!("{x:.4e}").parse().unwrap_or(x)
}

/// The lowest and the highest point of each of equal parts, if there are too many points: peaks stay.
fn thin(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    if points.len() <= MOST {
        return points.to_vec();
    }
    let part = points.len().div_ceil(MOST / 2);
    let of_part = |part: &[(f64, f64)]| {
        let (mut low, mut high) = (0, 0);
        for (i, point) in part.iter().enumerate() {
            low = if point.1 < part[low].1 { i } else { low };
            high = if point.1 > part[high].1 { i } else { high };
        }
        let mut kept = vec![part[low.min(high)]];
        kept.extend((low != high).then(|| part[low.max(high)]));
        kept
    };
    points.chunks(part).flat_map(of_part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_many_points_is_thinned_and_its_peaks_stay() {
        let mut points: Vec<(f64, f64)> =
            (0..100_000).map(|i| (f64::from(i), 1.0 + f64::from(i % 7))).collect();
        points[54_321].1 = 99.0;
        points[12_345].1 = -3.0;
        let thinned = thin(&points);
        assert!(thinned.len() <= MOST && thinned.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert!(thinned.contains(&(54_321.0, 99.0)) && thinned.contains(&(12_345.0, -3.0)));
    }
}
