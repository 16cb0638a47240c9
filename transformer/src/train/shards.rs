//! The gradient of a batch in two shards, side by side: each thread walks half of the rows, forward and back, on a tape
//! of its own, and they meet once a step.
//!
//! ```text
//! g = w₁·g₁ + w₂·g₂        wₛ: the share of the targets that are in shard s
//! ```
//!
//! The other way is to share out each product, and to meet some sixty times a step. What the meetings and the second
//! gradient cost was measured on two cores (`benches/peers/README.md`): models of 0.1 and 0.8 million numbers take about
//! a seventh and a twentieth less time in shards; one of 11 million gains nothing, and would keep its gradient twice. So a model of
//! up to [`MOST`] numbers is walked in shards.
//!
//! How a batch is cut does not depend on the number of threads, so neither do the bits. From four threads on, the shards
//! come one after the other, and their products are shared out.

use super::gradient::{Gradient, Sum, of_batch};
use crate::data::batches::Batch;
use crate::error::Result;
use crate::model::{Gpt, Pass};
use autograd::kernels::threads::{for_each_chunk, threads};
use autograd::{Float, OpTime, Tape, Tensor};

/// The numbers of the largest model whose batches are cut.
pub const MOST: usize = 1 << 21;
/// The tokens of the smallest batch that is cut.
pub const FEWEST: usize = 128;

/// One thread's part of a step.
struct Shard<T: Float> {
    batch: Batch,
    share: f64,
    pass: Pass,
    /// Tensors of the parameters' shapes for the pool of the thread that will walk this shard: as many as it gives away
    /// with its gradient. Without them its pool would have to ask for new memory in each step.
    spare: Vec<Tensor<T>>,
    clocked: bool,
    times: Vec<OpTime>,
    found: Option<Result<Sum<T>>>,
}

/// [`gradient`](super::gradient::gradient), with each batch in shards.
///
/// # Errors
/// As there, those of the first shard that has one.
pub fn gradient<T: Float>(
    model: &Gpt<Tensor<T>>,
    batches: &[Batch],
    pass: impl Fn(usize) -> Pass,
) -> Result<Gradient<T>> {
    walk(model, batches, pass, None)
}

/// The same; adds to `times` what each op has taken: the mean of the shards that were walked side by side.
///
/// # Errors
/// As [`gradient`].
pub fn gradient_clocked<T: Float>(
    model: &Gpt<Tensor<T>>,
    batches: &[Batch],
    pass: impl Fn(usize) -> Pass,
    times: &mut Vec<OpTime>,
) -> Result<Gradient<T>> {
    walk(model, batches, pass, Some(times))
}

fn walk<T: Float>(
    model: &Gpt<Tensor<T>>,
    batches: &[Batch],
    pass: impl Fn(usize) -> Pass,
    mut times: Option<&mut Vec<OpTime>>,
) -> Result<Gradient<T>> {
    let targets: usize = batches.iter().map(Batch::targets).sum();
    let mut sum = Sum::default();
    for (i, batch) in batches.iter().enumerate() {
        let shard = |(row, part): (usize, Batch)| Shard {
            share: part.targets() as f64 / targets as f64,
            batch: part,
            pass: pass(i).from_row(row),
            spare: Vec::new(),
            clocked: times.is_some(),
            times: Vec::new(),
            found: None,
        };
        let parameters = model.parameters();
        let numel = parameters.iter().map(|(_, parameter)| parameter.numel()).sum();
        let mut shards: Vec<Shard<T>> = cut(numel, batch).into_iter().map(shard).collect();
        let threads = threads();
        let side_by_side = if threads < 2 * shards.len() { threads.min(shards.len()) } else { 1 };
        if side_by_side > 1 {
            for shard in &mut shards {
                shard.spare = parameters.iter().map(|(_, p)| Tensor::build(p.shape(), |_| {})).collect();
            }
            for_each_chunk(&mut shards, 1, |_, shard| shard[0].walk(model));
        } else {
            shards.iter_mut().for_each(|shard| shard.walk(model));
        }
        for shard in shards {
            if let Some(times) = &mut times {
                merge(times, shard.times, side_by_side as u32);
            }
            sum.add(shard.found.expect("each shard has been walked")?);
        }
    }
    sum.finished(model, batches, pass)
}

impl<T: Float> Shard<T> {
    fn walk(&mut self, model: &Gpt<Tensor<T>>) {
        self.spare.clear();
        let tape = Tape::new();
        if self.clocked {
            tape.profile();
        }
        self.found = Some(of_batch(&tape, model, &self.batch, self.share, &self.pass));
        self.times = tape.op_times();
    }
}

/// The shards of a batch, and their first rows: halves, if they are nearly equal and both have targets.
fn cut(parameters: usize, batch: &Batch) -> Vec<(usize, Batch)> {
    let (half, rows) = (batch.rows.div_ceil(2), batch.rows);
    let whole = || vec![(0, batch.clone())];
    let nearly_equal = 8 * (2 * half - rows) <= rows; // of 3 and 2 rows, one thread would do three fifths
    if parameters > MOST || rows * batch.length < FEWEST || !nearly_equal {
        return whole();
    }
    let parts = [0..half, half..rows].map(|rows| (rows.start, batch.part(rows)));
    match parts.iter().all(|(_, part)| part.targets() > 0) {
        true => parts.into(),
        false => whole(),
    }
}

/// Adds up the times of shards; each has the same calls.
fn merge(sum: &mut Vec<OpTime>, of_shard: Vec<OpTime>, side_by_side: u32) {
    for time in of_shard {
        let (forward, backward) = (time.forward / side_by_side, time.backward / side_by_side);
        match sum.iter_mut().find(|sum| sum.op == time.op) {
            Some(sum) => {
                sum.forward += forward;
                sum.backward += backward;
            }
            None => sum.push(OpTime { forward, backward, ..time }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::batches::IGNORE;
    use crate::model::ModelConfig;
    use crate::random::{Purpose, generator};
    use crate::train::gradient;
    use autograd::kernels::threads::set_threads;

    fn model<T: Float>() -> Gpt<Tensor<T>> {
        let config = ModelConfig {
            n_layer: 2,
            n_head: 2,
            n_embd: 8,
            block_size: 32,
            vocab_size: 9,
            ..ModelConfig::default()
        };
        Gpt::init(&config, 4)
    }

    /// Windows of 32 tokens; every seventh target does not count.
    fn batch(rows: usize) -> Batch {
        let token = |i: usize| (i * i + 3 * i) % 9;
        let target = |i: usize| if i.is_multiple_of(7) { IGNORE } else { token(i + 1) };
        Batch {
            x: (0..rows * 32).map(token).collect(),
            y: (0..rows * 32).map(target).collect(),
            rows,
            length: 32,
        }
    }

    fn dropping(i: usize) -> Pass {
        Pass::training(0.2, generator(i as u64, Purpose::Dropout))
    }

    #[test]
    fn shards_add_up_to_the_gradient_of_the_batch_also_where_activations_are_dropped_and_targets_do_not_count()
     {
        let model = model::<f64>();
        for rows in [1, 4, 5, 8, 9] {
            let batches = [batch(rows), batch(3)];
            let parts: Vec<usize> = batches.iter().map(|batch| cut(model.numel(), batch).len()).collect();
            assert_eq!(
                parts,
                [if [4, 8, 9].contains(&rows) { 2 } else { 1 }, 1],
                "shards of {rows} rows, and of 3"
            );
            let found = super::gradient(&model, &batches, dropping).unwrap();
            let whole = gradient::gradient(&model, &batches, dropping).unwrap();
            approx::assert_relative_eq!(found.loss, whole.loss, max_relative = 1e-13);
            for (found, whole) in found.of.iter().zip(&whole.of) {
                for (&found, &whole) in found.data().iter().zip(whole.data()) {
                    approx::assert_relative_eq!(found, whole, epsilon = 1e-14);
                }
            }
        }
    }

    #[test]
    fn the_bits_do_not_depend_on_the_number_of_threads() {
        let model = model::<f32>();
        let bits = |threads| {
            set_threads(threads);
            let found = super::gradient(&model, &[batch(8)], dropping).unwrap();
            let of = found.of.iter().flat_map(|tensor| tensor.data()).map(|x| x.to_bits());
            (found.loss.to_bits(), of.collect::<Vec<_>>())
        };
        let before = threads();
        let one = bits(1);
        for threads in [2, 3, 4] {
            assert!(bits(threads) == one, "{threads} threads computed other bits than one");
        }
        set_threads(before);
    }

    #[test]
    fn a_batch_is_not_cut_if_half_of_it_has_no_target_or_the_model_is_large() {
        let mut half = batch(8);
        half.y[..4 * 32].fill(IGNORE);
        assert_eq!(cut(1000, &half).len(), 1);
        assert!(super::gradient(&model::<f32>(), &[half], dropping).unwrap().loss.is_finite());
        assert_eq!((cut(MOST, &batch(8)).len(), cut(MOST + 1, &batch(8)).len()), (2, 1));
    }

    #[test]
    fn the_clock_of_shards_names_every_op_once_with_its_calls_in_one_pass() {
        let mut times = Vec::new();
        gradient_clocked(&model::<f32>(), &[batch(8)], |_| Pass::evaluation(), &mut times).unwrap();
        let attention: Vec<_> = times.iter().filter(|time| time.op == "causal_attention").collect();
        assert_eq!(attention.len(), 1, "{times:?}");
        assert_eq!(attention[0].calls, 2, "a call a layer");
    }
}
