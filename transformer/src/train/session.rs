//! A training session: updates, evaluations, lines of metrics and checkpoints, until the last step or until asked to
//! stop.

use super::layers::{LayersLine, looks_at};
use super::snapshot::Snapshot;
use super::state::Best;
use super::stream::fingerprint;
use super::trainer::{Trainer, Update};
use crate::error::{Error, Result};
use crate::run_dir::RunDir;
use crate::run_dir::lines::Lines;
use crate::run_dir::metrics::{Measurement, Metrics};
use crate::tensorboard::Events;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// A trainer that writes into the directory of a run; of several ranks only the first one writes.
pub struct Session {
    /// What is trained.
    pub trainer: Trainer,
    disk: Option<Disk>,
    best: Option<Best>,
}

/// Where the run is kept.
struct Disk {
    run: RunDir,
    metrics: Metrics,
    layers: Lines<LayersLine>,
    snapshots: Lines<Snapshot>,
    events: Option<Events>,
}

impl Disk {
    /// Opens the files of lines to go on after `step`.
    fn open(run: RunDir, step: usize) -> Result<Self> {
        let (metrics, layers) = (run.metrics_after(step)?, run.lines_after(step)?);
        let snapshots = run.lines_after(step)?;
        Ok(Disk { run, metrics, layers, snapshots, events: None })
    }

    /// Writes what was measured.
    fn record(&mut self, line: &Measurement, layers: Option<&LayersLine>) -> Result<()> {
        self.metrics.append(line)?;
        if let Some(layers) = layers {
            self.layers.append(layers)?;
        }
        self.events.as_mut().map_or(Ok(()), |events| events.append(line, layers))
    }
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// All updates are done.
    Done,
    /// It was asked to stop; the checkpoint is of the last update.
    Stopped,
}

/// What the session tells while it goes on.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// What the last update did.
    pub update: &'a Update,
    /// The line that was written to `metrics.jsonl`, if this step has one.
    pub line: Option<&'a Measurement>,
    /// What it did to each layer, if it was looked at.
    pub layers: Option<&'a LayersLine>,
}

impl Session {
    /// Begins a new run: saves the untrained model, which also finds out at once whether the directory can be written.
    ///
    /// # Errors
    /// If it cannot.
    pub fn begin(trainer: Trainer, run: RunDir) -> Result<Self> {
        let mut disk = Disk::open(run, 0)?;
        trainer.save(&disk.run, None, false, &mut disk.metrics)?;
        disk.snapshots.append(&Snapshot::of(&trainer)?)?;
        Ok(Session { trainer, disk: Some(disk), best: None })
    }

    /// Goes on with a run from its last checkpoint.
    ///
    /// # Errors
    /// If `metrics.jsonl` or another file of lines is damaged or cannot be written.
    pub fn resume(trainer: Trainer, run: RunDir, best: Option<Best>) -> Result<Self> {
        let disk = Disk::open(run, trainer.step())?;
        Ok(Session { trainer, disk: Some(disk), best })
    }

    /// A rank that writes nothing.
    pub fn silent(trainer: Trainer, best: Option<Best>) -> Self {
        Session { trainer, disk: None, best }
    }

    /// Writes what is measured for TensorBoard as well.
    ///
    /// # Errors
    /// If the directory of the run cannot be written.
    pub fn write_events(&mut self) -> Result<()> {
        if let Some(disk) = &mut self.disk {
            disk.events = Some(Events::create(&disk.run.events(), self.trainer.step())?);
        }
        Ok(())
    }

    /// The lowest estimate of the validation loss so far.
    pub fn best(&self) -> Option<Best> {
        self.best
    }

    /// Trains to the last step, or until `stop` is set: the update that runs is then finished and saved.
    ///
    /// # Errors
    /// If the loss is no longer a number, or the disk is full: the last checkpoint is intact.
    pub fn train(
        &mut self,
        stop: &AtomicBool,
        mut watch: impl FnMut(&Trainer, Progress) -> Result<()>,
    ) -> Result<End> {
        let mut since = (Instant::now(), self.trainer.step());
        while self.trainer.step() < self.trainer.config.max_iters {
            let (step, config) = (self.trainer.step() + 1, &self.trainer.config);
            let evaluated = step == config.max_iters || step.is_multiple_of(config.eval_interval);
            let written = evaluated || step.is_multiple_of(config.log_interval) || step == 1;
            let looked = written && looks_at(step, config.log_interval, evaluated);
            let updated = match looked {
                true => self.trainer.update_and_look().map(|(update, layers)| (update, Some(layers))),
                false => self.trainer.update().map(|update| (update, None)),
            };
            let (update, layers) = updated.map_err(|error| self.intact(error))?;
            let ranks = Rc::clone(&self.trainer.ranks);
            let config = &self.trainer.config;
            let (last, asked) = (step == config.max_iters, ranks.any(stop.load(Ordering::Relaxed)));
            let mut estimate = None;
            let line = written.then(|| -> Result<Measurement> {
                let (start, from) = since;
                let seconds = start.elapsed().as_secs_f64();
                let tokens_per_second = rate(from, step, config.tokens_per_update(), seconds);
                estimate = evaluated.then(|| self.trainer.estimate_loss()).transpose()?;
                let val_loss = if last { Some(self.trainer.whole_loss()?) } else { estimate };
                since = (Instant::now(), step);
                let Update { loss: train_loss, lr, grad_norm } = update;
                let floor = self.trainer.dataset.floor;
                Ok(Measurement { step, train_loss, val_loss, lr, grad_norm, tokens_per_second, floor })
            });
            let line = line.transpose()?;
            if evaluated || asked {
                let val_loss = line.as_ref().and_then(|line| line.val_loss);
                for loss in [estimate, val_loss] {
                    self.trainer.check(loss).map_err(|error| self.intact(error))?; // before a good checkpoint is replaced
                }
            }
            if ranks.size() > 1 && (evaluated || asked) {
                ranks
                    .same(fingerprint(&self.trainer.model), "weights")
                    .map_err(|error| self.intact(error))?;
            }
            let written = self.write(line.as_ref(), layers.as_ref(), evaluated || asked, estimate);
            if evaluated {
                since = (Instant::now(), step); // nor is what was written counted
            }
            ranks.agree(written.and_then(|()| {
                watch(
                    &self.trainer,
                    Progress { update: &update, line: line.as_ref(), layers: layers.as_ref() },
                )
            }))?;
            if asked && !last {
                return Ok(End::Stopped);
            }
        }
        Ok(End::Done)
    }

    /// Names the run and its last checkpoint, where an error has ended the training.
    fn intact(&self, error: Error) -> Error {
        if error.file().is_some() {
            return error; // of the data: its way out is another one
        }
        let Some(Disk { run, .. }) = &self.disk else { return error };
        let Ok(saved) = run.trainer_state() else { return error.in_file(run.path()) };
        error.in_file(run.path()).way_out(format!(
            "the checkpoint of step {} is intact: go on from it by --resume with a lower --learning_rate or a longer \
             --warmup_iters",
            saved.step
        ))
    }

    fn write(
        &mut self,
        line: Option<&Measurement>,
        layers: Option<&LayersLine>,
        checkpoint: bool,
        estimate: Option<f64>,
    ) -> Result<()> {
        if let (Some(disk), Some(line)) = (&mut self.disk, line) {
            disk.record(line, layers)?;
            if line.val_loss.is_some() {
                disk.snapshots.append(&Snapshot::of(&self.trainer)?)?;
            }
        }
        if checkpoint { self.checkpoint(estimate) } else { Ok(()) }
    }

    /// Saves the weights; as the best ones too if no estimate, which are all of the same batches, has been lower.
    fn checkpoint(&mut self, estimate: Option<f64>) -> Result<()> {
        let is_best = estimate.is_some_and(|loss| self.best.is_none_or(|best| loss < best.val_loss));
        if let (Some(val_loss), true) = (estimate, is_best) {
            self.best = Some(Best { val_loss, step: self.trainer.step() });
        }
        match &mut self.disk {
            Some(Disk { run, metrics, .. }) => self.trainer.save(run, self.best, is_best, metrics),
            None => Ok(()),
        }
    }
}

/// Tokens a second, of the updates after `from` up to `step`.
fn rate(from: usize, step: usize, tokens_per_update: usize, seconds: f64) -> f64 {
    ((step - from) * tokens_per_update) as f64 / seconds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_counts_only_the_tokens_since_the_line_before() {
        assert_eq!(rate(90, 100, 64, 2.0), 320.0);
        assert_eq!(rate(0, 1, 64, 0.5), 128.0);
    }
}
