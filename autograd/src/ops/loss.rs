//! The one number: cross-entropy of the next token, from logits.

use crate::kernels::cross_entropy;
use crate::{At, Cotangents, Float, Op, Saved, Shape, Tensor, Var};
use std::sync::Arc;

/// ```text
/// mᵢ = maxⱼ xᵢⱼ    Zᵢ = Σⱼ e^(xᵢⱼ − mᵢ)    loss = 1/N·Σᵢ (mᵢ + ln Zᵢ − xᵢ,tᵢ)
/// x̄ᵢⱼ = ȳ/N·(e^(xᵢⱼ − mᵢ)/Zᵢ − [j = tᵢ])
/// ```
/// over the N rows i whose target tᵢ counts. Only m and Z of each row are kept, not the probabilities.
/// With no such row the mean is 0/0 = NaN.
pub struct CrossEntropy {
    targets: Arc<[usize]>,
    ignore: Option<usize>,
}

impl CrossEntropy {
    fn counts(&self, target: usize) -> bool {
        Some(target) != self.ignore
    }

    fn number_that_count<T: Float>(&self) -> T {
        T::from_f64(self.targets.iter().filter(|&&target| self.counts(target)).count() as f64)
    }
}

impl<T: Float> Op<T> for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }
    fn details(&self) -> String {
        format!("targets {}", super::list(&self.targets))
    }
    #[track_caller]
    fn forward(&self, x: &[&Tensor<T>], saved: &mut Saved<T>) -> Tensor<T> {
        let shape = x[0].shape();
        let Some((&v, rows)) = shape.split_last() else { panic!("cross_entropy: a scalar has no classes") };
        let rows: Shape = rows.into();
        let targets = &self.targets;
        assert_eq!(
            rows.numel(),
            targets.len(),
            "cross_entropy: logits {shape} and {} targets",
            targets.len()
        );
        if let Some(at) = targets.iter().position(|&target| self.counts(target) && target >= v) {
            panic!("cross_entropy: target {} at position {at}: there are {v} classes", targets[at]);
        }
        let x = x[0].data();
        let mut statistics = Tensor::zeros([rows.numel(), 2]); // m and Z of each row
        cross_entropy::row_statistics(v, x, statistics.data_mut().as_chunks_mut().0);
        let counting =
            statistics.data().as_chunks().0.iter().enumerate().filter(|&(i, _)| self.counts(targets[i]));
        let sum: T = counting.map(|(i, &[most, total])| (most - x[i * v + targets[i]]) + total.ln()).sum();
        saved.push(statistics);
        Tensor::scalar(sum / self.number_that_count())
    }
    fn vjp(&self, at: &At<T>, dx: &mut Cotangents<T>) {
        let (x, statistics) = (at.x[0], at.saved[0].data().as_chunks().0);
        let v = x.shape()[x.shape().len() - 1];
        let scale = at.dy.item() / self.number_that_count();
        let target = |row: usize| Some(self.targets[row]).filter(|&target| self.counts(target));
        dx.add(0, || {
            Tensor::build(x.shape(), |dx| {
                cross_entropy::cross_entropy_vjp(v, x.data(), statistics, target, scale, dx)
            })
        });
    }
    fn flops(&self, x: &[&Tensor<T>], _: &Tensor<T>) -> u64 {
        4 * x[0].numel() as u64
    }
}

impl<'t, T: Float> Var<'t, T> {
    /// The mean of −ln p(target) over all rows of logits `[…, v]`, one target a row; a row whose target is
    /// `ignore` does not count. In nats.
    ///
    /// # Panics
    /// If the logits are a scalar, there are more or fewer targets than rows, or a target is not one of the v classes.
    #[track_caller]
    pub fn cross_entropy(self, targets: &[usize], ignore: Option<usize>) -> Self {
        self.tape().apply(CrossEntropy { targets: targets.into(), ignore }, &[self])
    }

    /// [`cross_entropy`](Var::cross_entropy) as the textbook writes it: the log-softmax, the entry of each
    /// target picked by a product with 0s and 1s, and the mean. It is for finite logits, and trusts the targets to be as
    /// many as the rows and below v. The tape shows the lines below.
    ///
    /// # Panics
    /// If the logits are a scalar, or there are fewer targets than rows.
    pub fn cross_entropy_textbook(self, targets: &[usize], ignore: Option<usize>) -> Self {
        let shape = self.shape();
        let v = shape[shape.len() - 1];
        let counts = |row: usize| Some(targets[row]) != ignore;
        let picked = |i: usize| counts(i / v) && targets[i / v] == i % v;
        let one_hot = Tensor::from_fn(&shape, |i| if picked(i) { T::ONE } else { T::ZERO });
        let number = (0..targets.len()).filter(|&row| counts(row)).count();
        -(self.log_softmax(-1) * self.tape().constant(one_hot)).sum_all() / number as f64
    }
}
