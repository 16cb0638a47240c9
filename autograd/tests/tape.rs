//! What a tape promises: each use of a number counts, each walk back starts from nothing, and every mistake is told
//! at the line that made it.

use autograd::gradcheck::{Function, GradCheck, Verdict, gradcheck, hessian_vector_product};
use autograd::{At, Cotangents, Dual, Float, Op, Saved, Tape, Tensor, Var};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

fn scalar(tape: &Tape<f64>, x: f64) -> Var<'_, f64> {
    tape.leaf(Tensor::scalar(x))
}

/// dy/dx for a function of one number.
fn slope(x: f64, f: impl for<'t> Fn(Var<'t, f64>) -> Var<'t, f64>) -> f64 {
    let tape = Tape::new();
    let x = scalar(&tape, x);
    f(x).backward().of(x).item()
}

/// The message of a panic, and the file and line that it blames.
fn blamed(f: impl FnOnce()) -> (String, String, u32) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let found = Arc::new(Mutex::new(None));
    let told = Arc::clone(&found);
    let this = std::thread::current().id();
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if std::thread::current().id() == this {
            let place = info.location().expect("a panic has a place");
            let message = info.payload_as_str().unwrap_or_default().to_owned();
            *told.lock().unwrap() = Some((message, place.file().to_owned(), place.line()));
        }
    }));
    let result = catch_unwind(AssertUnwindSafe(f));
    std::panic::set_hook(before);
    assert!(result.is_err(), "it must panic");
    found.lock().unwrap().take().expect("the hook has seen the panic")
}

#[test]
fn a_number_that_is_used_twice_collects_both_contributions() {
    assert_eq!(slope(3.0, |x| x * x), 6.0);
    assert_eq!(slope(3.0, |x| x + x), 2.0);
    assert_eq!(slope(3.0, |x| x - x), 0.0);
    assert_eq!(slope(3.0, |x| x / x), 0.0);
}

#[test]
fn paths_that_part_and_meet_again_are_summed() {
    // y = (2x)·(x²) = 2x³: a diamond. y' = 6x².
    assert_eq!(slope(2.0, |x| (2.0 * x) * (x * x)), 24.0);
    // Ten diamonds in a row, x → x + x: 2¹⁰ paths from the end to x, walked in ten steps.
    assert_eq!(slope(1.0, |x| (0..10).fold(x, |x, _| x + x)), 1024.0);
}

#[test]
fn numbers_and_variables_combine_in_every_order() {
    let tape = Tape::<f64>::new();
    let (x, y) = (scalar(&tape, 3.0), scalar(&tape, 5.0));
    let value = |z: Var<f64>| z.value().item();
    assert_eq!(value(2.0 * x + y), 11.0);
    assert_eq!(value(x * x), 9.0);
    assert_eq!(value(-x), -3.0);
    assert_eq!(value(x / 3.0), 1.0);
    assert_eq!(value(3.0 / x), 1.0);
    assert_eq!(value(1.0 - x), -2.0);
    assert_eq!(value(x - 1.0), 2.0);
    assert_eq!(value(x + 1.0), 4.0);
    assert_eq!(value(1.0 + x), 4.0);
    assert_eq!(value(x * 2.0), 6.0);
    assert_eq!(value(x / y), 0.6);
    assert_eq!(value(x - y), -2.0);
    for (slope_of, expected) in [
        (slope(3.0, |x| 2.0 * x), 2.0),
        (slope(3.0, |x| x * 2.0), 2.0),
        (slope(3.0, |x| -x), -1.0),
        (slope(3.0, |x| x / 4.0), 0.25),
        (slope(3.0, |x| 9.0 / x), -1.0),
        (slope(3.0, |x| 1.0 - x), -1.0),
        (slope(3.0, |x| x - 1.0), 1.0),
        (slope(3.0, |x| 1.0 + x), 1.0),
    ] {
        assert!((slope_of - expected).abs() < 1e-15, "{slope_of} should be {expected}");
    }
}

#[test]
fn a_chain_of_a_hundred_thousand_ops_needs_no_recursion() {
    let tape = Tape::new();
    let x = scalar(&tape, 1.0);
    let y = (0..100_000).fold(x, |y, _| y * 1.00001);
    let expected = 1.00001f64.powi(100_000);
    assert!((y.value().item() / expected - 1.0).abs() < 1e-10);
    assert!((y.backward().of(x).item() / expected - 1.0).abs() < 1e-10);
}

#[test]
fn every_walk_back_starts_from_nothing() {
    let tape = Tape::new();
    let x = scalar(&tape, 2.0);
    let y = x * x * x;
    let (first, second) = (y.backward(), y.backward());
    assert_eq!((first.of(x).item(), second.of(x).item()), (12.0, 12.0));
}

#[test]
fn a_tape_can_be_walked_back_from_several_of_its_numbers() {
    let tape = Tape::new();
    let x = scalar(&tape, 2.0);
    let y = x * x;
    let z = y * x;
    assert_eq!((y.backward().of(x).item(), z.backward().of(x).item()), (4.0, 12.0));
    assert_eq!(z.backward().of(y).item(), 2.0, "also inner numbers have a cotangent");
}

#[test]
fn a_cotangent_of_ones_own_weights_the_outputs() {
    let tape = Tape::new();
    let x = tape.leaf(Tensor::new([3], [1.0, 2.0, 3.0]));
    let gradients = (x * x).backward_from(Tensor::new([3], [1.0, 0.0, -1.0]));
    assert_eq!(gradients.of(x).data(), [2.0, 0.0, -6.0]);
}

#[test]
fn gradients_of_parts_of_a_batch_add_up_to_the_gradient_of_their_sum() {
    let data = [0.5, -1.0, 2.0, 3.0];
    let loss = |w: f64, data: &[f64]| {
        let tape = Tape::new();
        let w = scalar(&tape, w);
        let x = tape.constant(Tensor::new([data.len()], data));
        ((x * w).tanh()).sum_all().backward().of(w).item()
    };
    let parts: f64 = data.chunks(2).map(|part| loss(0.7, part)).sum();
    assert!((parts - loss(0.7, &data)).abs() < 1e-15);
}

#[test]
fn under_no_grad_nothing_is_recorded_for_the_walk_back() {
    let tape = Tape::new();
    let x = scalar(&tape, 3.0);
    let constant = tape.no_grad(|| x * x);
    let y = constant * x;
    assert_eq!(y.backward().of(x).item(), 9.0);
    assert!(y.backward().get(constant).is_none());
    assert!(!tape.nodes()[constant.index()].requires_gradient);
    assert_eq!((x * x).backward().of(x).item(), 6.0, "afterwards the tape records again");
}

#[test]
fn detach_is_a_constant_with_the_same_value() {
    assert_eq!(slope(3.0, |x| x * x.detach()), 3.0);
    let tape = Tape::new();
    let x = scalar(&tape, 3.0);
    assert_eq!(x.detach().value(), x.value());
}

#[test]
fn a_parameter_that_the_loss_does_not_reach_is_named() {
    let tape = Tape::new();
    let (used, unused) = (scalar(&tape, 1.0), tape.parameter("transformer.wpe.weight", Tensor::scalar(2.0)));
    let gradients = (used * used).backward();
    assert!(gradients.get(unused).is_none());
    let (message, ..) = blamed(|| {
        gradients.of(unused);
    });
    for part in ["transformer.wpe.weight", "the loss was not computed from it", "tape.rs"] {
        assert!(message.contains(part), "{part} in {message}");
    }
}

#[test]
fn the_walk_of_a_training_step_returns_the_same_gradients_and_spends_the_tape() {
    let tape = Tape::new();
    let x = tape.leaf(Tensor::new([3], [1.0, 2.0, 3.0]));
    let y = (x.exp() * x).sum_all();
    let kept = y.backward();
    let freed = y.backward_and_free();
    assert_eq!(kept.of(x), freed.of(x));
    assert!(tape.nodes().iter().filter(|node| node.op.is_some()).all(|node| node.value.numel() == 0));
    let (message, file, _) = blamed(|| {
        y.backward();
    });
    assert!(message.contains("backward_and_free has given this tape's values away"), "{message}");
    assert!(file.ends_with("tests/tape.rs"), "{file}");
}

#[test]
fn a_variable_of_another_tape_is_refused() {
    let (one, other) = (Tape::new(), Tape::new());
    let (x, y) = (scalar(&one, 1.0), scalar(&other, 2.0));
    let (message, ..) = blamed(|| {
        let _ = one.apply(autograd::ops::arithmetic::Add, &[x, y]);
    });
    assert_eq!(
        message.lines().next(),
        Some("assertion `left == right` failed: add: an input lives on another tape")
    );
    let gradients = (x * x).backward();
    let (message, ..) = blamed(|| {
        gradients.of(y);
    });
    assert!(message.contains("these gradients belong to another tape"), "{message}");
}

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

fn drop_it(_: Var<f64>) {}

#[test]
fn the_detector_names_the_first_value_that_is_not_finite() {
    let tape = Tape::<f64>::new();
    let x = tape.leaf(Tensor::new([3], [1.0, 0.0, 2.0]));
    let scope = tape.scope("mlp");
    let line = line!() + 1;
    let y = (x - x) / (x * 0.0 + 1.0) * 3.0 + x.ln();
    drop(scope);
    let loss = (y * y).sum_all();
    assert!(!loss.value().item().is_finite());
    let found = tape.first_non_finite().expect("ln 0 is infinite");
    assert_eq!((found.op.as_str(), found.scope.as_str(), found.shapes.as_str()), ("ln", "mlp", "[3] → [3]"));
    assert_eq!((found.index.as_slice(), found.value), (&[1][..], f64::NEG_INFINITY));
    assert!(found.location.starts_with(&format!("{}:{line}", file!())), "{}", found.location);
}

#[test]
fn a_mask_of_minus_infinity_is_no_cause_for_alarm() {
    let tape = Tape::<f64>::new();
    tape.stop_at_non_finite(true);
    let x = tape.leaf(Tensor::new([2], [1.0, 2.0]));
    let masked = x.masked_fill(&Tensor::new([2], [0.0, 1.0]), f64::NEG_INFINITY);
    assert_eq!(masked.softmax(-1).value().data(), [1.0, 0.0]);
    let (message, file, _) = blamed(|| drop_it((x - 3.0).ln()));
    assert!(message.contains("ln") && message.contains("NaN"), "{message}");
    assert!(file.ends_with("tests/tape.rs"), "{file}");
}

#[test]
fn dual_numbers_carry_exact_directional_derivatives() {
    let tape = Tape::<Dual<f64>>::new();
    let x = tape.leaf(Tensor::scalar(Dual::new(0.5, 1.0)));
    let y = (x * x).exp() / (1.0 + x.tanh());
    let (t, e) = (0.5f64.tanh(), 0.25f64.exp());
    let exact = (2.0 * 0.5 * e * (1.0 + t) - e * (1.0 - t * t)) / ((1.0 + t) * (1.0 + t));
    assert!((y.value().item().tangent - exact).abs() < 1e-15);
}

/// x₀²·x₁, whose Hessian is [[2x₁, 2x₀], [2x₀, 0]].
struct Cubic;
impl Function for Cubic {
    fn call<'t, T: Float>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
        let (a, b) = (x[0].slice(0, 0..1), x[0].slice(0, 1..2));
        a * a * b
    }
}

#[test]
fn dual_numbers_under_the_tape_give_hessian_vector_products() {
    let (x, v) = (Tensor::new([2], [3.0, 5.0]), Tensor::new([2], [1.0, -2.0]));
    let product = hessian_vector_product(&Cubic, &[x], &Tensor::ones([1]), &[v]);
    assert_eq!(product[0].data(), [2.0 * 5.0 - 2.0 * 6.0, 6.0]);
}

/// relu, which has a kink at 0.
struct Relu;
impl Function for Relu {
    fn call<'t, T: Float>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
        x[0].relu()
    }
}

#[test]
fn a_kink_is_reported_as_a_kink_and_not_as_an_error() {
    let report = gradcheck(&Relu, &[("x", Tensor::new([3], [-1.0, 0.0, 1.0]))]);
    assert!(report.ok(), "{report}");
    let kinks: Vec<bool> =
        report.entries.iter().map(|entry| matches!(entry.verdict, Verdict::Kink { .. })).collect();
    assert_eq!(kinks, [false, true, false]);
}

#[test]
fn a_large_input_is_checked_along_random_directions() {
    let x = Tensor::from_fn([30, 30], |i| (i as f64).sin());
    let check = GradCheck { directions: 3, ..GradCheck::default() };
    let report = check.run(&Relu, &[("x", x)]);
    assert!(report.ok(), "{report}");
    assert_eq!(report.entries.len(), 3);
    assert!(report.entries.iter().all(|entry| entry.index.is_none()));
    assert!(report.to_string().contains("a random direction"), "{report}");
}

#[test]
fn a_report_names_the_input_the_entry_the_three_values_and_the_verdict() {
    let report = gradcheck(&Cubic, &[("weights", Tensor::new([2], [3.0, 5.0]))]);
    let line = report.entries[0].to_string();
    for part in ["weights", "[0]", "reverse +3.0", "forward +3.0", "difference +3.0", "all three agree"] {
        assert!(line.contains(part), "{part} in {line}");
    }
}

/// An op with its value, but with twice its vjp.
struct Doubled<T: Float>(Box<dyn Op<T>>);

impl<T: Float> Op<T> for Doubled<T> {
    fn name(&self) -> &'static str {
        self.0.name()
    }
    fn forward(&self, x: &[&Tensor<T>], saved: &mut Saved<T>) -> Tensor<T> {
        self.0.forward(x, saved)
    }
    fn vjp(&self, at: &At<T>, dx: &mut Cotangents<T>) {
        let dy = &at.dy.map(|dy| dy + dy);
        self.0.vjp(&At { dy, ..*at }, dx);
    }
}

#[test]
fn an_intercept_exchanges_ops_by_name_and_scope_before_they_run() {
    let tape = Tape::<f64>::new();
    tape.intercept(|op, scope| match (op.name(), scope) {
        ("exp", "mlp") => Box::new(Doubled(op)),
        _ => op,
    });
    let x = scalar(&tape, 0.5);
    let (slope, e) = (|y: Var<f64>| y.backward().of(x).item(), 0.5f64.exp());
    let outside = x.exp();
    let _scope = tape.scope("mlp");
    let inside = x.exp();
    assert_eq!((outside.value().item(), slope(outside)), (e, e));
    assert_eq!((inside.value().item(), slope(inside)), (e, 2.0 * e));
    assert_eq!(slope(x.tanh()), 1.0 - 0.5f64.tanh().powi(2), "another op is left alone");
    assert_eq!(tape.nodes()[inside.index()].op_name(), "exp");
}

#[test]
fn a_boxed_op_says_all_that_the_op_itself_says() {
    let mask = Tensor::new([2], [0.0, 1.0]);
    let [plain, boxed] = [false, true].map(|through_a_box| {
        let tape = Tape::<f64>::new();
        if through_a_box {
            tape.intercept(|op, _| op);
        }
        let x = tape.leaf(Tensor::new([1, 2], [1.0, 2.0]));
        let y = x.matmul_tb(x.masked_fill(&mask, f64::NEG_INFINITY)).scale(0.25);
        let nodes = tape.nodes();
        let said = |node: usize| {
            let op = nodes[node].op.as_ref().expect("an op");
            let values = [&x.value(), &x.value()];
            (op.name(), op.details(), op.flops(&values, &y.value()), op.means_infinity())
        };
        [said(1), said(2), said(3)]
    });
    assert_eq!(plain, boxed);
}
