//! How a token came to be drawn, in lines of at most 80 columns: the candidates, and what was attended to.

use crate::data::tokenizer::Tokenizer;
use crate::sample::Sampling;
use console::{measure_text_width, style, truncate_str};

const COLUMNS: usize = 80;
const INDENT: usize = 8;
/// What stands before the bars of a layer.
const LAYER: usize = 14;
/// How many tokens get a bar, if they are of one column.
const BARS: usize = 30;

/// One step of sampling.
pub(super) struct Step<'a> {
    pub tokenizer: &'a Tokenizer,
    /// The text so far.
    pub seen: &'a [usize],
    /// What was drawn to come next.
    pub drawn: usize,
}

impl Step<'_> {
    /// The k likeliest tokens, each with the model's probability → that with which it could be drawn; and the one that was
    /// drawn, if it is none of these.
    pub fn candidates(&self, logits: &[f32], sampling: &Sampling, k: usize) -> String {
        let model = Sampling { known: sampling.known, ..Sampling::default() }.probabilities(logits);
        let drawn_with = sampling.probabilities(logits);
        let mut lines = pad(&self.name(self.drawn), INDENT);
        let mut used = INDENT;
        let these = model.iter().enumerate().filter(|&(i, &(id, _))| i < k || id == self.drawn);
        for (_, &(id, p)) in these {
            let after = drawn_with.iter().find(|&&(other, _)| other == id);
            let after = after.map_or(" – ".to_owned(), |&(_, p)| share(p));
            let entry = format!("{} {}→{after}  ", pad_left(&self.name(id), 4), share(p));
            let width = measure_text_width(&entry);
            if used > INDENT && used + width > COLUMNS + 2 {
                lines = lines.trim_end().to_owned() + "\n" + &" ".repeat(INDENT);
                used = INDENT;
            }
            used += width;
            lines += &if id == self.drawn { style(entry).green().bold().to_string() } else { entry };
        }
        lines.trim_end().to_owned() + "\n"
    }

    /// For each layer how much the last token seen attends to the tokens of its context, itself the last, averaged over
    /// the heads: of weights `[h, n]` for each layer. The last tokens stand above their bars.
    pub fn attention(&self, layers: &[Vec<f32>], n_head: usize) -> String {
        let Some(n) = layers.first().map(|weights| weights.len() / n_head) else { return String::new() };
        let context = &self.seen[self.seen.len() - n..];
        let glyphs: Vec<String> = context.iter().rev().take(BARS).map(|&id| self.glyph(id)).collect();
        let cell = glyphs.iter().map(|glyph| measure_text_width(glyph)).max().unwrap_or(1);
        let bars = n.min(BARS / cell);
        let mut lines = pad(&format!("{} ←", self.name(self.drawn)), LAYER);
        lines += &glyphs[..bars].iter().rev().map(|glyph| pad(glyph, cell)).collect::<String>();
        lines = lines.trim_end().to_owned() + "\n";
        for (layer, weights) in layers.iter().enumerate() {
            lines += &self.layer(layer, &mean_over_heads(weights, n), bars, cell);
        }
        lines + "\n"
    }

    fn layer(&self, layer: usize, weights: &[f32], bars: usize, cell: usize) -> String {
        let n = weights.len();
        let (earlier, last) = weights.split_at(n - bars);
        let earlier: f32 = earlier.iter().sum();
        let earlier = if n > bars { format!("{}‹", share(f64::from(earlier))) } else { String::new() };
        let largest = weights.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
        let mut line = pad(&format!("layer {layer:<2} {earlier}"), LAYER);
        for &weight in last {
            line += &bar(weight / largest, cell);
        }
        line += &" ".repeat(2);
        let mut used = LAYER + bars * cell + 2;
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|&a, &b| weights[b].total_cmp(&weights[a]).then(b.cmp(&a)));
        for &i in order.iter().take(3) {
            let name = self.name(self.seen[self.seen.len() - n + i]);
            let entry = format!("{} {name}−{} ", share(f64::from(weights[i])), n - i);
            used += measure_text_width(&entry);
            if used > COLUMNS + 1 {
                break;
            }
            line += &entry;
        }
        line.trim_end().to_owned() + "\n"
    }

    /// The token in quotes, cut to a few columns.
    fn name(&self, id: usize) -> String {
        let text: String = self.tokenizer.token(id).chars().map(visible).collect();
        format!("\"{}\"", truncate_str(&text, 12, "…"))
    }

    /// The token as one character.
    fn glyph(&self, id: usize) -> String {
        let token = self.tokenizer.token(id);
        let character = token.trim_start().chars().next().or(token.chars().next());
        match character {
            Some('\n') => "↵".to_owned(),
            Some(character) if !character.is_control() && !character.is_whitespace() => character.to_string(),
            _ => " ".to_owned(),
        }
    }
}

/// `[h, n] → [n]`
fn mean_over_heads(weights: &[f32], n: usize) -> Vec<f32> {
    let h = (weights.len() / n) as f32;
    (0..n).map(|i| weights.iter().skip(i).step_by(n).sum::<f32>() / h).collect()
}

/// 0.416 → `.42`
fn share(p: f64) -> String {
    let text = format!("{p:.2}");
    text.strip_prefix('0').map_or("1.0".to_owned(), str::to_owned)
}

/// A bar of that share of the line's height.
fn bar(share: f32, cell: usize) -> String {
    const LEVELS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
    let bar = LEVELS[((share * 8.0) as usize).min(7)].repeat(cell);
    match share {
        0.5.. => style(bar).cyan().bold().to_string(),
        0.125.. => style(bar).cyan().to_string(),
        _ => style(bar).dim().to_string(),
    }
}

fn visible(character: char) -> String {
    match character.is_control() {
        true => character.escape_default().to_string(),
        false => character.to_string(),
    }
}

fn pad(text: &str, columns: usize) -> String {
    text.to_owned() + &" ".repeat(columns.saturating_sub(measure_text_width(text)))
}

fn pad_left(text: &str, columns: usize) -> String {
    " ".repeat(columns.saturating_sub(measure_text_width(text))) + text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::tokenizer::TokenizerKind;
    use console::strip_ansi_codes;

    const TEXT: &str = "\nabc 한글";

    fn lines(of: impl Fn(&Step) -> String) -> Vec<String> {
        let tokenizer = Tokenizer::for_text(TokenizerKind::Char, TEXT);
        let seen = tokenizer.encode(TEXT).unwrap();
        let shown = of(&Step { tokenizer: &tokenizer, seen: &seen, drawn: 3 });
        strip_ansi_codes(&shown).lines().map(str::to_owned).collect()
    }

    #[test]
    fn candidates_are_shown_before_and_after_what_sampling_leaves_of_them() {
        // e^0 : e^ln2 : e^ln4 = 1 : 2 : 4, so that the probabilities are 4/7, 2/7 and 1/7; of these two are left, 4 : 2.
        let logits = [f32::MIN, f32::MIN, 0.0, 2_f32.ln(), 4_f32.ln(), f32::MIN, f32::MIN];
        let sampling = Sampling { top_k: Some(2), ..Sampling::default() };
        let shown = lines(|step| step.candidates(&logits, &sampling, 3));
        assert_eq!(shown, ["\"b\"      \"c\" .57→.67   \"b\" .29→.33   \"a\" .14→ –"]);
        let shown = lines(|step| step.candidates(&logits, &sampling, 2));
        assert_eq!(shown, ["\"b\"      \"c\" .57→.67   \"b\" .29→.33"]);
        let shown = lines(|step| step.candidates(&logits, &Sampling { temperature: 0.0, ..sampling }, 1));
        assert_eq!(shown, ["\"b\"      \"c\" .57→1.0   \"b\" .29→ –"], "and the one that was drawn");
    }

    #[test]
    fn what_was_attended_to_stands_above_its_bar_with_weights_averaged_over_the_heads() {
        let heads = [[0.0, 0.5, 0.0, 0.0, 0.0, 0.5, 0.0], [0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]].concat();
        let shown = lines(|step| step.attention(std::slice::from_ref(&heads), 2));
        assert_eq!(shown[0], "\"b\" ←         ↵ a b c   한글");
        assert_eq!(shown[1], "layer 0       ▁▁██▁▁▁▁▁▁▃▃▁▁  .75 \"a\"−6 .25 \"한\"−2 .00 \"글\"−1");
    }

    #[test]
    fn a_long_context_and_many_candidates_stay_within_80_columns() {
        let tokenizer = Tokenizer::Bytes;
        let seen: Vec<usize> = (0..256).collect();
        let step = Step { tokenizer: &tokenizer, seen: &seen, drawn: 200 };
        let weights = vec![vec![1.0 / 100.0; 200]; 12]; // two heads over the last hundred
        let logits: Vec<f32> = (0..256).map(|i| i as f32 / 100.0).collect();
        let shown = step.attention(&weights, 2) + &step.candidates(&logits, &Sampling::default(), 40);
        assert!(shown.lines().count() > 20 && shown.contains(".70‹"), "{shown}");
        for line in shown.lines() {
            assert!(measure_text_width(line) <= 80, "{line}");
        }
    }
}
