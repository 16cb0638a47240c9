//! One run of an experiment: a model of a rung, trained from a seed, then asked.

use super::experiment::{Experiment, Recipe};
use super::ledger::Outcome;
use crate::error::Result;
use crate::random::{Purpose, generator};
use crate::scale::ladder;
use crate::tasks::score::Score;
use crate::tasks::{Example, Task};
use crate::train::config::TrainConfig;
use crate::train::stream::StreamTrainer;
use rand_chacha::ChaCha8Rng;
use std::time::Instant;

/// The held-out questions of the last look.
const ASKED: usize = 500;
/// The held-out questions of a look on the way.
const ASKED_ON_THE_WAY: usize = 100;
/// The looks on the way.
const LOOKS: usize = 10;

/// A model in training, and the questions that it is trained on.
struct Course {
    task: Task,
    trainer: StreamTrainer,
    random: ChaCha8Rng,
    tokens: u64,
}

impl Course {
    fn new(task: Task, recipe: &Recipe, rung: usize, seed: u64) -> Result<Self> {
        let model = ladder::model(rung, task.vocab_size(), task.context());
        let ladder = ladder::recipe(model, recipe.rows, recipe.updates, seed);
        let learning_rate = recipe.learning_rate.unwrap_or(ladder.learning_rate);
        let config = TrainConfig {
            learning_rate,
            min_lr: learning_rate / 10.0,
            weight_decay: recipe.weight_decay.unwrap_or(ladder.weight_decay),
            ..ladder
        };
        let trainer = StreamTrainer::new(config)?;
        Ok(Course { task, trainer, random: generator(seed, Purpose::Batches), tokens: 0 })
    }

    fn update(&mut self) -> Result<()> {
        let batch = self.task.training_batch(&mut self.random, self.trainer.config.batch_size);
        self.tokens += (batch.rows * batch.length) as u64;
        self.trainer.update(batch).map(|_| ())
    }

    fn ask(&self, examples: &[Example]) -> Score {
        Score::of(&self.trainer.model, &self.task, examples)
    }
}

/// Trains a model at a rung from a seed, and asks it; `look` sees each look on the way.
///
/// # Errors
/// If the recipe is out of its range, or training goes beyond what numbers can hold.
pub fn run(
    experiment: &Experiment,
    rung: usize,
    seed: u64,
    commit: &str,
    mut look: impl FnMut(usize, &Score),
) -> Result<Outcome> {
    let (begun, task, recipe) = (Instant::now(), experiment.task()?, &experiment.recipe);
    let mut course = Course::new(task, recipe, rung, seed)?;
    let questions = task.held_out(ASKED);
    let (mut curve, mut solved) = (Vec::new(), 0);
    for i in 1..=recipe.updates {
        course.update()?;
        if (i * LOOKS / recipe.updates) > ((i - 1) * LOOKS / recipe.updates) {
            let score = course.ask(&questions[..ASKED_ON_THE_WAY]);
            look(i, &score);
            curve.push((i, score.exact_match(), rounded(score.log_likelihood)));
            solved = if score.right == score.asked { solved + 1 } else { 0 };
            if recipe.stop_when_solved && solved == 2 {
                break;
            }
        }
    }
    let score = course.ask(&questions);
    let value = score.exact_match();
    let flops = ladder::flops_per_token(rung, task.vocab_size(), task.context()) * course.tokens as f64;
    Ok(Outcome {
        experiment: experiment.name.clone(),
        rung,
        seed,
        commit: commit.to_owned(),
        parameters: course.trainer.model.numel(),
        tokens: course.tokens,
        metric: "exact_match".to_owned(),
        value,
        works: value >= experiment.threshold,
        threshold: experiment.threshold,
        right: score.right,
        asked: score.asked,
        log_likelihood: score.log_likelihood,
        updates: course.trainer.step(),
        flops,
        seconds: (begun.elapsed().as_secs_f64() * 100.0).round() / 100.0,
        task: experiment.task.clone(),
        size: experiment.size,
        recipe: recipe.clone(),
        weights: course.trainer.fingerprint(),
        curve,
    })
}

/// Four digits after the point are enough for a curve.
fn rounded(x: f64) -> f64 {
    (x * 1e4).round() / 1e4
}

/// How long a run of all updates at a rung takes on this machine, in seconds: a few updates are made and timed.
///
/// # Errors
/// As [`run`].
pub fn estimate_seconds(experiment: &Experiment, rung: usize) -> Result<f64> {
    let mut course = Course::new(experiment.task()?, &experiment.recipe, rung, 0)?;
    course.update()?; // the first one asks for the memory
    let (begun, mut updates) = (Instant::now(), 0);
    while updates < 3 || begun.elapsed().as_secs_f64() < 0.1 {
        course.update()?;
        updates += 1;
    }
    Ok(begun.elapsed().as_secs_f64() / f64::from(updates) * experiment.recipe.updates as f64)
}

/// Runs a line of the ledger again: what came out then, and now.
///
/// # Errors
/// As [`run`].
pub fn again(line: &Outcome, commit: &str) -> Result<Outcome> {
    let experiment = Experiment {
        name: line.experiment.clone(),
        question: String::new(),
        task: line.task.clone(),
        size: line.size,
        threshold: line.threshold,
        expected_rung: None,
        why: String::new(),
        recipe: line.recipe.clone(),
        rungs: vec![line.rung],
        seeds: vec![line.seed],
    };
    run(&experiment, line.rung, line.seed, commit, |_, _| {})
}

/// What is different between two outcomes, besides the commit and the time: empty if they are the same, bit for bit.
pub fn differences(then: &Outcome, now: &Outcome) -> Vec<String> {
    let mut found = Vec::new();
    for (then, now) in then.curve.iter().zip(&now.curve) {
        if then != now && found.is_empty() {
            found.push(format!(
                "from update {} on: {:?} then, {:?} now",
                then.0,
                (then.1, then.2),
                (now.1, now.2)
            ));
        }
    }
    let numbers = [
        ("value", then.value, now.value),
        ("log_likelihood", then.log_likelihood, now.log_likelihood),
        ("updates", then.updates as f64, now.updates as f64),
        ("tokens", then.tokens as f64, now.tokens as f64),
    ];
    let differ = numbers.into_iter().filter(|(_, then, now)| then.to_bits() != now.to_bits());
    found.extend(differ.map(|(name, then, now)| format!("{name}: {then} then, {now} now")));
    if then.weights != now.weights {
        found.push(format!("weights: {} then, {} now", then.weights, now.weights));
    }
    found
}
