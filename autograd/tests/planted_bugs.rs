//! A check is worth what it finds. Here are ops with a bug planted in their backward rule, each beside its right twin:
//! the gradient check accepts every twin and rejects every bug, naming the input, the entry and what is wrong.

use autograd::gradcheck::{Function, GradCheck, Report, Verdict, check_second_order};
use autograd::{At, Cotangents, Float, Op, Saved, Tensor, Var};

/// The bugs: those that were shipped by real frameworks, and those that every student writes once.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Bug {
    None,
    /// a − b with b̄ = +ȳ
    WrongSign,
    /// x² with x̄ = ȳ·x
    FactorTwo,
    /// A·B with Ā = C̄·B
    MissingTranspose,
    /// x + bias with only the first row's cotangent for the bias
    MissingSumOverRows,
    /// softmax with x̄ = y·ȳ, without the row's sum
    MissingRowSum,
    /// layer norm with its mean and deviation taken for constants
    NormTreatedAsConstant,
    /// rows of a table whose cotangents overwrite one another instead of adding up
    OverwrittenScatter,
    /// rows of a table whose cotangents arrive one row further down
    OffByOneScatter,
    /// exp with x̄ = ȳ·x instead of ȳ·y
    InputForOutput,
    /// relu with slope 1 everywhere
    ForgottenMask,
    /// x³ with a forward rule and a vjp that are wrong together
    WrongTogether,
    /// x³ with a vjp that takes its slope for a constant: right, but its own derivative is lost
    SlopeTakenForAConstant,
}

/// Which right op the bug is planted in.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Sub,
    Square,
    MatMul,
    AddBias,
    Softmax,
    LayerNorm,
    Gather,
    Exp,
    Relu,
    Cube,
}

/// An op with a bug or without.
#[derive(Clone, Copy, Debug)]
struct Suspect {
    kind: Kind,
    bug: Bug,
}

const ROWS: [usize; 4] = [2, 0, 2, 1];

fn softmax_of_row<T: Float>(row: &[T]) -> Vec<T> {
    let powers: Vec<T> = row.iter().map(|x| x.exp()).collect();
    let total: T = powers.iter().copied().sum();
    powers.iter().map(|&power| power / total).collect()
}

/// (x − μ)/σ and σ of a row.
fn normal_of_row<T: Float>(row: &[T]) -> (Vec<T>, T) {
    let n = T::from_f64(row.len() as f64);
    let mean = row.iter().copied().sum::<T>() / n;
    let deviation = (row.iter().map(|&x| (x - mean) * (x - mean)).sum::<T>() / n).sqrt();
    (row.iter().map(|&x| (x - mean) / deviation).collect(), deviation)
}

fn by_rows<T: Float>(x: &Tensor<T>, f: impl Fn(usize, &[T]) -> Vec<T>) -> Tensor<T> {
    let width = x.shape()[1];
    Tensor::new(
        x.shape(),
        x.data().chunks(width).enumerate().flat_map(|(i, row)| f(i, row)).collect::<Vec<_>>(),
    )
}

fn matmul<T: Float>(a: &Tensor<T>, b: &Tensor<T>) -> Tensor<T> {
    let ([m, k], [_, n]) = ([a.shape()[0], a.shape()[1]], [b.shape()[0], b.shape()[1]]);
    Tensor::from_fn([m, n], |entry| (0..k).map(|p| a.at(&[entry / n, p]) * b.at(&[p, entry % n])).sum())
}

impl<T: Float> Op<T> for Suspect {
    fn name(&self) -> &'static str {
        "suspect"
    }

    fn forward(&self, x: &[&Tensor<T>], _: &mut Saved<T>) -> Tensor<T> {
        match self.kind {
            Kind::Sub => x[0].zip(x[1], |a, b| a - b),
            Kind::Square => x[0].map(|x| x * x),
            Kind::MatMul => matmul(x[0], x[1]),
            Kind::AddBias => x[0].zip(x[1], |x, bias| x + bias),
            Kind::Softmax => by_rows(x[0], |_, row| softmax_of_row(row)),
            Kind::LayerNorm => by_rows(x[0], |_, row| normal_of_row(row).0),
            Kind::Gather => {
                let d = x[0].shape()[1];
                Tensor::from_fn([ROWS.len(), d], |i| x[0].at(&[ROWS[i / d], i % d]))
            }
            Kind::Exp => x[0].map(|x| x.exp()),
            Kind::Relu => x[0].map(|x| if x > T::ZERO { x } else { T::ZERO }),
            Kind::Cube => x[0].map(|x| match self.bug {
                // The derivative that dual numbers carry is wrong in the same way as the vjp.
                Bug::WrongTogether => T::from_f64((x * x * x).to_f64()) + (x - T::from_f64(x.to_f64())),
                _ => x * x * x,
            }),
        }
    }

    fn vjp(&self, at: &At<T>, dx: &mut Cotangents<T>) {
        let (x, y, dy) = (at.x[0], at.y, at.dy);
        match self.kind {
            Kind::Sub => {
                dx.add(0, || dy.clone());
                dx.add(1, || if self.bug == Bug::WrongSign { dy.clone() } else { dy.map(|dy| -dy) });
            }
            Kind::Square => {
                let factor = T::from_f64(if self.bug == Bug::FactorTwo { 1.0 } else { 2.0 });
                dx.add(0, || dy.zip(x, |dy, x| factor * dy * x));
            }
            Kind::MatMul => {
                let b = at.x[1];
                let transposed =
                    if self.bug == Bug::MissingTranspose { b.clone() } else { b.permute(&[1, 0]) };
                dx.add(0, || matmul(dy, &transposed));
                dx.add(1, || matmul(&x.permute(&[1, 0]), dy));
            }
            Kind::AddBias => {
                dx.add(0, || dy.clone());
                let width = dy.shape()[1];
                match self.bug {
                    Bug::MissingSumOverRows => dx.add(1, || Tensor::new([width], &dy.data()[..width])),
                    _ => dx.add(1, || dy.clone()), // the tape sums over the rows
                }
            }
            Kind::Softmax => dx.add(0, || {
                by_rows(dy, |i, dy| {
                    let y = &y.data()[i * dy.len()..][..dy.len()];
                    let along: T = y.iter().zip(dy).map(|(&y, &dy)| y * dy).sum();
                    let along = if self.bug == Bug::MissingRowSum { T::ZERO } else { along };
                    y.iter().zip(dy).map(|(&y, &dy)| y * (dy - along)).collect()
                })
            }),
            Kind::LayerNorm => dx.add(0, || {
                by_rows(dy, |i, dy| {
                    let (normal, deviation) = normal_of_row(&x.data()[i * dy.len()..][..dy.len()]);
                    let n = T::from_f64(dy.len() as f64);
                    let mean = dy.iter().copied().sum::<T>() / n;
                    let along = normal.iter().zip(dy).map(|(&x, &dy)| x * dy).sum::<T>() / n;
                    let cut = self.bug == Bug::NormTreatedAsConstant;
                    let through = |dy: T, x: T| if cut { dy } else { dy - mean - x * along };
                    normal.iter().zip(dy).map(|(&x, &dy)| through(dy, x) / deviation).collect()
                })
            }),
            Kind::Gather => dx.add(0, || {
                let [rows, d] = [x.shape()[0], x.shape()[1]];
                let mut table = Tensor::zeros([rows, d]);
                for (i, &row) in ROWS.iter().enumerate() {
                    let row = if self.bug == Bug::OffByOneScatter { (row + 1) % rows } else { row };
                    for j in 0..d {
                        let entry = &mut table.data_mut()[row * d + j];
                        *entry = if self.bug == Bug::OverwrittenScatter { T::ZERO } else { *entry };
                        *entry += dy.at(&[i, j]);
                    }
                }
                table
            }),
            Kind::Exp => {
                dx.add(0, || dy.zip(if self.bug == Bug::InputForOutput { x } else { y }, |dy, y| dy * y))
            }
            Kind::Relu => dx.add(0, || {
                let open = |x: T| self.bug == Bug::ForgottenMask || x > T::ZERO;
                dy.zip(x, |dy, x| if open(x) { dy } else { T::ZERO })
            }),
            Kind::Cube => dx.add(0, || match self.bug {
                Bug::WrongTogether => dy.clone(),
                Bug::SlopeTakenForAConstant => {
                    dy.zip(x, |dy, x| dy * T::from_f64(3.0 * x.to_f64() * x.to_f64()))
                }
                _ => dy.zip(x, |dy, x| T::from_f64(3.0) * dy * x * x),
            }),
        }
    }
}

impl Function for Suspect {
    fn call<'t, T: Float>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
        x[0].tape().apply(*self, x)
    }
}

/// The report on an op of this kind, entry by entry.
fn check(kind: Kind, bug: Bug) -> Report {
    check_by(&GradCheck::default(), kind, bug)
}

/// The same on inputs without symmetry; square matrices, so that a missing transpose fits.
fn check_by(settings: &GradCheck, kind: Kind, bug: Bug) -> Report {
    let wave = |shape: &[usize], phase: f64| Tensor::from_fn(shape, |i| (1.3 * i as f64 + phase).sin() + 0.1);
    let x = ("x", wave(&[3, 3], 0.4));
    let two = |second: (&'static str, Tensor<f64>)| vec![x.clone(), second];
    let inputs = match kind {
        Kind::Sub => two(("b", wave(&[3, 3], 2.0))),
        Kind::MatMul => two(("B", wave(&[3, 3], 2.0))),
        Kind::AddBias => two(("bias", wave(&[3], 2.0))),
        _ => vec![x],
    };
    settings.run(&Suspect { kind, bug }, &inputs)
}

/// The check accepts the right op, and rejects the bug with a failure of the input named `blamed`.
#[track_caller]
fn is_found(kind: Kind, bug: Bug, blamed: &str) {
    let right = check(kind, Bug::None);
    assert!(right.ok(), "the right {kind:?} is accepted: {right}");
    let wrong = check(kind, bug);
    assert!(!wrong.ok(), "{bug:?} is rejected: {wrong}");
    for failure in wrong.failures() {
        assert_eq!(failure.name, blamed, "{bug:?} is blamed on the right input: {failure}");
        assert!(failure.index.is_some(), "{bug:?}: the entry is named: {failure}");
        assert!(failure.to_string().contains("WRONG: the vjp does not match the forward rule"), "{failure}");
    }
}

#[test]
fn a_wrong_sign_is_found() {
    is_found(Kind::Sub, Bug::WrongSign, "b");
}

#[test]
fn a_factor_of_two_is_found() {
    is_found(Kind::Square, Bug::FactorTwo, "x");
}

#[test]
fn a_missing_transpose_is_found() {
    is_found(Kind::MatMul, Bug::MissingTranspose, "x");
}

#[test]
fn a_missing_sum_over_the_broadcast_axis_is_found() {
    is_found(Kind::AddBias, Bug::MissingSumOverRows, "bias");
}

#[test]
fn a_softmax_without_its_row_sum_is_found() {
    is_found(Kind::Softmax, Bug::MissingRowSum, "x");
}

#[test]
fn a_norm_whose_statistics_are_taken_for_constants_is_found() {
    is_found(Kind::LayerNorm, Bug::NormTreatedAsConstant, "x");
}

#[test]
fn an_embedding_whose_cotangents_overwrite_one_another_is_found() {
    is_found(Kind::Gather, Bug::OverwrittenScatter, "x");
    let wrong = check(Kind::Gather, Bug::OverwrittenScatter);
    let rows: Vec<usize> = wrong.failures().map(|failure| failure.index.as_ref().unwrap()[0]).collect();
    assert_eq!(rows, [2, 2, 2], "only the row that is asked for twice is wrong");
}

#[test]
fn a_scatter_that_is_off_by_one_is_found() {
    is_found(Kind::Gather, Bug::OffByOneScatter, "x");
}

#[test]
fn an_input_in_the_place_of_the_output_is_found() {
    is_found(Kind::Exp, Bug::InputForOutput, "x");
}

#[test]
fn a_forgotten_mask_is_found() {
    is_found(Kind::Relu, Bug::ForgottenMask, "x");
}

#[test]
fn a_derivative_that_is_wrong_in_both_modes_is_found_by_the_difference() {
    assert!(check(Kind::Cube, Bug::None).ok());
    let wrong = check(Kind::Cube, Bug::WrongTogether);
    assert!(!wrong.ok(), "{wrong}");
    for failure in wrong.failures() {
        assert_eq!(failure.verdict, Verdict::DifferenceDiffers, "{failure}");
        assert!(failure.to_string().contains("reverse and forward share a wrong derivative"), "{failure}");
    }
}

#[test]
fn a_vjp_that_is_right_but_loses_its_own_derivative_is_found_by_the_hessian_alone() {
    let x = Tensor::from_fn([3, 3], |i| 0.4 + 0.1 * i as f64);
    let second_order =
        |bug| check_second_order(&Suspect { kind: Kind::Cube, bug }, std::slice::from_ref(&x), 1);
    assert!(second_order(Bug::None).ok());
    assert!(check(Kind::Cube, Bug::SlopeTakenForAConstant).ok(), "the gradient is right");
    let wrong = second_order(Bug::SlopeTakenForAConstant);
    assert!(!wrong.ok(), "the Hessian of x³ is 6x on its diagonal, not 0: {wrong:?}");
}

#[test]
fn along_a_single_random_direction_every_bug_is_found_too() {
    let one_direction = GradCheck { exhaustive_up_to: 0, directions: 1, ..GradCheck::default() };
    for (kind, bug) in [
        (Kind::Sub, Bug::WrongSign),
        (Kind::Square, Bug::FactorTwo),
        (Kind::MatMul, Bug::MissingTranspose),
        (Kind::AddBias, Bug::MissingSumOverRows),
        (Kind::Softmax, Bug::MissingRowSum),
        (Kind::LayerNorm, Bug::NormTreatedAsConstant),
        (Kind::Gather, Bug::OverwrittenScatter),
        (Kind::Gather, Bug::OffByOneScatter),
        (Kind::Exp, Bug::InputForOutput),
        (Kind::Relu, Bug::ForgottenMask),
        (Kind::Cube, Bug::WrongTogether),
    ] {
        let right = check_by(&one_direction, kind, Bug::None);
        assert!(right.ok(), "the right {kind:?} is accepted: {right}");
        let wrong = check_by(&one_direction, kind, bug);
        assert!(!wrong.ok(), "{bug:?} is rejected: {wrong}");
    }
}
