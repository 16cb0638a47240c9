//! `scaling.json`: the plan, the runs, the fit, the prediction and what came of it.

use super::fit::{Law, Point};
use super::ladder;
use serde::{Deserialize, Serialize};

/// The whole file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scaling {
    /// What is trained, and how long; made once, before the first run.
    pub plan: Plan,
    /// The loss that no model can undercut on the validation part, in nats per token, where it is known.
    pub floor: Option<f64>,
    /// The runs that are done, the held-out rung's last.
    pub runs: Vec<Run>,
    /// The law, fitted to all runs but the held-out rung's.
    pub fit: Option<Fit>,
    /// What the law said of the held-out rung before it was run, and what came of it.
    pub prediction: Vec<Prediction>,
}

/// A ladder of runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The corpus: `stories`, or a file.
    pub data: String,
    /// A hash of its text; `stories` needs none.
    #[serde(default)]
    pub fingerprint: Option<String>,
    /// How long it was meant to take, in minutes.
    pub budget_minutes: f64,
    /// The rungs that are fitted.
    pub rungs: Vec<usize>,
    /// The rung whose loss is predicted.
    pub held_out: usize,
    /// The updates of a run: each rung is trained this long, each time from the beginning.
    pub updates: Vec<usize>,
    /// The rows of a batch.
    pub rows: usize,
    /// The seeds; the losses of a rung and a length are averaged over them.
    pub seeds: Vec<u64>,
    /// How many different tokens there are.
    pub vocab_size: usize,
}

/// One model, trained to its own end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The rung.
    pub rung: usize,
    /// The seed.
    pub seed: u64,
    /// The updates.
    pub updates: usize,
    /// N: the weights of the layers.
    pub weights: usize,
    /// All parameters.
    pub parameters: usize,
    /// D: the tokens that it was trained on (those that count).
    pub tokens: u64,
    /// C: the floating-point operations of training.
    pub flops: f64,
    /// The loss on the whole validation part, in nats per token.
    pub loss: f64,
    /// Looks on the way: tokens, and the loss on a piece of the validation part.
    pub curve: Vec<(u64, f64)>,
    /// How long it took.
    pub seconds: f64,
}

/// A law with what is known of its certainty.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fit {
    /// The law.
    pub law: Law,
    /// The middle 95 % of the bootstrap's laws: E, ln A, α, ln B, β.
    pub intervals: [[f64; 2]; 5],
    /// The largest difference between a fitted loss and the law, as a share of it.
    pub worst_residual: f64,
}

/// A loss, said before it was known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// The rung.
    pub rung: usize,
    /// The updates.
    pub updates: usize,
    /// D.
    pub tokens: u64,
    /// What the law says.
    pub predicted: f64,
    /// The middle 95 % of what the bootstrap's laws say.
    pub interval: [f64; 2],
    /// What came out, once it has.
    pub measured: Option<f64>,
}

impl Prediction {
    /// (predicted − measured) / measured, once it is known.
    pub fn error(&self) -> Option<f64> {
        self.measured.map(|measured| (self.predicted - measured) / measured)
    }
}

/// A run that is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Job {
    /// The rung.
    pub rung: usize,
    /// The updates.
    pub updates: usize,
    /// The seed.
    pub seed: u64,
}

impl Plan {
    /// The runs that are fitted, the longest first, so that nothing long is left for the end.
    pub fn fitted(&self) -> Vec<Job> {
        let mut jobs = self.jobs(&self.rungs, &self.updates);
        jobs.sort_by_key(|job| std::cmp::Reverse(ladder::weights(job.rung) * job.updates));
        jobs
    }

    /// The runs that are predicted: those of the held-out rung, as long as the longest.
    pub fn predicted(&self) -> Vec<Job> {
        let longest = self.updates.iter().max().copied();
        self.jobs(&[self.held_out], longest.as_slice())
    }

    fn jobs(&self, rungs: &[usize], lengths: &[usize]) -> Vec<Job> {
        let mut jobs = Vec::new();
        for &rung in rungs {
            for &updates in lengths {
                jobs.extend(self.seeds.iter().map(|&seed| Job { rung, updates, seed }));
            }
        }
        jobs
    }
}

impl Scaling {
    /// Whether a run is done.
    pub fn has(&self, job: &Job) -> bool {
        self.runs.iter().any(|run| (run.rung, run.updates, run.seed) == (job.rung, job.updates, job.seed))
    }

    /// The mean over the seeds, for each rung and length of the given rungs.
    pub fn points(&self, rungs: &[usize]) -> Vec<(Job, Point)> {
        let mut points = Vec::new();
        for &rung in rungs {
            for &updates in &self.plan.updates {
                let runs: Vec<&Run> =
                    self.runs.iter().filter(|run| (run.rung, run.updates) == (rung, updates)).collect();
                let mean = |of: &dyn Fn(&Run) -> f64| {
                    runs.iter().map(|run| of(run)).sum::<f64>() / runs.len() as f64
                };
                if let Some(first) = runs.first() {
                    let point = Point {
                        n: first.weights as f64,
                        d: mean(&|run| run.tokens as f64),
                        loss: mean(&|run| run.loss),
                    };
                    points.push((Job { rung, updates, seed: first.seed }, point));
                }
            }
        }
        points
    }
}
