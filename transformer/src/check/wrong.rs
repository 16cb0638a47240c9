//! The bugs themselves: ops that are right except in one point.
//!
//! Most of them keep the forward rule and get the vjp wrong: then the vjp does not match the forward rule, and a
//! gradient check finds it. The others compute another function, and compute its gradient correctly: then nothing
//! is wrong with the gradient, and it takes a check of the value to find them.

use autograd::{At, Cotangents, Float, Op, Saved, Tape, Tensor, Var, vjp_alone};

/// One way to be wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Bug {
    // Another function, with its own gradient.
    /// nothing is masked
    NoMask,
    /// nothing is masked, and the softmax is set to 0 where it should have been
    LateMask,
    /// a scale of 1
    NoRoot,
    /// the numbers in their old order under the new shape
    View,
    /// divided by n − 1
    Unbiased,
    /// softmax twice
    DoubleSoftmax,
    /// the one-hot rows of the targets one position late
    OffByOne,
    /// row i + 1 for row i
    Shifted,
    /// the entries that are kept are not divided by 1 − p
    NoRescale,

    // The same function, with a wrong vjp.
    /// x̄ = ȳ·y, without the sum over the row
    NoRowSum,
    /// nothing
    Cut,
    /// nothing for the second input
    SecondInputCut,
    /// C = A·Bᵀ with B̄ = C̄·A
    NoTranspose,
    /// x̄ = instead of x̄ +=
    Overwrite,
    /// half of it
    Half,
    /// b̄ = ȳ for a − b
    Sign,
    /// only the first row of what was broadcast
    FirstRowOnly,
    /// the slope of the gelu by erf
    OtherGelu,
    /// rows overwrite rows
    LastWins,
    /// e^(score − m) for e^(score − m)/Z
    NotNormalised,
    /// without the term x̂·mean(g·x̂)
    FixedDeviation,
    /// not divided by the number of rows
    NotDivided,
}

/// An op with a bug in it.
pub(super) struct Wrong<T: Float> {
    pub op: Box<dyn Op<T>>,
    pub bug: Bug,
}

impl<T: Float> Wrong<T> {
    /// The other function, if the bug is one of those.
    fn instead<'t>(&self, x: &[Var<'t, T>], saved: &[Tensor<T>]) -> Option<Var<'t, T>> {
        let constant = |value: Tensor<T>| x[0].tape().constant(value);
        Some(match (self.bug, self.op.name()) {
            (Bug::NoMask, _) | (Bug::LateMask, "masked_fill") | (Bug::NoRoot, _) => x[0].scale(1.0),
            (Bug::LateMask, _) => {
                let y = x[0].softmax(-1);
                let shape = y.shape();
                let n = shape[shape.len() - 1];
                y * constant(Tensor::from_fn([n, n], |i| if i % n > i / n { T::ZERO } else { T::ONE }))
            }
            (Bug::View, _) => {
                let value = x[0].value();
                let y = self.op.forward(&[&value], &mut Saved::new());
                x[0].reshape(y.shape())
            }
            (Bug::Unbiased, _) => x[0].var(&[-1], 1),
            (Bug::DoubleSoftmax, _) => x[0].softmax(-1).log_softmax(-1),
            (Bug::OffByOne, _) => {
                let one_hot = x[1].value();
                let width = one_hot.shape()[one_hot.shape().len() - 1];
                let late = |i: usize| (i + one_hot.numel() - width) % one_hot.numel();
                x[0] * constant(Tensor::from_fn(one_hot.shape(), |i| one_hot.data()[late(i)]))
            }
            (Bug::Shifted, _) => {
                let rows = x[0].shape()[0];
                let moved: Vec<usize> = (0..rows).map(|row| (row + 1) % rows).collect();
                let moved = x[0].gather(&moved, [rows]);
                let y = self.op.forward(&[&x[0].value()], &mut Saved::new());
                moved.slice(0, 0..y.shape()[0])
            }
            (Bug::NoRescale, _) => {
                let kept = saved[0].map(|mask| if mask == T::ZERO { T::ZERO } else { T::ONE });
                x[0] * constant(kept)
            }
            _ => return None,
        })
    }

    /// What the wrong vjp makes of the right contributions.
    fn spoil(&self, at: &At<T>, right: &mut [Tensor<T>], dx: &Cotangents<T>) {
        match self.bug {
            Bug::NoRowSum => right[0] = at.dy.zip(at.y, |dy, y| dy * y),
            Bug::Cut => right[0] = Tensor::zeros(right[0].shape()),
            Bug::SecondInputCut => right[1] = Tensor::zeros(right[1].shape()),
            Bug::NoTranspose => {
                let tape = Tape::new();
                let (dy, a) = (tape.constant(at.dy.clone()), tape.constant(at.x[0].clone()));
                right[1] = dy.matmul(a).value();
            }
            Bug::Overwrite => {
                for (i, right) in right.iter_mut().enumerate() {
                    if let Some(so_far) = dx.so_far(i) {
                        *right = right.zip(so_far, |right, so_far| right - so_far);
                    }
                }
            }
            Bug::Half => right[0] = right[0].map(|dx| dx * T::from_f64(0.5)),
            Bug::Sign => right[1] = right[1].map(|dx| -dx),
            Bug::FirstRowOnly => {
                let whole = at.dy.zip(at.x[0], |dy, x| dy * x);
                right[1] = Tensor::new(right[1].shape(), &whole.data()[..right[1].numel()]);
            }
            Bug::OtherGelu => {
                let tape = Tape::new();
                let x = tape.leaf(at.x[0].clone());
                right[0] = x.gelu_erf().backward_from(at.dy.clone()).of(x).clone();
            }
            Bug::LastWins => {
                // Row by row: what a row of the table has after its last use.
                let (table, width) = (at.x[0], at.x[0].shape()[1]);
                let rows_of = |row: usize| {
                    let row = &table.data()[row * width..][..width];
                    at.y.data().chunks(width).rposition(|y| y == row)
                };
                for row in 0..table.shape()[0] {
                    if let Some(last) = rows_of(row) {
                        right[0].data_mut()[row * width..][..width]
                            .copy_from_slice(&at.dy.data()[last * width..][..width]);
                    }
                }
            }
            Bug::NotNormalised => {
                // m and Z of each row were saved: Z becomes 1.
                let saved = Tensor::from_fn(at.saved[0].shape(), |i| [at.saved[0].data()[i], T::ONE][i % 2]);
                let at = At { saved: &[saved], ..*at };
                right[0] = vjp_alone(&*self.op, &at, vec![None]).remove(0).expect("one input");
            }
            Bug::FixedDeviation => {
                // r·(g − mean(g)), by what was saved: μ and r of each row.
                let w = at.x[1].data();
                let rows = at.dy.data().chunks(w.len()).zip(at.saved[0].data().chunks(2));
                let spoilt = rows.flat_map(|(dy, statistics)| {
                    let g: Vec<T> = dy.iter().zip(w).map(|(&dy, &w)| dy * w).collect();
                    let mean = g.iter().copied().sum::<T>() / T::from_f64(w.len() as f64);
                    g.into_iter().map(move |g| statistics[1] * (g - mean)).collect::<Vec<T>>()
                });
                right[0] = Tensor::new(right[0].shape(), spoilt.collect::<Vec<T>>());
            }
            Bug::NotDivided => {
                let shape = right[0].shape();
                let rows = T::from_f64((right[0].numel() / shape[shape.len() - 1]) as f64);
                right[0] = right[0].map(|dx| dx * rows);
            }
            _ => unreachable!("{:?} is another function", self.bug),
        }
    }
}

impl<T: Float> Op<T> for Wrong<T> {
    fn name(&self) -> &'static str {
        self.op.name()
    }
    fn forward(&self, x: &[&Tensor<T>], saved: &mut Saved<T>) -> Tensor<T> {
        let right = self.op.forward(x, saved);
        let tape = Tape::new();
        let x: Vec<Var<T>> = x.iter().map(|x| tape.constant((*x).clone())).collect();
        self.instead(&x, saved).map_or(right, Var::value)
    }
    fn vjp(&self, at: &At<T>, dx: &mut Cotangents<T>) {
        let tape = Tape::new();
        let x: Vec<Var<T>> = at.x.iter().map(|x| tape.leaf((*x).clone())).collect();
        let zeros = |x: &&Tensor<T>| Tensor::zeros(x.shape());
        let contributions = match self.instead(&x, at.saved) {
            Some(y) => {
                let found = y.backward_from(at.dy.clone());
                x.iter().map(|x| found.get(*x).cloned().unwrap_or_else(|| Tensor::zeros(x.shape()))).collect()
            }
            None => {
                let found = vjp_alone(&*self.op, at, vec![None; at.x.len()]);
                let mut right: Vec<Tensor<T>> =
                    found.into_iter().zip(at.x).map(|(dx, x)| dx.unwrap_or_else(|| zeros(x))).collect();
                self.spoil(at, &mut right, dx);
                right
            }
        };
        for (i, contribution) in contributions.into_iter().enumerate() {
            dx.add(i, || contribution);
        }
    }
    fn details(&self) -> String {
        self.op.details()
    }
    fn means_infinity(&self) -> bool {
        self.op.means_infinity()
    }
}
