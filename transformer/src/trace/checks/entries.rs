//! One entry of a cotangent, three ways: by the walk back, by dual numbers, by differences.

use crate::random::{Purpose, below, generator};
use autograd::gradcheck::difference;
use autograd::{Dual, Tape, Tensor};

/// Largest distance of reverse from forward, relative to the largest entry of the node's gradient.
const FORWARD: f64 = 1e-10;
/// Largest distance of forward from difference, relative likewise, beyond the difference's own error.
const DIFFERENCE: f64 = 1e-6;
/// What rounding alone makes of a derivative that ought to be 0.
pub(super) const ROUNDING: f64 = 1e-14;
/// The size of a loss, from which rounding is judged.
const LOSS: f64 = 8.0;
/// The step of a difference, relative to the size of the numbers.
const STEP: f64 = 1e-3;

/// What to make of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// All three agree.
    Agree,
    /// Reverse and forward agree; the difference is too rough to tell.
    Noisy,
    /// The slopes to the two sides differ, and reverse is one of them or lies between.
    Kink,
    /// The walk back is wrong.
    Wrong,
}

impl Verdict {
    /// All, in the order of their numbers in a trace.
    pub const ALL: [Verdict; 4] = [Verdict::Agree, Verdict::Noisy, Verdict::Kink, Verdict::Wrong];

    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Agree => "agree",
            Verdict::Noisy => "noisy",
            Verdict::Kink => "kink",
            Verdict::Wrong => "wrong",
        }
    }
}

/// One entry of a cotangent, three ways.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Entry {
    /// Which, in row-major order.
    pub at: usize,
    /// By the walk back.
    pub reverse: f64,
    /// By dual numbers.
    pub forward: f64,
    /// By differences.
    pub difference: f64,
    /// |reverse − forward|; see [`super::super::schema::Checks::relative_error`].
    pub relative_error: f64,
    /// What to make of them.
    pub verdict: Verdict,
}

/// The same computation, ready to be replayed.
pub(super) struct Tapes {
    pub numbers: Tape<f64>,
    pub duals: Tape<Dual<f64>>,
    pub loss: usize,
}

impl Tapes {
    /// Entries of a node's cotangent, three ways: all of them, or `most`.
    pub fn entries(&self, node: usize, gradient: &Tensor<f64>, most: usize) -> Vec<Entry> {
        let value = self.numbers.var(node).value();
        let scale = largest(gradient);
        let size = value.data().iter().filter(|x| x.is_finite()).fold(0.0, |sum, x| sum + x * x);
        let size = (size / value.numel().max(1) as f64).sqrt();
        let check = |at: usize| {
            let reverse = gradient.data()[at];
            let forward = self.tangent(node, at);
            let step = STEP * value.data()[at].abs().max(size).max(1e-6);
            let along = |t: f64| self.moved(node, at, t);
            judge(at, reverse, forward, step, scale, along)
        };
        choose(&value, gradient, most, node).into_iter().map(check).collect()
    }

    /// ∂loss/∂entry by dual numbers.
    fn tangent(&self, node: usize, at: usize) -> f64 {
        let mut value = self.duals.var(node).value();
        value.data_mut()[at].tangent = 1.0;
        self.duals.replay(node, value, self.loss).item().tangent
    }

    /// The loss if this entry were larger by `t`.
    fn moved(&self, node: usize, at: usize, t: f64) -> f64 {
        let mut value = self.numbers.var(node).value();
        value.data_mut()[at] += t;
        self.numbers.replay(node, value, self.loss).item()
    }
}

/// Compares the three values of a derivative; `along(t)` is the loss with the entry moved by t.
fn judge(at: usize, reverse: f64, forward: f64, step: f64, scale: f64, along: impl Fn(f64) -> f64) -> Entry {
    let central = |h: f64| (along(h) - along(-h)) / (2.0 * h);
    let (coarse, fine) = (central(step), central(step / 2.0));
    let extrapolated = (4.0 * fine - coarse) / 3.0; // the error of order h² cancels
    let rounding = f64::EPSILON * LOSS / step;
    let error = (fine - extrapolated).abs() + rounding;
    let entry = |verdict: Verdict| {
        let larger = reverse.abs().max(forward.abs()).max(1e-3 * scale);
        let distance = (reverse - forward).abs();
        let relative_error = if distance == 0.0 { 0.0 } else { distance / larger };
        Entry { at, reverse, forward, difference: extrapolated, relative_error, verdict }
    };
    let scale = scale.max(reverse.abs()).max(forward.abs());
    let within = |distance: f64, most: f64| distance <= most; // false for NaN
    if !within((reverse - forward).abs(), FORWARD * scale + ROUNDING) {
        return entry(Verdict::Wrong);
    }
    let close = within((forward - extrapolated).abs(), DIFFERENCE * scale + 4.0 * error);
    if !close || !within(error, 1e-2 * scale + ROUNDING) {
        let closer = difference(|t| along(t * step / 2e-2)); // its first step is 0.02
        return match closer.kink.map(|(left, right)| (left * 2e-2 / step, right * 2e-2 / step)) {
            Some((left, right)) => {
                let slack = 1e-4 * (right - left).abs();
                let between = (left.min(right) - slack..=left.max(right) + slack).contains(&reverse);
                entry(if between { Verdict::Kink } else { Verdict::Wrong })
            }
            None if close => entry(Verdict::Noisy),
            None => entry(Verdict::Wrong),
        };
    }
    entry(Verdict::Agree)
}

/// Which entries to check: all of a small tensor; of a large one the largest gradient, and one from each of as many
/// parts of equal size as are wanted. Where many gradients are 0, a quarter are from those.
fn choose(value: &Tensor<f64>, gradient: &Tensor<f64>, most: usize, node: usize) -> Vec<usize> {
    let finite: Vec<usize> = (0..value.numel()).filter(|&i| value.data()[i].is_finite()).collect();
    if finite.len() <= most {
        return finite;
    }
    let mut random = generator(node as u64, Purpose::Evaluation);
    let (zero, other): (Vec<usize>, Vec<usize>) = finite.iter().partition(|&&i| gradient.data()[i] == 0.0);
    let from_zero =
        if other.len() + most / 4 < most { most - other.len() } else { (most / 4).min(zero.len()) };
    let mut strata = |entries: &[usize], number: usize| -> Vec<usize> {
        let number = number.min(entries.len());
        let cut = |i: usize| i * entries.len() / number.max(1);
        (0..number).map(|i| entries[cut(i) + below(&mut random, cut(i + 1) - cut(i))]).collect()
    };
    let mut chosen = strata(&other, most - from_zero);
    chosen.extend(strata(&zero, from_zero));
    let size = |&i: &usize| gradient.data()[i].abs();
    if let Some(largest) = other.iter().copied().max_by(|a, b| size(a).total_cmp(&size(b)).then(b.cmp(a)))
        && !chosen.contains(&largest)
    {
        chosen[0] = largest;
    }
    chosen.sort_unstable();
    chosen.dedup();
    chosen
}

fn largest(x: &Tensor<f64>) -> f64 {
    x.data().iter().fold(0.0, |largest, x| largest.max(x.abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slope_that_is_right_agrees_a_wrong_one_is_wrong_and_a_kink_is_called_a_kink() {
        let verdict = |reverse: f64, f: fn(f64) -> f64| judge(0, reverse, reverse, 1e-3, 1.0, f).verdict;
        assert_eq!(verdict(2.0, |t| (1.0 + t).powi(2)), Verdict::Agree);
        assert_eq!(verdict(2.1, |t| (1.0 + t).powi(2)), Verdict::Wrong);
        assert_eq!(verdict(0.0, |t| t.max(0.0)), Verdict::Kink);
        assert_eq!(verdict(1.0, |t| t.max(0.0)), Verdict::Kink);
        assert_eq!(verdict(1.5, |t| t.max(0.0)), Verdict::Wrong);
        assert_eq!(judge(0, 2.0, 2.0 + 1e-7, 1e-3, 1.0, |t| 2.0 * t).verdict, Verdict::Wrong);
        for (reverse, forward) in [(f64::NAN, 2.0), (2.0, f64::NAN), (f64::NAN, f64::NAN)] {
            assert_eq!(judge(0, reverse, forward, 1e-3, 1.0, |t| 2.0 * t).verdict, Verdict::Wrong);
        }
    }

    #[test]
    fn the_entries_to_check_have_the_largest_gradient_among_them_and_some_that_are_zero() {
        let value = Tensor::from_fn([40, 50], |i| if i == 3 { f64::NEG_INFINITY } else { i as f64 });
        let gradient = Tensor::from_fn([40, 50], |i| match i {
            777 => -9.0,
            i if i < 1000 => (i as f64).sin(),
            _ => 0.0,
        });
        let chosen = choose(&value, &gradient, 64, 5);
        assert!(chosen.contains(&777) && !chosen.contains(&3), "{chosen:?}");
        assert_eq!(chosen.len(), 64);
        assert_eq!(chosen.iter().filter(|&&at| at >= 1000).count(), 16);
        assert_eq!(choose(&value, &gradient, 64, 5), chosen);
        assert_eq!(choose(&Tensor::zeros([7]), &Tensor::zeros([7]), 64, 0), [0, 1, 2, 3, 4, 5, 6]);
        let few = Tensor::from_fn([40, 50], |i| if i == 9 { 1.0 } else { 0.0 });
        assert_eq!(choose(&value, &few, 64, 0).len(), 64);
    }
}
