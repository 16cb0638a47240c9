//! Where the time of a tape goes, by op.

use crate::{Float, Tape};
use std::time::{Duration, Instant};

/// The time that an op's rules have taken on one tape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpTime {
    /// The op's name.
    pub op: &'static str,
    /// How often it ran.
    pub calls: usize,
    /// In its forward rule.
    pub forward: Duration,
    /// In its vjp, the adding up of its contributions included.
    pub backward: Duration,
}

impl<T: Float> Tape<T> {
    /// Clocks every rule that runs on this tape from now on; see [`op_times`](Tape::op_times).
    pub fn profile(&self) {
        self.op_times.replace(Some(Vec::new()));
    }

    /// What the rules have taken since [`profile`](Tape::profile) was called, an entry for each op in the order of
    /// their first calls; empty without it.
    pub fn op_times(&self) -> Vec<OpTime> {
        self.op_times.borrow().clone().unwrap_or_default()
    }

    /// The time now, if rules are clocked.
    pub(crate) fn clock(&self) -> Option<Instant> {
        self.op_times.borrow().is_some().then(Instant::now)
    }

    /// A rule of `op` ran since `start`.
    pub(crate) fn clocked(&self, op: &'static str, which: Rule, start: Option<Instant>) {
        let (Some(start), Some(times)) = (start, &mut *self.op_times.borrow_mut()) else { return };
        let elapsed = start.elapsed();
        let at = times.iter().position(|time| time.op == op).unwrap_or_else(|| {
            times.push(OpTime { op, calls: 0, forward: Duration::ZERO, backward: Duration::ZERO });
            times.len() - 1
        });
        match which {
            Rule::Forward => {
                times[at].calls += 1;
                times[at].forward += elapsed;
            }
            Rule::Backward => times[at].backward += elapsed,
        }
    }
}

/// Which rule of an op.
#[derive(Clone, Copy)]
pub(crate) enum Rule {
    Forward,
    Backward,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tensor;

    #[test]
    fn a_profile_counts_the_calls_of_every_op_and_clocks_both_rules() {
        let tape = Tape::<f64>::new();
        let x = tape.leaf(Tensor::ones([1000]));
        tape.profile();
        (x.exp().exp() * x).sum_all().backward();
        let times = tape.op_times();
        let calls: Vec<_> = times.iter().map(|time| (time.op, time.calls)).collect();
        assert_eq!(calls, [("exp", 2), ("mul", 1), ("sum", 1)]);
        assert!(times.iter().all(|time| time.forward > Duration::ZERO && time.backward > Duration::ZERO));
    }

    #[test]
    fn without_being_asked_nothing_is_clocked() {
        let tape = Tape::<f64>::new();
        tape.leaf(Tensor::ones([2])).exp().sum_all().backward();
        assert_eq!(tape.op_times(), []);
    }
}
