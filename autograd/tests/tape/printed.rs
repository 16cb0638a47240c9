//! What a tape says of itself: its program, its scopes, its lines.

use super::{blamed, drop_it, scalar};
use autograd::{Tape, Tensor, Var};

#[test]
fn a_tape_prints_as_the_program_that_it_recorded() {
    let tape = Tape::<f64>::new();
    let w = tape.parameter("w", Tensor::zeros([2, 3]));
    let x = tape.constant(Tensor::zeros([4, 2])).axes("b d");
    let scope = tape.scope("head");
    let line = line!() + 1;
    let y = x.matmul(w).axes("b v");
    drop(scope);
    (-y).sum_all();
    let printed = tape.to_string();
    let program: Vec<Vec<&str>> = printed.lines().map(|line| line.split_whitespace().collect()).collect();
    let file = file!();
    let at = |offset: u32| format!("{file}:{}", line + offset);
    assert_eq!(program[0][..6], ["%0", "=", "leaf", "w", ":", "[2,"]);
    assert_eq!(program[2], ["%2", "=", "matmul", "%1", "%0", ":", "b", "v", "[4,", "3]", "head", &at(0)]);
    assert_eq!(program[3], ["%3", "=", "neg", "%2", ":", "[4,", "3]", &at(2)]);
    assert_eq!(program[4], ["%4", "=", "sum", "%3", "(axes", "0", "1)", ":", "[]", &at(2)]);
    assert_eq!(program.len(), 5);
}

#[test]
fn the_printed_tape_says_what_each_op_was_told_besides_its_inputs() {
    let tape = Tape::<f64>::new();
    let x = tape.leaf(Tensor::zeros([2, 3]));
    let mask = Tensor::zeros([3]);
    let told = |y: Var<f64>| tape.nodes()[y.index()].op.as_ref().map(|op| op.details()).expect("an op");
    for (y, details) in [
        (x * x, ""),
        (x.scale(0.25), "× 0.25"),
        (x + 1e-5, "+ 0.00001"),
        (1.0 - x, "× -1 + 1"),
        (x.powi(3), "to the power 3"),
        (x.clamp(-1.0, 2.0), "to -1 … 2"),
        (x.permute(&[1, 0]), "order 1 0"),
        (x.slice(-1, 1..3), "1..3 of axis 1"),
        (x.mean(&[-1]), "axis 1"),
        (x.sum_all(), "axes 0 1"),
        (x.var(&[0], 1), "axis 0, n − 1"),
        (x.softmax(-1), "axis 1"),
        (x.masked_fill(&mask, f64::NEG_INFINITY), "-inf where the mask [3] says so"),
        (x.dropout(0.5, 7), "p = 0.5, seed 7"),
        (x.gather(&[1; 13], [13]), "rows 1 1 1 1 1 1 1 1 1 1 1 1 … of 13"),
        (x.cross_entropy(&[2, 0], None), "targets 2 0"),
    ] {
        assert_eq!(told(y), details);
        assert!(tape.to_string().lines().nth(y.index()).is_some_and(|line| line.contains(details)));
    }
}

#[test]
fn scopes_nest_and_end_with_their_guard() {
    let tape = Tape::<f64>::new();
    let name = |x: Var<f64>| tape.scope_name(tape.nodes()[x.index()].scope);
    let outside = scalar(&tape, 1.0);
    let inside = {
        let _block = tape.scope("blocks.0");
        let _attention = tape.scope("attention");
        -outside
    };
    assert_eq!(name(outside), "");
    assert_eq!(name(inside), "blocks.0.attention");
    assert_eq!(name(-inside), "");
}

#[test]
fn every_node_knows_the_line_that_made_it_operators_too() {
    let tape = Tape::<f64>::new();
    let x = scalar(&tape, 1.0);
    let line = line!();
    let sum = x + 2.0;
    let product = 2.0 * sum;
    let power = product.powi(3);
    let negative = -power;
    for (var, offset) in [(sum, 1), (product, 2), (power, 3), (negative, 4)] {
        let nodes = tape.nodes();
        let location = nodes[var.index()].location;
        assert_eq!((location.file(), location.line()), (file!(), line + offset));
    }
}

#[test]
fn shapes_that_do_not_fit_panic_at_the_callers_line_in_terms_of_the_maths() {
    let tape = Tape::<f64>::new();
    let (a, b) = (tape.leaf(Tensor::zeros([2, 3])), tape.leaf(Tensor::zeros([4, 5])));
    let mistakes: [(u32, &dyn Fn(), &str); 8] = [
        (line!(), &|| drop_it(a.matmul(b)), "matmul: [2, 3] × [4, 5]: the inner dimensions 3 and 4 differ"),
        (line!(), &|| drop_it(a + b), "[2, 3] and [4, 5] do not broadcast"),
        (line!(), &|| drop_it(a * b), "[2, 3] and [4, 5] do not broadcast"),
        (line!(), &|| drop_it(a.reshape([7])), "reshape: [2, 3] to [7]: the number of entries differs"),
        (line!(), &|| drop_it(a.gather(&[2], [1])), "gather: index 2 at position 0: the table has 2 rows"),
        (line!(), &|| drop_it(a.cross_entropy(&[0, 3], None)), "target 3 at position 1: there are 3 classes"),
        (
            line!(),
            &|| drop_it(a.layer_norm(b, None, 1e-5)),
            "layer_norm: [2, 3] with a parameter [4, 5]: it takes [3]",
        ),
        (line!(), &|| drop_it(a.linear(b, Some(a))), "linear: [2, 3] × [4, 5] + [2, 3]"),
    ];
    for (line, mistake, sentence) in mistakes {
        let (message, file, at) = blamed(mistake);
        assert!(message.contains(sentence), "{message:?} should say {sentence:?}");
        assert!(file == file!() && (line..line + 2).contains(&at), "{file}:{at}: {message}");
    }
}
