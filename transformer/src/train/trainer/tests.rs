//! What the trainers promise: which batches and masks an update draws, what it makes of them, and what is estimated.

use super::*;
use crate::data::tokens::Tokens;
use crate::model::ModelConfig;
use crate::train::gradient::gradient;
use crate::train::stream::StreamTrainer;
use std::collections::HashSet;

const SEED: u64 = 11;
const ROWS: usize = 3;
const LENGTH: usize = 6;

/// Two batches an update, so that one is told from the other.
fn config() -> TrainConfig {
    let model = ModelConfig {
        n_layer: 1,
        n_head: 2,
        n_embd: 8,
        block_size: LENGTH,
        vocab_size: 5,
        bias: true,
        ..ModelConfig::default()
    };
    TrainConfig {
        model,
        batch_size: ROWS,
        gradient_accumulation_steps: 2,
        eval_iters: 3,
        seed: SEED,
        ..TrainConfig::default()
    }
}

/// Ids from 0 to 4 without a pattern; another `start` gives others.
fn ids(start: usize) -> Vec<usize> {
    (start..start + 60).map(|i| (i * i / 3 + i) % 5).collect()
}

fn dataset(train: &[usize], validation: &[usize]) -> Dataset {
    Dataset {
        name: "ids".to_owned(),
        train: Tokens::new(train),
        validation: Tokens::new(validation),
        floor: None,
        fingerprint: String::new(),
        validation_bytes: None,
    }
}

fn weights(model: &Gpt<Tensor<f32>>) -> Vec<Vec<f32>> {
    model.parameters().iter().map(|(_, parameter)| parameter.data().to_vec()).collect()
}

// What is drawn.

/// All windows of a text of one letter are the same, and at such a rate the weights stay as they are: only masks are left to
/// make a difference.
#[test]
fn each_update_and_each_batch_draws_masks_of_its_own() {
    let of = |dropout: f64| {
        let model = ModelConfig { dropout, ..config().model };
        let config = TrainConfig { model, learning_rate: 1e-30, decay_lr: false, ..config() };
        Trainer::new(config, dataset(&[2; 60], &[2; 60])).unwrap()
    };
    let losses = |mut trainer: Trainer| [(); 3].map(|()| trainer.update().unwrap().loss);

    let [without, second, third] = losses(of(0.0));
    assert_eq!([second, third], [without; 2], "without dropout nothing differs from update to update");
    let [a, b, c] = losses(of(0.5));
    assert!(a != b && b != c && a != c, "three updates, the same masks: {a}, {b}, {c}");
    assert!(
        [a, b, c].iter().all(|loss| *loss != without),
        "dropout changes the loss {without}: {a}, {b}, {c}"
    );

    // Of no two batches do the masks meet, not even later ones of the one with the first of the other.
    let trainer = of(0.5);
    let mut seen = HashSet::new();
    for batch in 0..8 {
        let pass = trainer.training_pass(batch);
        for mask in 0..100 {
            let drawn = pass.draw(1).expect("dropout").seed;
            assert!(seen.insert(drawn), "mask {mask} of batch {batch} has been drawn before");
        }
    }
}

#[test]
fn the_validation_part_changes_no_weight() {
    let trained = |train: &[usize], validation: &[usize]| {
        let mut trainer = Trainer::new(config(), dataset(train, validation)).unwrap();
        (0..3).for_each(|_| _ = trainer.update().unwrap());
        weights(&trainer.model)
    };
    let one = trained(&ids(0), &ids(107));
    assert!(one == trained(&ids(0), &ids(201)), "another validation part has changed the weights");
    assert!(one != trained(&ids(304), &ids(107)), "another training part has changed nothing");
}

#[test]
fn the_estimate_is_of_the_validation_part() {
    let of =
        |train: &[usize], validation: &[usize]| Trainer::new(config(), dataset(train, validation)).unwrap();
    let estimate = |trainer: Trainer| trainer.estimate_loss().unwrap();
    let trainer = of(&ids(0), &ids(107));
    let mut batches = Batches::new(SEED, Purpose::Evaluation, ROWS, LENGTH);
    let drawn: Vec<_> = (0..3).map(|_| batches.draw(&Tokens::new(&ids(107)))).collect();
    let by_hand = mean_loss(&trainer.model, drawn.into_iter()).unwrap();
    let found = estimate(trainer);
    assert!((found - by_hand).abs() < 1e-9, "{found}, and {by_hand} on three batches drawn by hand");
    assert_eq!(found, estimate(of(&ids(304), &ids(107))), "another training part is nothing to the estimate");
    assert_ne!(found, estimate(of(&ids(0), &ids(201))), "of another validation part the estimate is another");
}

// What an update makes of it.

/// Every number unlike the default and unlike its neighbours. The clip is so short that gradients come near ε = 10⁻⁸.
fn unlike_the_defaults() -> TrainConfig {
    TrainConfig {
        learning_rate: 0.11,
        min_lr: 0.01,
        warmup_iters: 10,
        weight_decay: 0.3,
        beta1: 0.8,
        beta2: 0.7,
        grad_clip: 1e-6,
        ..config()
    }
}

/// The formulas of AdamW at f64, with the numbers of [`unlike_the_defaults`] written out.
#[derive(Default)]
struct ByHand {
    updates: i32,
    mean: Vec<Vec<f64>>,
    square: Vec<Vec<f64>>,
}

impl ByHand {
    /// The weights after an update at `lr` from `before`, along the mean of the gradients of some batches.
    fn update(&mut self, before: &Gpt<Tensor<f32>>, batches: &[Batch], lr: f64) -> Vec<Vec<f64>> {
        let parameters = before.parameters();
        let mut g: Vec<Vec<f64>> = parameters.iter().map(|(_, p)| vec![0.0; p.numel()]).collect();
        for batch in batches {
            let found = gradient(before, std::slice::from_ref(batch), |_| Pass::evaluation()).unwrap();
            for (sum, of) in g.iter_mut().zip(&found.of) {
                sum.iter_mut()
                    .zip(of.data())
                    .for_each(|(sum, &x)| *sum += f64::from(x) / batches.len() as f64);
            }
        }
        let norm = g.iter().flatten().map(|x| x * x).sum::<f64>().sqrt();
        assert!(norm > 0.1, "a clip of 1e-6 bites on a gradient as long as {norm}");
        self.updates += 1;
        self.mean.resize_with(g.len(), Vec::new);
        self.square.resize_with(g.len(), Vec::new);
        let mut after = Vec::new();
        for (i, (_, p)) in parameters.iter().enumerate() {
            let decay = if p.shape().len() >= 2 { 0.3 } else { 0.0 };
            let (mean, square) = (&mut self.mean[i], &mut self.square[i]);
            mean.resize(p.numel(), 0.0);
            square.resize(p.numel(), 0.0);
            let moved = |(j, &p): (usize, &f32)| {
                let (p, g) = (f64::from(p), g[i][j] * 1e-6 / (norm + 1e-6));
                mean[j] = 0.8 * mean[j] + 0.2 * g;
                square[j] = 0.7 * square[j] + 0.3 * g * g;
                let corrected = mean[j] / (1.0 - 0.8_f64.powi(self.updates));
                let root = (square[j] / (1.0 - 0.7_f64.powi(self.updates))).sqrt();
                p - lr * decay * p - lr * corrected / (root + 1e-8)
            };
            after.push(p.data().iter().enumerate().map(moved).collect());
        }
        after
    }
}

#[track_caller]
fn assert_weights(model: &Gpt<Tensor<f32>>, expected: &[Vec<f64>], update: usize) {
    for ((name, found), expected) in model.parameters().iter().zip(expected) {
        for (i, (&found, expected)) in found.data().iter().zip(expected).enumerate() {
            let off = (f64::from(found) - expected).abs();
            assert!(off < 1e-6, "update {update}, {name}[{i}]: {found}, by hand {expected}");
        }
    }
}

/// The warm-up counts from 1 and ends after its last update: lr·t/(10 + 1) for the update number t.
const RATES: [f64; 2] = [0.11 / 11.0, 2.0 * 0.11 / 11.0];

#[test]
fn an_update_of_the_trainer_is_the_formula() {
    let mut trainer = Trainer::new(unlike_the_defaults(), dataset(&ids(0), &ids(107))).unwrap();
    let mut batches = Batches::new(SEED, Purpose::Batches, ROWS, LENGTH);
    let mut by_hand = ByHand::default();
    for (i, lr) in RATES.into_iter().enumerate() {
        let drawn = [(); 2].map(|()| batches.draw(&Tokens::new(&ids(0))).unwrap());
        let expected = by_hand.update(&trainer.model, &drawn, lr);
        assert!((trainer.update().unwrap().lr - lr).abs() < 1e-12);
        assert_weights(&trainer.model, &expected, i + 1);
    }
}

#[test]
fn an_update_on_a_stream_is_the_same_formula() {
    let mut trainer = StreamTrainer::new(unlike_the_defaults()).unwrap();
    let mut batches = Batches::new(SEED, Purpose::Batches, ROWS, LENGTH);
    let mut by_hand = ByHand::default();
    for (i, lr) in RATES.into_iter().enumerate() {
        let drawn = batches.draw(&Tokens::new(&ids(0))).unwrap();
        let expected = by_hand.update(&trainer.model, std::slice::from_ref(&drawn), lr);
        assert!((trainer.update(drawn).unwrap().lr - lr).abs() < 1e-12);
        assert_weights(&trainer.model, &expected, i + 1);
    }
}
