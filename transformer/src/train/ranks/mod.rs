//! Several processes that train one model together: data parallel.
//!
//! Every rank has the whole model and draws the same batches, but takes the gradient of its own rows only. Then
//!
//! ```text
//! g = Σᵣ wᵣ·gᵣ        wᵣ: the share of the targets that are rank r's        one all-reduce an update
//! ```
//!
//! is on every rank, to the bit, and each makes the same step with it. What the run is does not depend on the number of
//! ranks, but for the rounding of sums: a row is dropped the same way whoever computes it.
//!
//! Only the first rank prints and writes. One process alone is a team of one: [`Alone`].

#[cfg(feature = "mpi")]
mod mpi;
#[cfg(test)]
mod tests;

use super::gradient::Gradient;
use super::optimizer::norm;
use super::shards::gradient;
use super::trainer::total_loss;
use crate::data::batches::Batch;
use crate::error::{Error, Result};
use crate::model::{Gpt, Pass};
use autograd::Tensor;
use std::ops::Range;
use std::rc::Rc;

/// What the processes that train together have to tell one another. All of them make the same calls in the same order.
pub trait Ranks {
    /// Which of them this is, from 0.
    fn rank(&self) -> usize;

    /// How many there are.
    fn size(&self) -> usize;

    /// How many of them run on this machine, and share its cores.
    fn on_this_machine(&self) -> usize;

    /// Entry by entry the sum of all ranks' numbers: the same bits on every rank.
    fn sum(&self, numbers: &mut [f32]);

    /// The same at 64 bits.
    fn sum_f64(&self, numbers: &mut [f64]);
}

/// The only process of its run.
pub struct Alone;

impl Ranks for Alone {
    fn rank(&self) -> usize {
        0
    }
    fn size(&self) -> usize {
        1
    }
    fn on_this_machine(&self) -> usize {
        1
    }
    fn sum(&self, _: &mut [f32]) {}
    fn sum_f64(&self, _: &mut [f64]) {}
}

/// The processes that `mpirun` has started, or this one alone.
///
/// # Errors
/// If there are several, but the program was built without MPI.
pub fn start() -> Result<Rc<dyn Ranks>> {
    // What Open MPI, MPICH and Slurm tell each process that they start.
    let told = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"];
    let size = told.iter().filter_map(|name| std::env::var(name).ok()?.parse::<usize>().ok()).max();
    match size {
        Some(2..) => start_mpi(),
        _ => Ok(Rc::new(Alone)),
    }
}

#[cfg(feature = "mpi")]
fn start_mpi() -> Result<Rc<dyn Ranks>> {
    Ok(Rc::new(mpi::Mpi::start()?))
}

#[cfg(not(feature = "mpi"))]
fn start_mpi() -> Result<Rc<dyn Ranks>> {
    Err(Error::new(
        "mpirun has started this program, which was built without MPI: each process would train alone",
    )
    .way_out("build it by `cargo build --release --features mpi`, or start it without mpirun"))
}

impl dyn Ranks + '_ {
    /// Whether this is the rank that prints and writes.
    pub fn is_first(&self) -> bool {
        self.rank() == 0
    }

    /// Which of `rows` rows are this rank's: all ranks' parts side by side are all rows, and differ by one at most.
    pub fn part(&self, rows: usize) -> Range<usize> {
        let start = |rank: usize| rank * rows / self.size();
        start(self.rank())..start(self.rank() + 1)
    }

    /// Whether any rank says yes.
    pub fn any(&self, mine: bool) -> bool {
        let mut yes = [f64::from(u8::from(mine))];
        self.sum_f64(&mut yes);
        yes[0] > 0.0
    }

    /// What this rank has made, if every rank has made its own.
    ///
    /// # Errors
    /// If one has failed. So no rank goes on to wait for one that has stopped.
    pub fn agree<T>(&self, mine: Result<T>) -> Result<T> {
        let mut failed = vec![0.0; self.size()];
        failed[self.rank()] = f64::from(u8::from(mine.is_err()));
        self.sum_f64(&mut failed);
        match failed.iter().position(|&failed| failed > 0.0) {
            Some(first) if first != self.rank() => {
                Err(Error::new(format!("rank {} stops, because rank {first} has failed", self.rank())))
            }
            _ => mine,
        }
    }

    /// Checks that all ranks have the same number as the first one.
    ///
    /// # Errors
    /// If one has another.
    pub fn same(&self, mine: u64, what: &str) -> Result<()> {
        let halves = [(mine >> 32) as f64, (mine as u32).into()];
        let mut first = if self.is_first() { halves } else { [0.0; 2] };
        self.sum_f64(&mut first);
        self.agree(if first == halves {
            Ok(())
        } else {
            Err(Error::new(format!("rank {} has not the same {what} as rank 0", self.rank())).way_out(
                "let all ranks run the same program on processors of one kind, and read the same files",
            ))
        })
    }

    /// The gradient of some batches, of which each rank has computed its rows.
    ///
    /// # Errors
    /// As [`gradient`], on every rank.
    pub fn gradient(
        &self,
        model: &Gpt<Tensor<f32>>,
        batches: &[Batch],
        pass: impl Fn(usize) -> Pass,
    ) -> Result<Gradient<f32>> {
        if self.size() == 1 {
            return gradient(model, batches, pass);
        }
        let part = |batch: &Batch| self.part(batch.rows);
        let mine: Vec<Batch> = batches.iter().map(|batch| batch.part(part(batch))).collect();
        let mut found = self.agree(gradient(model, &mine, |i| pass(i).from_row(part(&batches[i]).start)))?;
        let targets = |batches: &[Batch]| batches.iter().map(Batch::targets).sum::<usize>() as f64;
        let share = targets(&mine) / targets(batches);
        let mut loss = [found.loss * share];
        self.sum_f64(&mut loss);
        found.loss = loss[0];
        self.sum_weighted(&mut found.of, share as f32);
        found.norm = norm(&found.of);
        Ok(found)
    }

    /// All tensors in one go: a message costs its latency once.
    fn sum_weighted(&self, tensors: &mut [Tensor<f32>], share: f32) {
        let mut numbers: Vec<f32> =
            tensors.iter().flat_map(|tensor| tensor.data().iter().map(|x| x * share)).collect();
        self.sum(&mut numbers);
        let mut rest = &numbers[..];
        for tensor in tensors {
            let (sums, after) = rest.split_at(tensor.numel());
            tensor.data_mut().copy_from_slice(sums);
            rest = after;
        }
    }

    /// The mean of −ln p(next token) over all targets of some batches, without dropout; every rank takes its turn.
    ///
    /// # Errors
    /// That of the first batch that is one, on every rank.
    pub fn mean_loss(
        &self,
        model: &Gpt<Tensor<f32>>,
        batches: impl Iterator<Item = Result<Batch>>,
    ) -> Result<f64> {
        let mine = batches.enumerate().filter(|(i, _)| i % self.size() == self.rank());
        let (sum, targets) = self.agree(total_loss(model, mine.map(|(_, batch)| batch)))?;
        let mut totals = [sum, targets as f64];
        self.sum_f64(&mut totals);
        Ok(totals[0] / totals[1])
    }
}
