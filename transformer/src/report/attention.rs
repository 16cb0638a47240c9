//! Where each head looks: a map for every layer and head, and one of them large, with the tokens beside it.
//!
//! ```text
//! row: the token that asks        column: a token up to it        ink: √A, so that little attention is seen too
//! ```

use super::samples::{after, evenly, slider};
use super::seen::Seen;
use crate::chart::escape;
use crate::train::snapshot::Snapshot;
use serde::Serialize;
use std::fmt::Write;

/// The steps of ink.
const LEVELS: usize = 15;

/// No more maps than this at one moment, and no more bytes of them over all moments.
const MOST_HEADS: usize = 192;
const MOST_BYTES: usize = 1 << 20;

/// What the page's script draws the maps from.
#[derive(Serialize)]
pub struct AttentionData {
    tokens: Vec<String>,
    /// The numbers of the layers that are shown.
    layers: Vec<usize>,
    levels: usize,
    frames: Vec<Frame>,
}

#[derive(Serialize)]
struct Frame {
    step: usize,
    /// `[layer][head]`, as in the file.
    maps: Vec<Vec<String>>,
}

impl AttentionData {
    /// The maps of a run that has some.
    pub fn of(run: &Seen) -> Option<Self> {
        let snapshots = run.snapshots.as_ref()?;
        let last = snapshots.last()?;
        let layers = evenly(run.model.n_layer, (MOST_HEADS / run.model.n_head).max(1));
        let bytes: usize = layers.iter().flat_map(|&layer| &last.attention[layer]).map(String::len).sum();
        let moments = evenly(snapshots.len(), (MOST_BYTES / bytes.max(1)).max(2));
        let frames =
            moments.into_iter().map(|i| &snapshots[i]).filter(|snapshot| snapshot.prompt == last.prompt);
        let frame = |snapshot: &Snapshot| Frame {
            step: snapshot.step,
            maps: layers.iter().map(|&layer| snapshot.attention[layer].clone()).collect(),
        };
        Some(AttentionData {
            tokens: last.prompt.iter().map(|&id| visible(&run.token(id))).collect(),
            levels: LEVELS,
            frames: frames.map(frame).collect(),
            layers,
        })
    }

    /// The section of the page, drawn for the last moment.
    pub fn html(&self, run: &Seen) -> String {
        let Some(last) = run.snapshots.as_ref().and_then(|snapshots| snapshots.last()) else {
            return String::new();
        };
        let map = |layer: usize, head: usize| last.map(layer, head).unwrap_or_default();
        let n = self.tokens.len();
        let mut grid = String::new();
        for &layer in &self.layers {
            let _ = write!(grid, "<div class=heads><span class=layer>layer {layer}</span>");
            for head in 0..run.model.n_head {
                let _ = write!(
                    grid,
                    "<button type=button class=head data-layer={layer} data-head={head} aria-pressed={} \
                     aria-label=\"layer {layer}, head {head}\"><svg viewBox=\"0 0 {n} {n}\" aria-hidden=true>{}</svg></button>",
                    layer == self.layers[0] && head == 0,
                    drawn(&map(layer, head), n)
                );
            }
            grid.push_str("</div>");
        }
        let left_out = match run.model.n_layer - self.layers.len() {
            0 => String::new(),
            number => format!(" {number} of the layers are left out."),
        };
        format!(
            "<section id=attention><h2>Where each head looks</h2><p>On one prompt, the beginning of the validation part. A row \
             is the token that asks, a column one that it may look at, up to itself; the darker (in the dark, the \
             lighter), the more. Choose a head to see it large.{left_out}</p>{}<p class=still>{}</p><div \
             class=attention><div class=maps>{grid}</div>{}</div></section>",
            slider("attention-at", "Which evaluation"),
            after(last.step),
            self.large(&map(self.layers[0], 0)),
        )
    }

    /// One map with its tokens; 12 units a cell.
    fn large(&self, map: &[u8]) -> String {
        let n = self.tokens.len();
        let longest = self.tokens.iter().map(|token| token.chars().count()).max().unwrap_or(1);
        let room = 14 + 7 * longest.min(12);
        let mut labels = String::new();
        for (i, token) in self.tokens.iter().enumerate() {
            let at = 12 * i + 6;
            let text = escape(&token.chars().take(12).collect::<String>());
            let _ = write!(labels, "<text x=\"-5\" y=\"{}\" class=end>{text}</text>", at + 4);
            let turn = if longest > 2 { format!("rotate(-90 {at} -5)") } else { String::new() };
            let anchor = if longest > 2 { "start" } else { "mid" };
            let (x, y) = if longest > 2 { (at + 4, -5) } else { (at, -5) };
            let _ =
                write!(labels, "<text x=\"{x}\" y=\"{y}\" transform=\"{turn}\" class={anchor}>{text}</text>");
        }
        format!(
            "<figure class=large><h3 id=large-name>layer {}, head 0</h3><svg id=large viewBox=\"-{room} -{room} {} {}\" \
             tabindex=0 role=img aria-labelledby=large-name>{labels}<g transform=\"scale(12)\"><g id=large-map>{}</g><rect \
             id=large-cell width=1 height=1 visibility=hidden /></g></svg><output id=large-read class=scripted></output></figure>",
            self.layers[0],
            room + 12 * n + 2,
            room + 12 * n + 2,
            drawn(map, n),
        )
    }
}

/// The ground, and a path for each step of ink: cells of one step that touch are one rectangle.
fn drawn(map: &[u8], n: usize) -> String {
    let mut paths = vec![String::new(); LEVELS + 1];
    let mut cells = map.iter().map(|&weight| level(weight));
    for query in 0..n {
        let row: Vec<usize> = cells.by_ref().take(query + 1).collect();
        let mut key = 0;
        for same in row.chunk_by(|a, b| a == b) {
            let _ = write!(paths[same[0]], "M{key} {query}h{}v1h-{}z", same.len(), same.len());
            key += same.len();
        }
    }
    let mut out = format!("<path class=ground d=\"{}\"/>", staircase(n));
    for (level, path) in paths.iter().enumerate().skip(1).filter(|(_, path)| !path.is_empty()) {
        let _ = write!(out, "<path class=o{level} d=\"{path}\"/>");
    }
    out
}

/// The pairs of a token and one up to it.
fn staircase(n: usize) -> String {
    let steps: String = (0..n).map(|_| "h1v1".to_owned()).collect();
    format!("M0 0{steps}H0z")
}

/// √A in steps.
fn level(weight: u8) -> usize {
    (LEVELS as f64 * (f64::from(weight) / 255.0).sqrt()).round() as usize
}

/// A token that can be seen: white space as signs.
fn visible(token: &str) -> String {
    token.replace(' ', "␣").replace('\n', "⏎").replace('\t', "⇥").replace('\r', "␍")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_of_one_ink_that_touch_are_one_rectangle() {
        let drawn = drawn(&[255, 64, 64, 0, 0, 255], 3);
        assert!(drawn.contains("<path class=o15 d=\"M0 0h1v1h-1zM2 2h1v1h-1z\"/>"), "{drawn}");
        assert!(drawn.contains("<path class=o8 d=\"M0 1h2v1h-2z\"/>"), "{drawn}");
        assert!(drawn.contains("d=\"M0 0h1v1h1v1h1v1H0z\""), "{drawn}");
    }

    #[test]
    fn white_space_is_shown_by_signs() {
        assert_eq!(visible("a b\n"), "a␣b⏎");
    }
}
