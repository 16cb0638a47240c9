//! `metrics.jsonl`: what is measured on the way, one JSON object a line.

use super::lines::{Line, Lines};
use super::{METRICS, RunDir};
use crate::error::Result;
use serde::{Deserialize, Serialize, Serializer};

/// What is measured at one step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// The number of updates that were done when this was written.
    pub step: usize,
    /// The loss of the last update's batch, in nats per token.
    pub train_loss: f64,
    /// The validation loss in nats per token, where it was evaluated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub val_loss: Option<f64>,
    /// The learning rate of the last update.
    pub lr: f64,
    /// The norm of the last update's gradient, before clipping.
    #[serde(serialize_with = "in_json")]
    pub grad_norm: f64,
    /// The tokens trained on per second since the line before.
    pub tokens_per_second: f64,
    /// The entropy of the text in nats per token, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor: Option<f64>,
}

/// JSON has no infinity: a norm whose squares overflow, of a run that blows up, is written as the largest one of a layer.
fn in_json<S: Serializer>(norm: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(norm.min(f64::from(f32::MAX)))
}

/// A `metrics.jsonl` that is being written.
pub type Metrics = Lines<Measurement>;

impl Line for Measurement {
    const FILE: &'static str = METRICS;
    const NAME: &'static str = "measurement";

    fn step(&self) -> usize {
        self.step
    }
}

impl RunDir {
    /// Opens `metrics.jsonl` to go on after `step`, see [`lines_after`](RunDir::lines_after).
    ///
    /// # Errors
    /// If the file cannot be written, or a line in its midst is damaged.
    pub fn metrics_after(&self, step: usize) -> Result<Metrics> {
        self.lines_after(step)
    }

    /// Reads all measurements.
    ///
    /// # Errors
    /// If the file is missing, or a line other than an unfinished last one is damaged; the message names the line.
    pub fn measurements(&self) -> Result<Vec<Measurement>> {
        self.lines()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, OpenOptions};
    use std::marker::PhantomData;
    use std::path::PathBuf;

    fn measurement(step: usize) -> Measurement {
        Measurement {
            step,
            train_loss: 4.0 / step as f64,
            val_loss: step.is_multiple_of(2).then_some(0.1 + 0.2),
            lr: 1e-3,
            grad_norm: 1.5,
            tokens_per_second: 1e4,
            floor: None,
        }
    }

    fn run_with(content: &str) -> (tempfile::TempDir, RunDir) {
        let directory = tempfile::tempdir().unwrap();
        let run = RunDir::create(directory.path(), false).unwrap();
        fs::write(run.file(METRICS), content).unwrap();
        (directory, run)
    }

    #[test]
    fn a_line_has_the_names_that_scripts_rely_on_and_only_what_was_measured() {
        let (_directory, run) = run_with("");
        run.metrics_after(0).unwrap().append(&measurement(1)).unwrap();
        let line = fs::read_to_string(run.file(METRICS)).unwrap();
        let expected =
            r#"{"step":1,"train_loss":4.0,"lr":0.001,"grad_norm":1.5,"tokens_per_second":10000.0}"#;
        assert_eq!(line, format!("{expected}\n"));
    }

    #[test]
    fn a_killed_and_resumed_run_leaves_the_lines_of_an_uninterrupted_one() {
        let (_directory, run) = run_with("");
        let mut metrics = run.metrics_after(0).unwrap();
        (1..=10).for_each(|step| metrics.append(&measurement(step)).unwrap());
        let uninterrupted = fs::read(run.file(METRICS)).unwrap();
        // Killed in the midst of writing a later line, with the last checkpoint at step 4.
        fs::write(run.file(METRICS), &uninterrupted[..uninterrupted.len() - 20]).unwrap();
        let mut metrics = run.metrics_after(4).unwrap();
        assert_eq!(run.measurements().unwrap().last().unwrap().step, 4);
        (5..=10).for_each(|step| metrics.append(&measurement(step)).unwrap());
        assert_eq!(fs::read(run.file(METRICS)).unwrap(), uninterrupted);
        assert_eq!(run.measurements().unwrap(), (1..=10).map(measurement).collect::<Vec<_>>());
    }

    #[test]
    fn a_gradient_whose_norm_overflows_leaves_a_line_that_can_be_read_again() {
        let (_directory, run) = run_with("");
        let mut metrics = run.metrics_after(0).unwrap();
        for grad_norm in [f64::INFINITY, f64::NAN] {
            metrics.append(&Measurement { grad_norm, ..measurement(1) }).unwrap();
        }
        let norms: Vec<f64> = run.measurements().unwrap().iter().map(|line| line.grad_norm).collect();
        assert_eq!(norms, [f64::from(f32::MAX); 2]);
    }

    #[test]
    fn a_damaged_line_is_an_error_that_names_it() {
        let (_directory, run) = run_with("{\"step\": 1}\nrubbish\n");
        let message = run.metrics_after(5).unwrap_err().to_string();
        assert!(message.contains("metrics.jsonl, line 1: ") && message.contains("`train_loss`"), "{message}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_reported() {
        let path = PathBuf::from("/dev/full");
        let file = OpenOptions::new().append(true).open(&path).unwrap();
        let message =
            Metrics { path, file, of: PhantomData }.append(&measurement(1)).unwrap_err().to_string();
        assert!(message.contains("the disk is full"), "{message}");
    }
}
