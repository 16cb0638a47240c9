//! A small GPT-2 computes what PyTorch computes: logits, loss, the gradient of every parameter, AdamW's losses.
//! The fixture's weights are Hugging Face's GPT2LMHeadModel at float32, its expectations PyTorch's at float64.

mod huggingface;

use autograd::{Tape, Tensor};
use backstep::{json, relative_error, tensor};
use transformer::data::batches::Batch;
use transformer::model::{Design, Gpt, ModelConfig, Pass};
use transformer::train::optimizer::{AdamW, Moments};

const EXPECTED: &str = "gpt2-tiny/expected.safetensors";

fn model() -> Gpt<Tensor<f64>> {
    let file = json("gpt2-tiny/config.json");
    let size = |name: &str| file[name].as_u64().expect("a size") as usize;
    let config = ModelConfig {
        n_layer: size("n_layer"),
        n_head: size("n_head"),
        n_embd: size("n_embd"),
        block_size: size("n_positions"),
        vocab_size: size("vocab_size"),
        bias: true,
        dropout: 0.0,
        design: Design::default(),
    };
    Gpt::<Tensor<f64>>::init(&config, 0).map(&mut |name, _| tensor("gpt2-tiny/model.safetensors", name))
}

/// Nine tokens a row: each of the first eight predicts the one after it.
fn batch() -> Batch {
    let tokens = tensor(EXPECTED, "tokens");
    let [rows, length] = tokens.shape()[..] else { panic!("tokens are [rows, length]") };
    let part = |from: usize| -> Vec<usize> {
        tokens
            .data()
            .chunks(length)
            .flat_map(|row| row[from..from + length - 1].iter().map(|&t| t as usize))
            .collect()
    };
    Batch { x: part(0), y: part(1), rows, length: length - 1 }
}

fn passes() -> [(&'static str, Pass); 2] {
    [("fused", Pass::evaluation()), ("textbook", Pass::evaluation().textbook())]
}

#[test]
fn logits_and_loss_are_pytorchs() {
    for (style, pass) in passes() {
        let tape = Tape::new();
        let model = model();
        let on_tape = model.on(&tape);
        let logits = on_tape.logits(&batch().x, batch().shape(), &pass).value();
        let error = relative_error(&logits, &tensor(EXPECTED, "logits"));
        assert!(error < 1e-10, "{style}: logits: relative error {error:e}");

        let loss = on_tape.loss(&batch(), &pass).value().item();
        let expected = json("gpt2-tiny/expected.json")["loss"].as_f64().expect("a number");
        assert!((loss - expected).abs() < 1e-10 * expected, "{style}: loss {loss} should be {expected}");
    }
}

#[test]
fn the_gradient_of_every_parameter_is_pytorchs() {
    for (style, pass) in passes() {
        let tape = Tape::new();
        let on_tape = model().on(&tape);
        let gradients = on_tape.loss(&batch(), &pass).backward();
        let parameters = on_tape.parameters();
        assert_eq!(parameters.len(), 28);
        for (name, parameter) in parameters {
            let error = relative_error(gradients.of(*parameter), &tensor(EXPECTED, &format!("grad.{name}")));
            assert!(error < 1e-10, "{style}: {name}: relative error {error:e}");
        }
    }
}

#[test]
fn ten_steps_of_adamw_follow_pytorchs_losses() {
    let expected = json("gpt2-tiny/expected.json");
    let settings = &expected["adamw"];
    let number = |name: &str| settings[name].as_f64().expect("a number");
    let adamw = AdamW {
        beta1: settings["betas"][0].as_f64().expect("a number"),
        beta2: settings["betas"][1].as_f64().expect("a number"),
        eps: number("eps"),
        weight_decay: number("weight_decay"),
        grad_clip: number("clip"),
    };
    let mut model = model();
    let mut moments = Moments::zeros(model.parameters().into_iter().map(|(_, parameter)| parameter));
    let losses = settings["losses"].as_array().expect("a list");
    assert_eq!(losses.len(), 10);
    for (step, loss_expected) in losses.iter().enumerate() {
        let tape = Tape::new();
        let on_tape = model.on(&tape);
        let loss = on_tape.loss(&batch(), &Pass::evaluation());
        let error = (loss.value().item() - loss_expected.as_f64().expect("a number")).abs();
        assert!(error < 1e-8, "step {step}: the loss is off by {error:e}");

        let gradients = loss.backward();
        let gradients: Vec<_> = on_tape.parameters().iter().map(|(_, p)| gradients.of(**p).clone()).collect();
        drop(on_tape);
        drop(tape);
        let norm = adamw.update(&mut moments, model.parameters_mut(), &gradients, number("lr"), |_| true);
        if step == 0 {
            let expected = expected["grad_norm"].as_f64().expect("a number");
            assert!((norm - expected).abs() < 1e-10 * expected, "gradient norm {norm} should be {expected}");
        }
    }
}
