//! The plan: which rungs, and how long, so that all of it fits the budget.
//!
//! Each rung is trained for 2u, 3u and 4u updates, each time from the beginning and with a learning rate that ends with
//! the run (a run that is cut short at a rate meant for a longer one ends higher: Hoffmann et al. 2022, §3.1). The
//! held-out rung, the largest, is trained for 4u.
//!
//! The lowest rung is 3, the first with two layers: a single layer cannot look up in its context what came after a word
//! before, which most of a text's later words depend on, so rungs 1 and 2 are no smaller members of the same family.

use super::ladder;
use super::record::Plan;
use super::source::Source;
use crate::error::{Error, Result};
use crate::train::stream::StreamTrainer;
use std::time::Instant;

/// A ladder: the rungs that are fitted, the one that is predicted, and the fewest u that are worth it.
type Ladder = (&'static [usize], usize, usize);

/// The ladders that a budget may pay for, from the most to the least.
const LADDERS: [Ladder; 2] = [(&[3, 4, 5, 6], 8, 800), (&[3, 4, 5], 6, 200)];
/// The lengths of the runs, as multiples of u.
const LENGTHS: [usize; 3] = [2, 3, 4];
/// The share of the budget that is planned for: the rest is for what the measurement did not see.
const PLANNED: f64 = 0.85;

/// What an update costs on this machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// The seconds that an update takes on one thread, by rung; only rungs that some ladder has.
    pub seconds: Vec<(usize, f64)>,
}

impl Measured {
    /// Makes a few updates of every rung.
    ///
    /// # Errors
    /// If training goes beyond what numbers can hold.
    pub fn on_this_machine(source: &Source, plan: &Plan) -> Result<Self> {
        let mut rungs: Vec<usize> =
            LADDERS.iter().flat_map(|(fitted, last, _)| [fitted, &[*last][..]].concat()).collect();
        rungs.sort_unstable();
        rungs.dedup();
        let of = |rung: usize| {
            let model = ladder::model(rung, plan.vocab_size, source.context());
            let mut trainer = StreamTrainer::new(ladder::recipe(model, plan.rows, 100, 0))?;
            trainer.update(source.batch(0, plan.rows, 0)?)?; // the first one asks for the memory
            let (begun, mut updates) = (Instant::now(), 0);
            while updates < 3 || begun.elapsed().as_secs_f64() < 0.25 {
                trainer.update(source.batch(0, plan.rows, updates + 1)?)?;
                updates += 1;
            }
            Ok((rung, begun.elapsed().as_secs_f64() / updates as f64))
        };
        Ok(Measured { seconds: rungs.into_iter().map(of).collect::<Result<_>>()? })
    }

    fn of(&self, rung: usize) -> f64 {
        self.seconds.iter().find(|(r, _)| *r == rung).map_or(f64::INFINITY, |(_, seconds)| *seconds)
    }

    /// The seconds that a ladder takes for u = 1.
    fn of_ladder(&self, fitted: &[usize], last: usize, threads: usize) -> f64 {
        let lengths = LENGTHS.iter().sum::<usize>() as f64;
        let fits: f64 = fitted.iter().map(|&rung| lengths * self.of(rung)).sum();
        // The last run is alone: the other threads have nothing to do meanwhile.
        fits / threads as f64 + LENGTHS[2] as f64 * self.of(last)
    }
}

/// The largest ladder that fits the budget, and the longest runs on it.
///
/// # Errors
/// If not even the smallest ladder fits; the message says how much it needs.
pub fn plan(base: Plan, measured: &Measured, threads: usize) -> Result<Plan> {
    let seconds = 60.0 * base.budget_minutes * PLANNED;
    for (fitted, last, fewest) in LADDERS {
        let u = (seconds / measured.of_ladder(fitted, last, threads)) as usize;
        if u >= fewest {
            let updates = LENGTHS.map(|times| times * u).to_vec();
            return Ok(Plan { rungs: fitted.to_vec(), held_out: last, updates, ..base });
        }
    }
    let (fitted, last, fewest) = LADDERS[LADDERS.len() - 1];
    let needed = measured.of_ladder(fitted, last, threads) * fewest as f64 / PLANNED / 60.0;
    Err(Error::new(format!(
        "{} minutes are too few: the smallest ladder (rungs {fitted:?}, then {last}) needs {needed:.1} on this machine",
        base.budget_minutes
    ))
    .at("--budget")
    .way_out(format!("give --budget {:.0}", needed.ceil().max(1.0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(budget_minutes: f64) -> Plan {
        Plan {
            data: "stories".to_owned(),
            fingerprint: None,
            budget_minutes,
            rungs: vec![],
            held_out: 0,
            updates: vec![],
            rows: 6,
            seeds: vec![1],
            vocab_size: 41,
        }
    }

    /// A machine on which an update takes as long as its rung has weights, in units of 10⁻⁷ s.
    fn machine() -> Measured {
        Measured { seconds: (1..=8).map(|rung| (rung, 1e-3 + 1e-7 * ladder::weights(rung) as f64)).collect() }
    }

    #[test]
    fn a_plan_takes_no_longer_than_its_budget() {
        for threads in [1, 2] {
            for budget in [5.0, 10.0, 100.0] {
                let Plan { rungs, held_out, updates, .. } = plan(base(budget), &machine(), threads).unwrap();
                let seconds = machine().of_ladder(&rungs, held_out, threads) * (updates[0] / 2) as f64;
                assert!(
                    seconds < 60.0 * budget && seconds > 0.8 * 60.0 * budget,
                    "{seconds} s for {budget} min"
                );
                assert_eq!(updates, [2, 3, 4].map(|times| times * updates[0] / 2));
            }
        }
    }

    #[test]
    fn a_budget_too_small_for_the_smallest_ladder_is_told_how_much_it_needs() {
        let error = plan(base(0.01), &machine(), 1).unwrap_err().to_string();
        assert!(error.starts_with("--budget: 0.01 minutes are too few"), "{error}");
        let needed: f64 = error.split("--budget ").nth(1).unwrap().parse().unwrap();
        assert!(plan(base(needed), &machine(), 1).is_ok(), "{error}");
    }

    #[test]
    fn a_larger_budget_buys_a_larger_ladder() {
        let held_out = |budget| plan(base(budget), &machine(), 2).unwrap().held_out;
        assert!(held_out(5.0) < held_out(1000.0));
    }
}
