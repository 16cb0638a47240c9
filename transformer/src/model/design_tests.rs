//! Every design is a model: fused and textbook passes agree, and the gradient is right.

use super::{Activation, Design, Gpt, ModelConfig, NormKind, Pass, every_design};
use crate::data::batches::Batch;
use crate::random::{Purpose, generator};
use autograd::gradcheck::{Function, GradCheck, Verdict};
use autograd::{Float, Tape, Tensor, Var};

/// The loss of a model as a function of its parameters.
struct Loss {
    model: Gpt<Tensor<f64>>,
    batch: Batch,
}

impl Function for Loss {
    fn call<'t, T: Float>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
        let mut x = x.iter().copied();
        let model = self.model.map(&mut |_, _| x.next().expect("a variable for each parameter"));
        model.loss(&self.batch, &Pass::evaluation())
    }
}

/// A model whose every number is drawn: a bias of 0 or a weight of 1 would hide a mistake.
fn loss_of(config: &ModelConfig) -> Loss {
    let mut model = Gpt::<Tensor<f64>>::init(config, 9);
    for (i, parameter) in model.parameters_mut().into_iter().enumerate() {
        let about = if parameter.shape().len() == 1 { 0.7 } else { 0.0 };
        let wave = |j: usize| about + 0.2 * (i as f64 + 1.7 * j as f64).sin();
        *parameter = Tensor::from_fn(parameter.shape(), wave);
    }
    let token = |i: usize| (i * i + 3 * i) % 11;
    let (x, y) = ((0..14).map(token).collect(), (1..15).map(token).collect());
    Loss { model, batch: Batch { x, y, rows: 2, length: 7 } }
}

#[test]
fn for_every_design_the_textbook_pass_has_the_loss_and_the_gradient_of_the_fused_one() {
    agree([Pass::evaluation, || Pass::evaluation().textbook()]);
}

#[test]
fn with_dropout_both_draw_the_same_masks() {
    fn training() -> Pass {
        Pass::training(0.3, generator(2, Purpose::Dropout)).from_row(5)
    }
    agree([training, || training().textbook()]);
}

/// Two kinds of pass have the same loss and the same gradient.
fn agree(passes: [fn() -> Pass; 2]) {
    for config in every_design(16, 7, 11) {
        let Loss { model, batch } = loss_of(&config);
        let [fused, textbook] = passes.map(|pass| {
            let pass = pass();
            let tape = Tape::new();
            let on_tape = model.on(&tape);
            let loss = on_tape.loss(&batch, &pass);
            let gradients = loss.backward();
            let of = on_tape.parameters().into_iter().map(|(name, p)| (name, gradients.of(*p).clone()));
            (loss.value().item(), of.collect::<Vec<_>>())
        });
        approx::assert_relative_eq!(fused.0, textbook.0, max_relative = 1e-12);
        for ((name, fused), (_, textbook)) in fused.1.iter().zip(&textbook.1) {
            for (a, b) in fused.data().iter().zip(textbook.data()) {
                assert!((a - b).abs() < 1e-12, "{:?}: {name}: {a}, {b}", config.design);
            }
        }
    }
}

#[test]
fn for_every_design_the_gradient_of_the_whole_model_is_the_same_three_ways() {
    let check = GradCheck { exhaustive_up_to: 0, directions: 1, ..GradCheck::default() };
    for config in every_design(16, 7, 11) {
        let loss = loss_of(&config);
        let parameters = loss.model.parameters();
        let named: Vec<(&str, Tensor<f64>)> =
            parameters.iter().map(|(name, value)| (name.as_str(), (*value).clone())).collect();
        let report = check.run(&loss, &named);
        assert_eq!(report.entries.len(), named.len());
        // Kinks lie closer to these numbers than a difference's steps: of relu, reverse is held to forward alone.
        let relu = config.design.activation == Activation::Relu;
        let agree =
            |verdict| verdict == Verdict::Agree || (relu && verdict != Verdict::ReverseDiffersFromForward);
        assert!(report.entries.iter().all(|entry| agree(entry.verdict)), "{:?}:\n{report}", config.design);
    }
}

#[test]
fn what_is_left_out_of_a_design_has_no_parameters_and_what_is_put_in_has() {
    let names = |config: &ModelConfig| -> Vec<String> {
        Gpt::build(config, |_, _| ()).parameters().into_iter().map(|(name, _)| name).collect()
    };
    for config in every_design(16, 7, 11) {
        let names = names(&config);
        let has = |part: &str| names.iter().any(|name| name.contains(part));
        assert_eq!(has("wpe"), config.rope().is_none());
        assert_eq!(has("c_gate"), config.design.activation == Activation::Swiglu);
        assert_eq!(has("lm_head"), !config.design.tie_word_embeddings);
        assert_eq!(has("ln_f.bias"), config.bias && config.design.norm == NormKind::Layer);
    }
}

#[test]
fn queries_that_share_keys_and_values_save_their_columns() {
    let config = ModelConfig { n_embd: 16, n_head: 4, ..ModelConfig::default() };
    let width = |n_kv_head| {
        let design = Design { n_kv_head, ..Default::default() };
        let shapes = Gpt::build(&ModelConfig { design, ..config.clone() }, |_, shape| shape.to_vec());
        shapes.blocks[0].attention.qkv.weight[1]
    };
    assert_eq!([None, Some(2), Some(1)].map(width), [48, 32, 24]);
}
