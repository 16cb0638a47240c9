//! Which lines of the source a step stands in, and the text around them.
//!
//! The texts are those that were compiled, and the tape has the line of each call from the compiler itself. Where a rule
//! stands is looked up in its file: the block `impl … Op<T> for Softmax`, and in it `fn forward` and `fn vjp`.

use super::schema::{Excerpt, Lines};
use std::collections::BTreeMap;

/// The model, by path from the root of the repository.
const MODEL: [(&str, &str); 8] = [
    ("transformer/src/model/attention.rs", include_str!("../model/attention.rs")),
    ("transformer/src/model/block.rs", include_str!("../model/block.rs")),
    ("transformer/src/model/gpt.rs", include_str!("../model/gpt.rs")),
    ("transformer/src/model/linear.rs", include_str!("../model/linear.rs")),
    ("transformer/src/model/mlp.rs", include_str!("../model/mlp.rs")),
    ("transformer/src/model/norm.rs", include_str!("../model/norm.rs")),
    ("transformer/src/model/pass.rs", include_str!("../model/pass.rs")),
    ("transformer/src/train/optimizer.rs", include_str!("../train/optimizer.rs")),
];

/// Lines of context around a call.
const AROUND: usize = 4;

/// The text of a file of the model or of the ops.
pub fn source(file: &str) -> Option<&'static str> {
    let in_model = MODEL.iter().find(|(path, _)| *path == file).map(|(_, text)| *text);
    in_model.or_else(|| autograd::sources::source(file))
}

/// A path as the compiler gives it, from the root of the repository, with slashes.
pub fn from_root(file: &str) -> String {
    let file = file.replace('\\', "/");
    let start = ["autograd/src/", "transformer/src/"].iter().filter_map(|top| file.rfind(top)).max();
    file[start.unwrap_or(0)..].to_owned()
}

/// The line, without the space around it.
pub fn line(file: &str, number: usize) -> Option<&'static str> {
    source(file)?.lines().nth(number.checked_sub(1)?).map(str::trim)
}

/// Where the function `name` stands in the block `impl … for type_name` whose trait is `of_trait`.
pub fn function(text: &str, of_trait: &str, type_name: &str, name: &str) -> Option<Lines> {
    let is_block = |line: &str| {
        let Some((implemented, of)) = line.strip_prefix("impl").and_then(|rest| rest.split_once(" for "))
        else {
            return false;
        };
        let of = of.trim_end_matches(" {");
        implemented.trim_end().ends_with(of_trait) && of.split('<').next() == Some(type_name)
    };
    function_in(text, is_block, name)
}

/// Where AdamW moves a parameter's numbers, and the file of it.
pub fn update() -> Option<(&'static str, Lines)> {
    const FILE: &str = "autograd/src/kernels/adamw.rs";
    let lines = function_in(source(FILE)?, |line| line == "impl<T: Float> AdamW<T> {", "piece")?;
    Some((FILE, lines))
}

/// Where a function stands in the first block that begins with such a line.
fn function_in(text: &str, is_block: impl Fn(&str) -> bool, name: &str) -> Option<Lines> {
    let lines: Vec<&str> = text.lines().collect();
    let block = lines.iter().position(|line| is_block(line))?;
    let end = block + lines[block..].iter().position(|line| *line == "}")?;
    let start =
        block + lines[block..end].iter().position(|line| line.trim().starts_with(&format!("fn {name}(")))?;
    let last = start + lines[start..end].iter().position(|line| *line == "    }")?;
    Some(Lines { line: start + 1, end_line: last + 1 })
}

/// Collects which lines are pointed to, and gives their texts.
#[derive(Default)]
pub struct Excerpts {
    wanted: BTreeMap<String, Vec<Lines>>,
}

impl Excerpts {
    /// A line of code and those around it.
    pub fn call(&mut self, file: &str, line: usize) {
        self.lines(file, Lines { line: line.saturating_sub(AROUND).max(1), end_line: line + AROUND });
    }

    /// A rule.
    pub fn lines(&mut self, file: &str, lines: Lines) {
        self.wanted.entry(file.to_owned()).or_default().push(lines);
    }

    /// The texts, without overlaps; of files that are not known, nothing.
    pub fn texts(self) -> BTreeMap<String, Vec<Excerpt>> {
        let texts = self.wanted.into_iter().filter_map(|(file, wanted)| {
            let text: Vec<&str> = source(&file)?.lines().collect();
            let excerpt = |lines: Lines| Excerpt {
                first_line: lines.line,
                text: text[lines.line - 1..lines.end_line.min(text.len())].join("\n"),
            };
            Some((file, merged(wanted).into_iter().map(excerpt).collect()))
        });
        texts.collect()
    }
}

/// The same lines as ranges that neither overlap nor touch.
fn merged(mut wanted: Vec<Lines>) -> Vec<Lines> {
    wanted.sort_by_key(|lines| lines.line);
    let mut merged: Vec<Lines> = Vec::new();
    for lines in wanted {
        match merged.last_mut() {
            Some(last) if lines.line <= last.end_line + 1 => {
                last.end_line = last.end_line.max(lines.end_line)
            }
            _ => merged.push(lines),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn the_texts_of_the_model_are_those_on_disk() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository");
        for (path, text) in MODEL {
            assert_eq!(std::fs::read_to_string(root.join(path)).expect("a text"), text, "{path}");
        }
    }

    #[test]
    fn a_rule_is_found_in_its_block_and_not_in_another() {
        let text = "impl<T: Float> Op<T> for Add {\n    fn forward(&self) {\n        a\n    }\n}\n\
                    impl<T: Float> Op<T> for MaskedFill<T> {\n    fn forward(\n        &self,\n    ) {\n    }\n    \
                    fn vjp(&self) {\n        b\n    }\n}\n";
        assert_eq!(function(text, "Op<T>", "Add", "forward"), Some(Lines { line: 2, end_line: 4 }));
        assert_eq!(function(text, "Op<T>", "MaskedFill", "forward"), Some(Lines { line: 7, end_line: 10 }));
        assert_eq!(function(text, "Op<T>", "MaskedFill", "vjp"), Some(Lines { line: 11, end_line: 13 }));
        assert_eq!(function(text, "Op<T>", "Add", "vjp"), None);
        assert_eq!(function(text, "Op<T>", "Masked", "vjp"), None);
        assert_eq!(function(text, "Pointwise<T>", "Add", "forward"), None);
    }

    #[test]
    fn excerpts_that_touch_become_one() {
        let mut excerpts = Excerpts::default();
        let file = "transformer/src/model/mlp.rs";
        for line in [14, 5, 24] {
            excerpts.call(file, line);
        }
        let texts = excerpts.texts();
        let starts: Vec<(usize, usize)> =
            texts[file].iter().map(|excerpt| (excerpt.first_line, excerpt.text.lines().count())).collect();
        assert_eq!(starts, [(1, 18), (20, 9)]);
        assert_eq!(texts[file][1].text.lines().next(), source(file).unwrap().lines().nth(19));
    }

    #[test]
    fn a_path_of_the_compiler_begins_at_the_repository() {
        assert_eq!(from_root("autograd/src/ops/norm.rs"), "autograd/src/ops/norm.rs");
        assert_eq!(from_root("/home/x/autograd/src/ops/norm.rs"), "autograd/src/ops/norm.rs");
        assert_eq!(from_root("transformer\\src\\model\\gpt.rs"), "transformer/src/model/gpt.rs");
    }
}
