//! No op without its property test: the crate's source says which ops there are, the tests say which ones they
//! checked, and the two lists have to be the same.

use crate::prove::ops_checked_by;
use crate::{
    arithmetic, attention, bf16, dropout, gather, layout, linear, loss, matmul, norm, pointwise, reduce,
    rope, select, softmax,
};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// A property test of this suite.
type Property = fn();

/// Which property test proves the gradient of which ops. A new op adds its line here, and its test.
const PROVEN: &[(Property, &[&str])] = &[
    (
        arithmetic::sums_differences_products_and_quotients_have_the_right_gradient_however_they_broadcast,
        &["add", "sub", "mul", "div"],
    ),
    (arithmetic::negation_scaling_and_shifting_have_the_right_gradient, &["neg", "affine"]),
    (arithmetic::whole_and_real_powers_have_the_right_gradient, &["powi", "powf"]),
    (
        pointwise::functions_of_one_number_have_the_right_gradient,
        &["exp", "ln", "sqrt", "tanh", "sigmoid", "silu", "gelu", "gelu_erf", "abs", "relu", "clamp"],
    ),
    (select::maximum_and_minimum_pass_the_gradient_to_the_side_that_was_chosen, &["maximum", "minimum"]),
    (select::a_mask_passes_the_gradient_to_the_side_that_it_chooses, &["where", "masked_fill"]),
    (
        matmul::a_product_has_the_right_gradient_transposed_or_not_however_its_batches_broadcast,
        &["matmul", "matmul_ta", "matmul_tb", "matmul_ta_tb"],
    ),
    (
        bf16::a_product_in_bf16_and_its_gradient_are_products_of_rounded_operands,
        &["matmul_bf16", "matmul_ta_bf16", "matmul_tb_bf16", "matmul_ta_tb_bf16", "linear_bf16"],
    ),
    (bf16::a_linear_layer_with_gelu_in_bf16_is_the_composition, &["linear_gelu_bf16"]),
    (bf16::causal_attention_in_bf16_is_near_the_composition, &["causal_attention_bf16"]),
    (reduce::reductions_over_any_axes_have_the_right_gradient, &["sum", "mean", "max", "var", "logsumexp"]),
    (softmax::softmax_and_log_softmax_along_any_axis_have_the_right_gradient, &["softmax", "log_softmax"]),
    (
        layout::gradients_are_moved_back_to_where_the_numbers_came_from,
        &["reshape", "permute", "broadcast", "slice", "concat"],
    ),
    (gather::gathered_rows_scatter_their_cotangents_back, &["gather"]),
    (
        norm::layer_norm_and_rms_norm_have_the_right_gradient_with_and_without_weight_and_bias,
        &["layer_norm", "rms_norm"],
    ),
    (rope::rotary_positions_have_the_right_gradient, &["rope"]),
    (dropout::dropout_has_the_gradient_of_its_mask, &["dropout"]),
    (
        dropout::detach_is_a_constant_in_reverse_and_forward_mode_and_only_differences_see_through_it,
        &["detach"],
    ),
    (linear::a_linear_layer_has_the_right_gradient_with_and_without_bias, &["linear"]),
    (linear::a_linear_layer_with_gelu_has_the_right_gradient, &["linear_gelu"]),
    (
        attention::causal_attention_has_the_right_gradient_also_where_heads_share_keys_and_values,
        &["causal_attention"],
    ),
    (loss::cross_entropy_has_the_right_gradient_also_where_targets_do_not_count, &["cross_entropy"]),
];

#[test]
fn every_op_of_the_crate_has_a_property_test_that_checks_its_gradient() {
    let in_source = ops_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ops"));
    let proven: Vec<Proven> = PROVEN
        .iter()
        .map(|&(property, ops)| Proven { claimed: names(ops), checked: names(ops_checked_by(property)) })
        .collect();
    let complaints = compare(&in_source, &proven);
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// One line of the table, and what its property really checked.
struct Proven {
    claimed: BTreeSet<String>,
    checked: BTreeSet<String>,
}

/// What is wrong with the table, in sentences; nothing if every op of the source is proven.
fn compare(in_source: &BTreeSet<String>, proven: &[Proven]) -> Vec<String> {
    let claimed: BTreeSet<String> = proven.iter().flat_map(|proven| proven.claimed.clone()).collect();
    let unproven = in_source.difference(&claimed).map(|op| {
        format!(
            "the op `{op}` has no property test: write one, and add it to the table PROVEN in {}",
            file!()
        )
    });
    let unknown = claimed
        .difference(in_source)
        .map(|op| format!("the table names `{op}`, which is no op of the crate"));
    let unchecked = proven.iter().flat_map(|proven| proven.claimed.difference(&proven.checked)).map(|op| {
        format!(
            "the table says that `{op}` is proven, but its property never put it on a tape that was checked"
        )
    });
    unproven.chain(unknown).chain(unchecked).collect()
}

fn names(names: impl IntoIterator<Item = impl ToString>) -> BTreeSet<String> {
    names.into_iter().map(|name| name.to_string()).collect()
}

/// The names of all ops in the source files of a folder.
fn ops_in(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let ops = entries.flat_map(|entry| {
        let path = entry.expect("a folder that can be listed").path();
        match path.is_dir() {
            true => ops_in(&path),
            false => ops_declared_in(&fs::read_to_string(&path).expect("a source file that can be read")),
        }
    });
    ops.collect()
}

/// The names that the `impl … Op<…> for …` and `impl … Pointwise<…> for …` of a source text return. A name that
/// is handed on, as by the wrapper of all pointwise functions, is none of its own.
fn ops_declared_in(source: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for block in format!("\n{source}").split("\nimpl").skip(1) {
        let (header, body) = block.split_once('{').expect("an impl has a body");
        let Some((implemented, of_type)) = header.split_once(" for ") else { continue };
        if !implemented.contains("Op<") && !implemented.contains("Pointwise<") {
            continue;
        }
        let (_, name) = body.split_once("fn name(&self)").expect("an op has a name");
        let (name, _) = name.split_once("\n    }").expect("rustfmt closes a function with four spaces");
        let literals: Vec<&str> = name.split('"').skip(1).step_by(2).collect();
        assert!(
            !literals.is_empty() || name.contains(".name()"),
            "the name of the op {of_type} is not to be seen"
        );
        found.extend(names(literals));
    }
    found
}

#[test]
fn the_names_of_ops_are_read_from_the_source() {
    let source = r#"
impl<T: Float> Op<T> for Cube {
    fn name(&self) -> &'static str {
        "cube"
    }
}

impl<T: Float> Pointwise<T> for Softplus {
    fn name(&self) -> &'static str {
        if self.sharp { "softplus_sharp" } else { "softplus" }
    }
}

impl<T: Float, F: Pointwise<T>> Op<T> for Map<F> {
    fn name(&self) -> &'static str {
        self.0.name()
    }
}

impl Cube {
    const DEGREE: &str = "three";
}
"#;
    assert_eq!(ops_declared_in(source), names(["cube", "softplus", "softplus_sharp"]));
}

#[test]
fn an_op_without_a_property_test_is_found() {
    let proven = [Proven { claimed: names(["exp"]), checked: names(["exp", "mul"]) }];
    let complaints = compare(&names(["exp", "made_up"]), &proven);
    assert_eq!(complaints.len(), 1, "{complaints:?}");
    assert!(complaints[0].starts_with("the op `made_up` has no property test"), "{complaints:?}");
}

#[test]
fn an_op_that_is_only_named_in_the_table_but_never_checked_is_found() {
    let proven = [Proven { claimed: names(["exp", "ln"]), checked: names(["exp"]) }];
    let complaints = compare(&names(["exp", "ln"]), &proven);
    assert_eq!(complaints.len(), 1, "{complaints:?}");
    assert!(
        complaints[0].contains("`ln` is proven, but its property never put it on a tape"),
        "{complaints:?}"
    );
}

#[test]
fn an_op_that_is_in_the_table_but_no_longer_in_the_crate_is_found() {
    let proven = [Proven { claimed: names(["sign"]), checked: names(["sign"]) }];
    let complaints = compare(&BTreeSet::new(), &proven);
    assert!(complaints.len() == 1 && complaints[0].contains("`sign`, which is no op"), "{complaints:?}");
}

#[test]
fn a_property_reports_exactly_the_ops_that_stood_on_its_tapes() {
    let checked = ops_checked_by(select::maximum_and_minimum_pass_the_gradient_to_the_side_that_was_chosen);
    assert_eq!(names(&checked), names(["maximum", "minimum"]));
}
