//! The rule of every op that a model uses: in words, as formulas, and where it is written.
//!
//! A bar is a cotangent: x̄ = ∂loss/∂x. The formulas are those above the code; a test holds the two together.

mod fused;
mod textbook;

use super::schema::{self, Lines, RuleSource};
use super::sources;

/// What there is to say about an op.
pub struct Rule {
    /// The op's name.
    pub op: &'static str,
    /// The type that has the rules, and its file.
    pub written_in: (&'static str, &'static str),
    /// How a line of code asks for the op: one of these stands in it.
    pub asked_by: &'static [&'static str],
    /// What the op does.
    pub sentence: &'static str,
    /// y = …
    pub forward: &'static str,
    /// x̄ᵢ = …, one an input.
    pub vjp: &'static [&'static str],
    /// What the vjp does.
    pub words: &'static str,
}

/// All rules: of the textbook's ops, then of the fused ones.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    textbook::RULES.iter().chain(&fused::RULES)
}

/// The rule of an op.
pub fn rule(op: &str) -> Option<&'static Rule> {
    rules().find(|rule| rule.op == op)
}

impl Rule {
    /// Where the forward rule and the vjp are written; a function of one number says them as `f` and `df`.
    ///
    /// # Panics
    /// If the source does not have them: a test finds that first.
    pub fn source(&self) -> RuleSource {
        let (type_name, file) = self.written_in;
        let text =
            sources::source(file).unwrap_or_else(|| panic!("{}: the source {file} is not known", self.op));
        let find = |of_trait: &str, name: &str| sources::function(text, of_trait, type_name, name);
        let rules = |forward: Option<Lines>, vjp: Option<Lines>| Some((forward?, vjp?));
        let (forward, vjp) = rules(find("Op<T>", "forward"), find("Op<T>", "vjp"))
            .or_else(|| rules(find("Pointwise<T>", "f"), find("Pointwise<T>", "df")))
            .unwrap_or_else(|| panic!("{}: {file} has no rules of {type_name}", self.op));
        RuleSource { file: file.to_owned(), forward, vjp }
    }

    /// As the trace has it.
    pub fn in_full(&self) -> schema::Rule {
        schema::Rule {
            sentence: self.sentence.to_owned(),
            words: self.words.to_owned(),
            forward: self.forward.to_owned(),
            vjp: self.vjp.iter().map(|&formula| formula.to_owned()).collect(),
            source: self.source(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// The comment above a type or above its rules, as one line.
    fn comment_above(rule: &Rule) -> String {
        let (type_name, file) = rule.written_in;
        let text = sources::source(file).expect("the source");
        let lines: Vec<&str> = text.lines().collect();
        let declared = |line: &str| {
            let name = line.strip_prefix("pub struct ").unwrap_or("");
            name.split(|c: char| !c.is_alphanumeric()).next() == Some(type_name)
        };
        let at = lines.iter().position(|line| declared(line)).expect("the type");
        let comment: Vec<&str> = lines[..at]
            .iter()
            .rev()
            .take_while(|line| line.starts_with("///"))
            .map(|line| &line[3..])
            .collect();
        squeezed(&comment.into_iter().rev().collect::<String>())
    }

    fn squeezed(text: &str) -> String {
        text.chars().filter(|c| !c.is_whitespace()).collect()
    }

    #[test]
    fn every_rule_is_found_in_the_source_forward_and_back() {
        for rule in rules() {
            let source = rule.source();
            let first = |lines: Lines| sources::line(&source.file, lines.line).expect("a line");
            let (forward, back) = (first(source.forward), first(source.vjp));
            assert!(["fn forward(", "fn f("].iter().any(|start| forward.starts_with(start)), "{}", rule.op);
            assert!(["fn vjp(", "fn df("].iter().any(|start| back.starts_with(start)), "{}", rule.op);
            assert!(source.vjp.line > source.forward.end_line, "{}", rule.op);
        }
        let names: BTreeSet<&str> = rules().map(|rule| rule.op).collect();
        assert_eq!(names.len(), rules().count());
    }

    #[test]
    fn the_formulas_are_those_above_the_code() {
        // Written otherwise in the source: as a function and its derivative, or with an alias for the name of a side.
        let otherwise = ["sqrt", "gelu", "gelu_erf", "relu", "silu", "matmul_tb"];
        for rule in rules().filter(|rule| !otherwise.contains(&rule.op)) {
            let comment = comment_above(rule);
            // `ā = ȳ      b̄ = −ȳ` above the code may also read `ā, b̄, … = …`: each formula stands there as it is.
            for formula in rule.vjp.iter().chain([&rule.forward]) {
                assert!(comment.contains(&squeezed(formula)), "{}: {formula} is not in {comment}", rule.op);
            }
        }
    }

    /// The text of a file of the repository.
    fn text(path: &str) -> String {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository");
        std::fs::read_to_string(root.join(path)).expect("a text")
    }

    #[test]
    fn the_books_sheet_has_every_rule_as_it_is_its_place_and_the_test_that_proves_it() {
        let (sheet, table) = (text("docs/src/rules.md"), text("autograd/tests/gradients/every_op.rs"));
        for rule in rules() {
            let row = sheet.lines().find(|line| line.starts_with(&format!("| `{}` |", rule.op)));
            let row = row.unwrap_or_else(|| panic!("{} is not on the sheet", rule.op));
            let (squeezed_row, (type_name, file)) = (squeezed(&row.replace(';', "")), rule.written_in);
            for formula in rule.vjp.iter().chain([&rule.forward]) {
                let formula = squeezed(&formula.replace(';', ""));
                assert!(squeezed_row.contains(&formula), "{formula} is not in {row}");
            }
            assert!(row.contains(&format!("`{type_name}` in `{file}`")), "{row}");
            // The last column is `module::test`; the table of proofs lists the op beside that test.
            let test = row.trim_end_matches(" |").rsplit("| ").next().unwrap_or_default().trim_matches('`');
            let (_, proven) =
                table.split_once(&format!("{test},")).unwrap_or_else(|| panic!("no test {test}"));
            let (ops, _) = proven.split_once(']').expect("a list of ops");
            assert!(ops.contains(&format!("\"{}\"", rule.op)), "{test} does not prove {}", rule.op);
        }
    }
}
