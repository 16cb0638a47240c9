//! Climbing the ladder: run after run, each saved when it is done and, now and then, while it goes on. After a kill the
//! same command goes on where it was.

use super::checkpoint::{Notes, files_of};
use super::fit::{Law, Point, interval};
use super::ladder;
use super::pool;
use super::record::{Fit, Job, Prediction, Run, Scaling};
use super::sound::LOSSES;
use super::source::Source;
use crate::data::batches::Batch;
use crate::error::{Error, Result};
use crate::files::write_json;
use crate::model::Gpt;
use crate::random::{Purpose, generator};
use crate::train::stream::StreamTrainer;
use crate::train::trainer::mean_loss;
use autograd::Tensor;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The file with the plan and all that came of it.
pub const SCALING: &str = "scaling.json";
/// The time between two checkpoints of a run.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(10);
/// The tokens of a look on the way.
const LOOK: usize = 8_000;
/// The looks on the way, evenly spaced on a logarithmic axis.
const LOOKS: f64 = 8.0;
/// The laws that the bootstrap fits.
const SAMPLES: usize = 200;

/// A ladder that is being climbed.
pub struct Climb<'a> {
    directory: &'a Path,
    source: &'a Source,
    threads: usize,
    validation: Vec<Batch>,
    look: Vec<Batch>,
    scaling: Mutex<Scaling>,
}

/// A run that goes on.
struct Course {
    trainer: StreamTrainer,
    tokens: u64,
    notes: Notes,
}

impl<'a> Climb<'a> {
    /// Goes on from `scaling`, whose plan is kept in `directory`.
    ///
    /// # Errors
    /// If the validation part cannot be read.
    pub fn new(directory: &'a Path, source: &'a Source, threads: usize, scaling: Scaling) -> Result<Self> {
        let (validation, look) = (source.validation(usize::MAX)?, source.validation(LOOK)?);
        Ok(Climb { directory, source, threads, validation, look, scaling: Mutex::new(scaling) })
    }

    /// What is known so far.
    pub fn scaling(&self) -> Scaling {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Scaling> {
        self.scaling.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Writes `scaling.json`.
    ///
    /// # Errors
    /// If the disk is full or the directory cannot be written.
    pub fn save(&self) -> Result<()> {
        write_json(&self.directory.join(SCALING), &*self.lock())
    }

    /// Does all of the jobs that are not done yet; `done` sees each.
    ///
    /// # Errors
    /// If a file cannot be written, or a loss is no longer a number.
    pub fn climb(&self, jobs: &[Job], done: impl Fn(&Run) + Sync) -> Result<()> {
        let open: Vec<Job> = jobs.iter().copied().filter(|job| !self.lock().has(job)).collect();
        pool::for_each(&open, self.threads, |job| {
            let run = self.run(job)?;
            {
                let mut scaling = self.lock();
                scaling.runs.push(run.clone());
                write_json(&self.directory.join(SCALING), &*scaling)?;
            }
            let [tensors, notes] = files_of(self.directory, job);
            let _ = (fs::remove_file(tensors), fs::remove_file(notes)); // they are of no use any more
            done(&run);
            Ok(())
        })
    }

    /// One model from its beginning, or from its checkpoint, to its end.
    fn run(&self, job: &Job) -> Result<Run> {
        let (mut course, begun, mut saved) = (self.begin(job)?, Instant::now(), Instant::now());
        let before = course.notes.seconds;
        while course.trainer.step() < job.updates {
            self.update(job, &mut course)?;
            if saved.elapsed() > CHECKPOINT_EVERY {
                course.notes.seconds = before + begun.elapsed().as_secs_f64();
                self.keep(job, &mut course)?;
                saved = Instant::now();
            }
        }
        let Course { trainer, tokens, notes } = course;
        let (vocab_size, rows) = self.vocab_size_and_rows();
        let length = tokens as f64 / (rows * job.updates) as f64;
        Ok(Run {
            rung: job.rung,
            seed: job.seed,
            updates: job.updates,
            weights: ladder::weights(job.rung),
            parameters: trainer.model.numel(),
            tokens,
            flops: tokens as f64 * ladder::flops_per_token(job.rung, vocab_size, length.round() as usize),
            loss: loss(&trainer.model, &self.validation)?,
            curve: notes.curve.iter().map(|&(_, tokens, loss)| (tokens, loss)).collect(),
            seconds: before + begun.elapsed().as_secs_f64(),
        })
    }

    fn vocab_size_and_rows(&self) -> (usize, usize) {
        let plan = &self.lock().plan;
        (plan.vocab_size, plan.rows)
    }

    /// A run that begins, or goes on from its checkpoint.
    fn begin(&self, job: &Job) -> Result<Course> {
        let (vocab_size, rows) = self.vocab_size_and_rows();
        let model = ladder::model(job.rung, vocab_size, self.source.context());
        let config = ladder::recipe(model, rows, job.updates, job.seed);
        let [tensors, notes_path] = files_of(self.directory, job);
        if !tensors.exists() || !notes_path.exists() {
            return Ok(Course { trainer: StreamTrainer::new(config)?, tokens: 0, notes: Notes::default() });
        }
        let way_out = "delete the two files of this run: it then begins anew";
        let trainer = StreamTrainer::restore(&tensors, config).map_err(|error| error.way_out(way_out))?;
        let mut notes = Notes::read(&notes_path).map_err(|error| error.way_out(way_out))?;
        let tokens = notes.tokens_at(trainer.step()).ok_or_else(|| {
            Error::new("this does not belong to the tensors beside it").in_file(&notes_path).way_out(way_out)
        })?;
        Ok(Course { trainer, tokens, notes })
    }

    fn update(&self, job: &Job, course: &mut Course) -> Result<()> {
        let Course { trainer, tokens, notes } = course;
        let batch = self.source.batch(job.seed, trainer.config.batch_size, trainer.step())?;
        *tokens += batch.targets() as u64;
        let place = |error: Error| error.at(format!("rung {}", job.rung));
        trainer.update(batch).map_err(place)?;
        if looks_at(trainer.step(), job.updates) {
            let loss = loss(&trainer.model, &self.look).map_err(place)?;
            notes.curve.push((trainer.step(), *tokens, loss));
        }
        Ok(())
    }

    /// Writes a checkpoint. The notes first: they may then know more than the tensors, never less.
    fn keep(&self, job: &Job, course: &mut Course) -> Result<()> {
        let [tensors, notes] = files_of(self.directory, job);
        course.notes.tokens.push((course.trainer.step(), course.tokens));
        write_json(&notes, &course.notes)?;
        course.trainer.save(&tensors)
    }

    /// Fits the law to the rungs below the held-out one, and says what that one will come to.
    pub fn predict(&self) {
        let mut scaling = self.lock();
        let tokens: Vec<(usize, u64)> =
            scaling.plan.predicted().iter().map(|job| self.tokens(job, scaling.plan.rows)).collect();
        let points: Vec<_> =
            scaling.points(&scaling.plan.rungs).into_iter().map(|(_, point)| point).collect();
        let law = Law::fit(&points);
        let laws = law.bootstrap(&points, SAMPLES, &mut generator(0, Purpose::Evaluation));
        let of = |part: fn(&Law) -> f64| interval(laws.iter().map(part));
        let fit = Fit {
            law,
            intervals: [of(|l| l.e), of(|l| l.ln_a), of(|l| l.alpha), of(|l| l.ln_b), of(|l| l.beta)],
            worst_residual: worst_residual(&law, &points),
        };
        let rung = scaling.plan.held_out;
        let n = ladder::weights(rung) as f64;
        scaling.fit = Some(fit);
        scaling.prediction = tokens
            .iter()
            .map(|&(updates, tokens)| Prediction {
                rung,
                updates,
                tokens,
                predicted: law.loss(n, tokens as f64),
                interval: interval(laws.iter().map(|law| law.loss(n, tokens as f64))),
                measured: None,
            })
            .collect();
    }

    /// The tokens that a run will see: its batches are known before it begins.
    fn tokens(&self, job: &Job, rows: usize) -> (usize, u64) {
        let targets = |i: usize| self.source.targets(job.seed, rows, i) as u64;
        (job.updates, (0..job.updates).map(targets).sum())
    }

    /// Puts what came out beside what was said.
    pub fn compare(&self) {
        let mut scaling = self.lock();
        let measured = scaling.points(&[scaling.plan.held_out]);
        for prediction in &mut scaling.prediction {
            let found = measured.iter().find(|(job, _)| job.updates == prediction.updates);
            prediction.measured = found.map(|(_, point)| point.loss);
        }
    }
}

/// The largest difference between a fitted loss and the law, as a share of it; NaN if one of them is.
fn worst_residual(law: &Law, points: &[Point]) -> f64 {
    let off = |point: &Point| (law.loss(point.n, point.d) / point.loss - 1.0).abs();
    points.iter().map(off).max_by(f64::total_cmp).unwrap_or(0.0)
}

/// The loss on some batches. One of 0 is no point of a law: it has no logarithm.
fn loss(model: &Gpt<Tensor<f32>>, batches: &[Batch]) -> Result<f64> {
    let loss = mean_loss(model, batches.iter().cloned().map(Ok))?;
    if LOSSES.contains(&loss) {
        return Ok(loss);
    }
    let way_out = match loss.is_finite() {
        true => "take a text in which there is something to guess",
        false => "its training has left what numbers can hold: give another --seed, or other --rungs",
    };
    Err(Error::new(format!("a model has a loss of {loss}, to which no law can be fitted")).way_out(way_out))
}

/// Whether to look after this update: at about u/2ᵏᐟ² for k = 0, 1, …
fn looks_at(step: usize, updates: usize) -> bool {
    (0..LOOKS as i32).any(|k| (updates as f64 / 2f64.powf(f64::from(k) / 1.5)).round() as usize == step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scale::record::Plan;

    const JOB: Job = Job { rung: 2, updates: 9, seed: 3 };

    fn scaling() -> Scaling {
        let plan = Plan {
            data: "stories".to_owned(),
            fingerprint: None,
            budget_minutes: 1.0,
            rungs: vec![1, 2],
            held_out: 3,
            updates: vec![9],
            rows: 2,
            seeds: vec![3],
            vocab_size: 41,
        };
        Scaling { plan, floor: None, runs: vec![], fit: None, prediction: vec![] }
    }

    #[test]
    fn a_run_that_was_killed_goes_on_from_its_checkpoint_to_the_same_bits() {
        let directory = tempfile::tempdir().unwrap();
        let climb = Climb::new(directory.path(), &Source::Stories, 1, scaling()).unwrap();
        let whole = climb.run(&JOB).unwrap();
        let mut course = climb.begin(&JOB).unwrap();
        for kept in [3, 5] {
            (course.trainer.step()..kept).for_each(|_| climb.update(&JOB, &mut course).unwrap());
            climb.keep(&JOB, &mut course).unwrap();
        }
        climb.update(&JOB, &mut course).unwrap(); // and this one is lost with the kill
        drop(course);
        assert_eq!(climb.begin(&JOB).unwrap().trainer.step(), 5);
        let resumed = climb.run(&JOB).unwrap();
        assert_eq!(Run { seconds: whole.seconds, ..resumed }, whole);
        assert!(whole.curve.len() > 4, "{whole:?}");
    }

    #[test]
    fn a_checkpoint_that_a_kill_cut_in_two_is_still_whole() {
        let directory = tempfile::tempdir().unwrap();
        let climb = Climb::new(directory.path(), &Source::Stories, 1, scaling()).unwrap();
        let mut course = climb.begin(&JOB).unwrap();
        climb.update(&JOB, &mut course).unwrap();
        climb.keep(&JOB, &mut course).unwrap();
        let [tensors, _] = files_of(directory.path(), &JOB);
        let first = fs::read(&tensors).unwrap();
        climb.update(&JOB, &mut course).unwrap();
        climb.keep(&JOB, &mut course).unwrap();
        fs::write(&tensors, first).unwrap(); // the notes of update 2 beside the tensors of update 1
        let course = climb.begin(&JOB).unwrap();
        assert_eq!((course.trainer.step(), course.notes.tokens.len()), (1, 1));
    }

    #[test]
    fn a_checkpoint_of_another_run_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let climb = Climb::new(directory.path(), &Source::Stories, 1, scaling()).unwrap();
        let mut course = climb.begin(&JOB).unwrap();
        climb.update(&JOB, &mut course).unwrap();
        climb.keep(&JOB, &mut course).unwrap();
        let [_, notes] = files_of(directory.path(), &JOB);
        fs::write(&notes, "{\"tokens\":[],\"curve\":[],\"seconds\":0}").unwrap();
        let error = climb.begin(&JOB).err().unwrap().to_string();
        assert!(error.contains("rung-2-updates-9-seed-3.json") && error.contains("way out"), "{error}");
        for (wrong, place) in [
            ("{\"tokens\":[[1,5]],\"curve\":[],\"seconds\":-1}", "seconds: -1 is not from 0"),
            ("{\"tokens\":[[1,18446744073709551615]],\"curve\":[],\"seconds\":0}", "tokens: "),
            ("{\"tokens\":[[1,5]],\"curve\":[[1,5,0]],\"seconds\":0}", "curve: 0 is not from "),
        ] {
            fs::write(&notes, wrong).unwrap();
            let error = climb.begin(&JOB).err().unwrap().to_string();
            assert!(error.contains("seed-3.json, ") && error.contains(place), "{error}");
            assert!(error.contains("way out: delete the two files"), "{error}");
        }
    }

    #[test]
    fn the_worst_residual_is_the_largest_and_nan_is_worse_than_any_number() {
        let law = Law { e: 1.0, ln_a: 0.0, alpha: 0.0, ln_b: 0.0, beta: 0.0 }; // a loss of 1 + 1 + 1 everywhere
        let point = |loss| Point { n: 10.0, d: 100.0, loss };
        assert_eq!(worst_residual(&law, &[3.0, 2.0, 4.0].map(point)), 0.5, "3/3, 3/2 and 3/4");
        for nan in 0..3 {
            let mut points = [3.0, 2.0, 4.0].map(point);
            points[nan].loss = f64::NAN;
            assert!(worst_residual(&law, &points).is_nan(), "a residual that is no number must not vanish");
        }
    }
}
