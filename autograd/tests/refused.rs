//! What no op computes, and says so instead of reading what is not there.

use autograd::kernels::MatMul;
use autograd::{Float, Shape, Tape, Tensor};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What the panic of `f` says.
fn refusal(f: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(f)).expect_err("nothing was refused");
    match panic.downcast::<String>() {
        Ok(message) => *message,
        Err(panic) => (*panic.downcast::<&str>().expect("a message")).to_owned(),
    }
}

#[test]
fn a_plan_whose_rows_lie_beyond_what_can_be_counted_is_refused_before_it_is_carried_out() {
    let (a, b) = ([1.0_f32; 64], [1.0_f32; 64]);
    let whole = MatMul::new(2, 1, 64);
    for (plan, of) in [
        (MatMul { ldc: usize::MAX - 63, ..whole }, "C"),
        (MatMul { lda: usize::MAX, ..whole }, "A"),
        (MatMul { ldb: usize::MAX / 2 + 1, ..MatMul::new(1, 3, 1) }, "B"),
    ] {
        let message = refusal(|| f32::matmul(&plan, &a, &b, &mut [0.0; 128]));
        assert!(message.contains(&format!("{of} holds")), "{message}");
    }
}

#[test]
fn a_shape_of_more_numbers_than_can_be_counted_is_refused_where_it_is_made() {
    let message = refusal(|| drop(Tensor::<f32>::zeros([1 << 63, 2])));
    assert!(message.contains("would hold more numbers than can be counted"), "{message}");
    assert_eq!(Shape::from([1 << 63, 0]).numel(), 0, "none is a number");
}

#[test]
fn attention_takes_no_shape_without_heads_or_numbers_fused_or_op_by_op() {
    let tape = Tape::<f64>::new();
    for (width, h, h_kv) in [(6, 0, 1), (6, 1, 0), (0, 1, 1), (10, 1, 1), (8, 3, 2)] {
        let x = tape.leaf(Tensor::ones([2, 3, width]));
        for message in [
            refusal(|| drop(x.causal_attention(h, h_kv).value())),
            refusal(|| drop(x.causal_attention_textbook(h, h_kv, None).value())),
        ] {
            assert!(message.starts_with("causal_attention: "), "{width}, {h}, {h_kv}: {message}");
        }
    }
}

#[test]
fn rope_turns_no_heads_of_no_numbers() {
    let tape = Tape::<f64>::new();
    let x = tape.leaf(Tensor::ones([2, 3, 4]));
    let message = refusal(|| drop(x.rope(2, 0, 1e4).value()));
    assert!(message.contains("a head has 0"), "{message}");
    assert_eq!(tape.leaf(Tensor::ones([2, 3, 0])).rope(0, 2, 1e4).shape()[..], [2, 3, 0]);
}

#[test]
fn an_empty_tensor_has_no_entry_to_find() {
    let message = refusal(|| drop(Tensor::<f32>::zeros([2, 0]).index_of(0)));
    assert!(message.contains("entry 0 of a tensor [2, 0] of 0 entries"), "{message}");
}
