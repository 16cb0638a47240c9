//! What ranks compute together is what one process computes. Threads take the place of processes.

use super::*;
use crate::data::dataset::Dataset;
use crate::data::text::Text;
use crate::data::tokenizer::{Tokenizer, TokenizerKind};
use crate::model::ModelConfig;
use crate::random::{Position, Purpose, generator, seek};
use crate::train::config::TrainConfig;
use crate::train::presets::Preset;
use crate::train::trainer::Trainer;
use proptest::prelude::*;
use std::sync::{Arc, Barrier, Mutex};

/// A rank that is a thread.
struct Member {
    rank: usize,
    size: usize,
    meeting: Arc<(Barrier, Mutex<Vec<f64>>)>,
}

impl Ranks for Member {
    fn rank(&self) -> usize {
        self.rank
    }
    fn size(&self) -> usize {
        self.size
    }
    fn on_this_machine(&self) -> usize {
        self.size
    }
    fn sum(&self, numbers: &mut [f32]) {
        let mut wide: Vec<f64> = numbers.iter().map(|&x| x.into()).collect();
        self.sum_f64(&mut wide);
        numbers.iter_mut().zip(wide).for_each(|(x, sum)| *x = sum as f32);
    }
    fn sum_f64(&self, numbers: &mut [f64]) {
        let (barrier, board) = &*self.meeting;
        {
            let mut board = board.lock().unwrap();
            board.resize(numbers.len(), 0.0);
            board.iter_mut().zip(&*numbers).for_each(|(sum, x)| *sum += x);
        }
        barrier.wait();
        numbers.copy_from_slice(&board.lock().unwrap());
        if barrier.wait().is_leader() {
            board.lock().unwrap().clear();
        }
        barrier.wait();
    }
}

/// What each of `size` ranks finds.
fn each_of<R: Send>(size: usize, work: impl Fn(Rc<dyn Ranks>) -> R + Sync) -> Vec<R> {
    let meeting = Arc::new((Barrier::new(size), Mutex::new(Vec::new())));
    std::thread::scope(|scope| {
        let start = |rank| {
            let (work, meeting) = (&work, Arc::clone(&meeting));
            scope.spawn(move || work(Rc::new(Member { rank, size, meeting })))
        };
        let threads: Vec<_> = (0..size).map(start).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// Batches of five rows, which neither two nor three ranks can share equally, with dropout.
fn config() -> TrainConfig {
    let model = ModelConfig {
        n_layer: 2,
        n_head: 2,
        n_embd: 16,
        block_size: 12,
        dropout: 0.2,
        ..Preset::Tiny.config().model
    };
    TrainConfig {
        model,
        batch_size: 5,
        gradient_accumulation_steps: 2,
        eval_iters: 3,
        ..Preset::Tiny.config()
    }
}

fn trainer(ranks: Rc<dyn Ranks>) -> Trainer {
    let text = Text::new("text", (0..300).map(|i| format!("{} and {}\n", i % 7, i % 11)).collect());
    let tokenizer = Tokenizer::for_text(TokenizerKind::Char, text.content());
    let mut config = config();
    config.model.vocab_size = tokenizer.vocab_size();
    let dataset = Dataset::new(&text, &tokenizer, config.model.block_size).unwrap();
    Trainer::new(config, dataset).unwrap().among(ranks).unwrap()
}

fn weights(trainer: &Trainer) -> Vec<f32> {
    trainer.model.parameters().iter().flat_map(|(_, tensor)| tensor.data().to_vec()).collect()
}

#[test]
fn the_gradient_of_a_shared_batch_is_that_of_one_process_also_where_rows_are_dropped_and_shares_differ() {
    let config = ModelConfig { vocab_size: 9, block_size: 32, ..config().model };
    let model = Gpt::<Tensor<f32>>::init(&config, 3);
    // Eight rows for each of two ranks: enough for each to walk its part in shards.
    let batch = |k: usize| {
        let token = |i: usize| (i * i + k * i) % 9;
        Batch { x: (0..512).map(token).collect(), y: (1..513).map(token).collect(), rows: 16, length: 32 }
    };
    let batches = [batch(1), batch(4)];
    let pass = |i: usize| {
        let mut masks = generator(7, Purpose::Dropout);
        seek(&mut masks, Position { words: (i as u64) << 16 });
        Pass::training(0.2, masks)
    };
    let alone = gradient(&model, &batches, pass).unwrap();
    let largest = alone.of.iter().flat_map(|g| g.data()).fold(0.0_f32, |most, x| most.max(x.abs()));
    for size in 1..=5 {
        let found = each_of(size, |ranks| {
            let model = Gpt::<Tensor<f32>>::init(&model.config, 3);
            let found = ranks.gradient(&model, &batches, pass).unwrap();
            (found.loss, found.of.iter().map(|g| g.data().to_vec()).collect::<Vec<_>>())
        });
        for (rank, (loss, of)) in found.iter().enumerate() {
            assert!((loss - alone.loss).abs() < 1e-6, "rank {rank} of {size}: {loss}, alone {}", alone.loss);
            for (name, (of, alone)) in
                model.parameters().iter().map(|(name, _)| name).zip(of.iter().zip(&alone.of))
            {
                for (i, (x, y)) in of.iter().zip(alone.data()).enumerate() {
                    assert!(
                        (x - y).abs() < 2e-6 * largest,
                        "rank {rank} of {size}, {name}[{i}]: {x}, alone {y}"
                    );
                }
            }
        }
    }
}

#[test]
fn ranks_have_the_same_weights_to_the_bit_and_the_losses_of_one_process_to_rounding() {
    let run = |ranks: Rc<dyn Ranks>| {
        let mut trainer = trainer(ranks);
        let losses: Vec<f64> = (0..10).map(|_| trainer.update().unwrap().loss).collect();
        (losses, trainer.estimate_loss().unwrap(), trainer.whole_loss().unwrap(), weights(&trainer))
    };
    let alone = run(Rc::new(Alone));
    for size in [2, 3] {
        let team = each_of(size, run);
        assert!(team.iter().all(|rank| *rank == team[0]), "the ranks have come apart");
        let (losses, estimate, whole, _) = &team[0];
        for (step, (loss, alone)) in losses.iter().zip(&alone.0).enumerate() {
            assert!((loss - alone).abs() < 1e-5, "step {step}: {loss} by {size} ranks, {alone} alone");
        }
        assert!((estimate - alone.1).abs() < 1e-5 && (whole - alone.2).abs() < 1e-5);
    }
}

proptest! {
    #[test]
    fn the_parts_of_all_ranks_are_all_rows_in_order_and_differ_by_one_at_most(size in 1..6usize, rows in 0..40usize) {
        let parts = each_of(size, |ranks| ranks.part(rows));
        prop_assert_eq!(parts.iter().flat_map(Clone::clone).collect::<Vec<_>>(), (0..rows).collect::<Vec<_>>());
        let lengths = || parts.iter().map(Range::len);
        prop_assert!(lengths().max().unwrap() - lengths().min().unwrap() <= 1);
    }
}

#[test]
fn when_one_rank_fails_no_rank_goes_on_and_each_names_the_first_that_has() {
    let told = each_of(3, |ranks| {
        let mine = if ranks.rank() == 1 { Err(Error::new("the disk is full")) } else { Ok(()) };
        ranks.agree(mine).map_err(|error| error.to_string())
    });
    let stops = |rank| Err(format!("rank {rank} stops, because rank 1 has failed"));
    assert_eq!(told, [stops(0), Err("the disk is full".to_owned()), stops(2)]);
}

#[test]
fn ranks_that_have_come_apart_are_found() {
    let told = each_of(2, |ranks| ranks.same(u64::MAX - ranks.rank() as u64, "weights").is_ok());
    assert_eq!(told, [false, false]);
    assert_eq!(each_of(2, |ranks| ranks.same(u64::MAX, "weights").is_ok()), [true, true]);
}

#[test]
fn a_batch_with_fewer_rows_than_ranks_is_refused_with_both_numbers() {
    let told = each_of(6, |ranks| {
        let alone = trainer(Rc::new(Alone));
        alone.among(ranks).err().map(|error| error.to_string())
    });
    for told in told {
        let message = told.expect("5 rows cannot be shared by 6");
        assert!(message.starts_with("batch_size: 5 rows cannot be shared by 6 ranks"), "{message}");
    }
}
