//! The rule of every op that the textbook composition of the model uses: in words, as formulas, and where it is written.
//!
//! A bar is a cotangent: x̄ = ∂loss/∂x. The formulas are those above the code; a test holds the two together.

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

/// All rules.
pub const RULES: [Rule; 22] = [
    Rule {
        op: "gather",
        written_in: ("Gather", "autograd/src/ops/gather.rs"),
        asked_by: &[".gather("],
        sentence: "Takes rows of a table by number: the vector of each token, or of each position.",
        forward: "y[i, :] = w[indexᵢ, :]",
        vjp: &["w̄[indexᵢ, :] += ȳ[i, :]"],
        words: "Each row's cotangent goes back to where the row was taken; a row that was taken twice collects both.",
    },
    Rule {
        op: "add",
        written_in: ("Add", "autograd/src/ops/arithmetic.rs"),
        asked_by: &[" + "],
        sentence: "Adds entry by entry; in a block, what was worked out joins what runs through.",
        forward: "y = a + b",
        vjp: &["ā = ȳ", "b̄ = ȳ"],
        words: "Both inputs get the whole cotangent; one that was repeated gets the sum over its copies.",
    },
    Rule {
        op: "sub",
        written_in: ("Sub", "autograd/src/ops/arithmetic.rs"),
        asked_by: &[" - "],
        sentence: "Subtracts entry by entry; in a norm, the mean from every entry of its row.",
        forward: "y = a − b",
        vjp: &["ā = ȳ", "b̄ = −ȳ"],
        words: "The first input gets the cotangent, the second its negative, summed over the copies if it was repeated.",
    },
    Rule {
        op: "mul",
        written_in: ("Mul", "autograd/src/ops/arithmetic.rs"),
        asked_by: &[" * "],
        sentence: "Multiplies entry by entry.",
        forward: "y = a·b",
        vjp: &["ā = ȳ·b", "b̄ = ȳ·a"],
        words: "Each input gets the cotangent times the other input, summed over the copies if it was repeated.",
    },
    Rule {
        op: "div",
        written_in: ("Div", "autograd/src/ops/arithmetic.rs"),
        asked_by: &[" / "],
        sentence: "Divides entry by entry; in a norm, by the deviation of the row.",
        forward: "y = a/b",
        vjp: &["ā = ȳ/b", "b̄ = −ȳ·y/b"],
        words: "A larger numerator raises y by 1/b; a larger denominator lowers it by y/b.",
    },
    Rule {
        op: "neg",
        written_in: ("Neg", "autograd/src/ops/arithmetic.rs"),
        asked_by: &["-"],
        sentence: "Changes the sign: a log-likelihood to be made large becomes a loss to be made small.",
        forward: "y = −x",
        vjp: &["x̄ = −ȳ"],
        words: "The cotangent changes its sign as well.",
    },
    Rule {
        op: "affine",
        written_in: ("Affine", "autograd/src/ops/arithmetic.rs"),
        asked_by: &[".scale(", " + "],
        sentence: "Multiplies by one number and adds another: the scores by 1/√e, the variance plus ε.",
        forward: "y = s·x + t",
        vjp: &["x̄ = ȳ·s"],
        words: "The cotangent is multiplied by the same number; what was added does not matter.",
    },
    Rule {
        op: "sqrt",
        written_in: ("Sqrt", "autograd/src/ops/pointwise.rs"),
        asked_by: &[".sqrt("],
        sentence: "Takes the square root of each entry: from a variance to a deviation.",
        forward: "y = √x",
        vjp: &["x̄ = ȳ/(2·y)"],
        words: "The smaller the root, the more it moves with x.",
    },
    Rule {
        op: "gelu",
        written_in: ("Gelu", "autograd/src/ops/pointwise.rs"),
        asked_by: &[".gelu("],
        sentence: "Lets large numbers through and turns small ones off, smoothly.",
        forward: "y = ½x(1 + tanh(√(2/π)·(x + 0.044715·x³)))",
        vjp: &["x̄ = ȳ·gelu′(x)"],
        words: "Where the gate is open the cotangent passes; where it is shut it stops.",
    },
    Rule {
        op: "matmul",
        written_in: ("MatMul", "autograd/src/ops/matmul.rs"),
        asked_by: &[".matmul(", ".forward("],
        sentence: "Multiplies matrices: every entry of the result is a dot product of a row with a column.",
        forward: "C = A·B",
        vjp: &["Ā = C̄·Bᵀ", "B̄ = Aᵀ·C̄"],
        words: "Each side gets the cotangent times the other side, transposed. For a weight that is a sum over all tokens: \
                W̄[i, j] = Σ x[b, n, i]·ȳ[b, n, j].",
    },
    Rule {
        op: "matmul_tb",
        written_in: ("MatMul", "autograd/src/ops/matmul.rs"),
        asked_by: &[".matmul_tb("],
        sentence: "Multiplies by a transposed matrix: every query with every key, every vector with every token's.",
        forward: "C = A·Bᵀ",
        vjp: &["Ā = C̄·B", "B̄ = C̄ᵀ·A"],
        words: "Each side gets the cotangent times the other side.",
    },
    Rule {
        op: "reshape",
        written_in: ("Reshape", "autograd/src/ops/layout.rs"),
        asked_by: &[".reshape(", ".unsqueeze("],
        sentence: "Reads the same numbers under another shape.",
        forward: "y = x under another shape",
        vjp: &["x̄ = ȳ under x's shape"],
        words: "The cotangent is read under the shape that the numbers had before.",
    },
    Rule {
        op: "permute",
        written_in: ("Permute", "autograd/src/ops/layout.rs"),
        asked_by: &[".permute("],
        sentence: "Puts the axes in another order, so that each head has a matrix of its own.",
        forward: "axis i of y = axis order[i] of x",
        vjp: &["axis order[i] of x̄ = axis i of ȳ"],
        words: "The axes of the cotangent go back to their old order.",
    },
    Rule {
        op: "slice",
        written_in: ("Slice", "autograd/src/ops/layout.rs"),
        asked_by: &[".slice("],
        sentence: "Takes a part along one axis: the queries, the keys or the values.",
        forward: "y = x[…, start..end, …]",
        vjp: &["x̄[…, start..end, …] = ȳ, 0 elsewhere"],
        words: "The cotangent goes back to its part; the other parts get 0 from here.",
    },
    Rule {
        op: "masked_fill",
        written_in: ("MaskedFill", "autograd/src/ops/select.rs"),
        asked_by: &[".masked_fill("],
        sentence: "Overwrites the scores of later tokens by −∞, so that nothing is learned from the future.",
        forward: "y = mask ? value : x",
        vjp: &["x̄ = mask ? 0 : ȳ"],
        words: "What was overwritten gets no cotangent.",
    },
    Rule {
        op: "softmax",
        written_in: ("Softmax", "autograd/src/ops/softmax.rs"),
        asked_by: &[".softmax("],
        sentence: "Turns each row of scores into shares that sum to 1: who listens to whom, and how much.",
        forward: "yᵢ = e^(xᵢ − m)/Σⱼ e^(xⱼ − m)",
        vjp: &["x̄ᵢ = yᵢ·(ȳᵢ − Σⱼ ȳⱼ·yⱼ)"],
        words: "A score is raised if its share is wanted more than the row's average; each row of x̄ sums to 0.",
    },
    Rule {
        op: "log_softmax",
        written_in: ("LogSoftmax", "autograd/src/ops/softmax.rs"),
        asked_by: &[".log_softmax("],
        sentence: "Turns logits into logarithms of probabilities.",
        forward: "yᵢ = xᵢ − ln Σⱼ e^xⱼ",
        vjp: &["x̄ᵢ = ȳᵢ − e^yᵢ·Σⱼ ȳⱼ"],
        words: "With the mean of −ln p this becomes: probability minus 1 for the right token, probability for the others.",
    },
    Rule {
        op: "sum",
        written_in: ("Sum", "autograd/src/ops/reduce.rs"),
        asked_by: &[".sum_all(", ".sum("],
        sentence: "Adds entries up.",
        forward: "y = Σᵢ xᵢ",
        vjp: &["x̄ᵢ = ȳ"],
        words: "Every entry gets the same cotangent: a sum forward is a copy backward.",
    },
    Rule {
        op: "mean",
        written_in: ("Mean", "autograd/src/ops/reduce.rs"),
        asked_by: &[".mean("],
        sentence: "Takes the mean of each row.",
        forward: "y = 1/n·Σᵢ xᵢ",
        vjp: &["x̄ᵢ = ȳ/n"],
        words: "Every entry of the row gets an equal share of the cotangent.",
    },
    Rule {
        op: "var",
        written_in: ("Variance", "autograd/src/ops/reduce.rs"),
        asked_by: &[".var("],
        sentence: "Takes the variance of each row: the mean square distance from the mean.",
        forward: "y = Σᵢ (xᵢ − μ)²/(n − c)",
        vjp: &["x̄ᵢ = ȳ·2(xᵢ − μ)/(n − c)"],
        words: "Entries far from the mean move the variance most.",
    },
    Rule {
        op: "dropout",
        written_in: ("Dropout", "autograd/src/ops/dropout.rs"),
        asked_by: &["dropout("],
        sentence: "Sets some entries to 0, by a coin that the seed tosses, and enlarges the others.",
        forward: "y = x·m/(1 − p)",
        vjp: &["x̄ = ȳ·m/(1 − p)"],
        words: "What was dropped gets no cotangent; the others' is enlarged alike.",
    },
    Rule {
        op: "broadcast",
        written_in: ("Broadcast", "autograd/src/ops/layout.rs"),
        asked_by: &[".broadcast_to("],
        sentence: "Repeats entries to a larger shape.",
        forward: "y = x repeated to a larger shape",
        vjp: &["x̄ = Σ of ȳ over the repeated axes"],
        words: "A copy forward is a sum backward.",
    },
];

/// The rule of an op.
pub fn rule(op: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.op == op)
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
        for rule in &RULES {
            let source = rule.source();
            let first = |lines: Lines| sources::line(&source.file, lines.line).expect("a line");
            let (forward, back) = (first(source.forward), first(source.vjp));
            assert!(["fn forward(", "fn f("].iter().any(|start| forward.starts_with(start)), "{}", rule.op);
            assert!(["fn vjp(", "fn df("].iter().any(|start| back.starts_with(start)), "{}", rule.op);
            assert!(source.vjp.line > source.forward.end_line, "{}", rule.op);
        }
        let names: BTreeSet<&str> = RULES.iter().map(|rule| rule.op).collect();
        assert_eq!(names.len(), RULES.len());
    }

    #[test]
    fn the_formulas_are_those_above_the_code() {
        // Written otherwise in the source: as a function and its derivative, or with an alias for the name of a side.
        let otherwise = ["sqrt", "gelu", "matmul_tb"];
        for rule in RULES.iter().filter(|rule| !otherwise.contains(&rule.op)) {
            let comment = comment_above(rule);
            // `ā = ȳ      b̄ = −ȳ` above the code may also read `ā, b̄, … = …`: each formula stands there as it is.
            for formula in rule.vjp.iter().chain([&rule.forward]) {
                assert!(comment.contains(&squeezed(formula)), "{}: {formula} is not in {comment}", rule.op);
            }
        }
    }
}
