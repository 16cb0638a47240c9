//! The one-page example computes what PyTorch computes: first gradients, and the whole curve of 1000 losses.
//! The fixture was made by PyTorch at float64; it lists weights, documents, gradients and losses.

#[allow(dead_code)]
#[path = "../transformer/examples/microgpt.rs"]
mod microgpt;

use autograd::Tensor;
use backstep::{json, relative_error, tensor};
use microgpt::{PARAMETERS, STEPS, adam, loss_and_gradients, tokens};

const FILE: &str = "microgpt/init_and_first_gradients.safetensors";

fn initial() -> [Tensor<f64>; 9] {
    PARAMETERS.map(|(name, _)| tensor(FILE, name))
}

fn names() -> Vec<Vec<usize>> {
    include_str!("../transformer/examples/names.txt").lines().map(tokens).collect()
}

#[test]
fn the_first_gradient_of_every_parameter_is_pytorchs() {
    let (_, gradients) = loss_and_gradients(&initial(), &names()[0]);
    for ((name, _), gradient) in PARAMETERS.iter().zip(&gradients) {
        let error = relative_error(gradient, &tensor(FILE, &format!("grad.{name}")));
        assert!(error < 1e-10, "{name}: relative error {error:e}");
    }
}

#[test]
fn a_thousand_updates_follow_pytorchs_losses() {
    let expected = json("microgpt/expected.json")["losses"].as_array().expect("a list").clone();
    assert_eq!(expected.len(), STEPS);
    let (names, mut parameters) = (names(), initial());
    let mut moments = PARAMETERS.map(|(_, shape)| (Tensor::zeros(shape), Tensor::zeros(shape)));
    let (mut worst_of_first_100, mut worst) = (0.0f64, 0.0f64);
    for (step, expected) in expected.iter().enumerate() {
        let (loss, gradients) = loss_and_gradients(&parameters, &names[step % names.len()]);
        adam(&mut parameters, &gradients, &mut moments, step);
        let error = (loss - expected.as_f64().expect("a number")).abs();
        assert!(error < if step < 100 { 1e-9 } else { 1e-6 }, "loss {step} is {loss}, {error:e} off");
        worst = worst.max(error);
        if step < 100 {
            worst_of_first_100 = worst;
        }
    }
    println!("largest distance: {worst_of_first_100:e} over 100 losses, {worst:e} over {STEPS}");
}
