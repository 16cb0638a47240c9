//! The gradient of every parameter, three ways: by the tape, by dual numbers, by differences.
//!
//! Small parameters are checked entry by entry. Of a large one a stated sample is: the entries with the largest gradients,
//! one entry drawn from each of as many equal parts of the tensor, and two random directions through all of its entries.
//! All three take the textbook's path, so that they are about one function; that the fused ops have the same gradient, in
//! every entry of every parameter, is a claim of its own ([`super::claims::fused`]).

use super::subject::{Loss, Path, Subject};
use autograd::gradcheck::{Difference, Entry, GradCheck, Verdict, difference};
use autograd::{Dual, Tape, Tensor};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

/// What was found of one parameter: its worst entry, and how many were looked at.
#[derive(Debug, Clone, Serialize)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its sizes.
    pub shape: Vec<usize>,
    /// The entry whose three values are furthest apart; null for a random direction.
    pub worst_index: Option<Vec<usize>>,
    /// Its derivative by the walk back.
    pub reverse: f64,
    /// By dual numbers.
    pub forward: f64,
    /// By differences.
    pub difference: f64,
    /// The largest distance between two of them, relative to the largest entry of the gradient.
    pub relative_error: f64,
    /// What to make of it, in words.
    pub verdict: String,
    /// Whether it passes.
    pub ok: bool,
    /// How many entries were checked.
    pub entries: usize,
    /// How many random directions.
    pub directions: usize,
}

/// One derivative to be checked.
struct Task {
    parameter: usize,
    /// An entry, or a random direction.
    entry: Option<usize>,
    direction: Tensor<f64>,
}

/// Checks every parameter by about `derivatives` derivatives each (at least four), on `threads` threads. The result does not depend
/// on the number of threads.
pub fn parameters(subject: &Subject, derivatives: usize, threads: usize) -> Vec<Parameter> {
    let gradients = gradient(subject);
    let tasks = tasks(subject, &gradients, derivatives);
    let mut entries: Vec<(usize, Entry, f64)> = Vec::new();
    std::thread::scope(|scope| {
        let (tasks, gradients) = (&tasks, &gradients);
        let worker = |first: usize| {
            let tasks = tasks.iter().enumerate().skip(first).step_by(threads);
            scope.spawn(move || check(subject, gradients, tasks))
        };
        let workers: Vec<_> = (0..threads).map(worker).collect();
        for worker in workers {
            entries.extend(worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
    });
    entries.sort_by_key(|(task, ..)| *task);
    let named = subject.model.parameters();
    let summary = |(i, (name, value)): (usize, &(String, &Tensor<f64>))| {
        let of_this = || entries.iter().filter(|(task, ..)| tasks[*task].parameter == i);
        let worst = of_this().max_by(|(_, a, a_error), (_, b, b_error)| {
            (!a.verdict.ok()).cmp(&!b.verdict.ok()).then(a_error.total_cmp(b_error))
        });
        let (_, worst, relative_error) = worst.expect("each parameter is checked somewhere");
        Parameter {
            name: name.clone(),
            shape: value.shape().to_vec(),
            worst_index: worst.index.clone(),
            reverse: worst.reverse,
            forward: worst.forward,
            difference: worst.difference,
            relative_error: *relative_error,
            verdict: worst.verdict.to_string(),
            ok: worst.verdict.ok(),
            entries: of_this().filter(|(_, entry, _)| entry.index.is_some()).count(),
            directions: of_this().filter(|(_, entry, _)| entry.index.is_none()).count(),
        }
    };
    named.iter().enumerate().map(summary).collect()
}

fn gradient(subject: &Subject) -> Vec<Tensor<f64>> {
    let tape = Tape::new();
    let recorded = subject.record(&tape, Path::Textbook);
    let gradients = recorded.loss.backward();
    let of = |&x| gradients.get(x).cloned().unwrap_or_else(|| Tensor::zeros(x.shape()));
    recorded.parameters.iter().map(of).collect()
}

fn tasks(subject: &Subject, gradients: &[Tensor<f64>], derivatives: usize) -> Vec<Task> {
    let each = derivatives.max(4);
    let mut random = ChaCha8Rng::seed_from_u64(0);
    let mut tasks = Vec::new();
    for (parameter, value) in subject.values().iter().enumerate() {
        let numel = value.numel();
        let unit = |at: usize| Tensor::from_fn(value.shape(), |i| f64::from(u8::from(i == at)));
        let entries: Vec<usize> = match numel <= each {
            true => (0..numel).collect(),
            false => {
                let mut order: Vec<usize> = (0..numel).collect();
                let size = |&i: &usize| -gradients[parameter].data()[i].abs();
                order.sort_by(|a, b| size(a).total_cmp(&size(b)));
                let (parts, largest) = ((each - 2) / 2, each - 2 - (each - 2) / 2);
                let part = |part: usize| numel * part / parts..numel * (part + 1) / parts;
                order.truncate(largest);
                order.extend((0..parts).map(|i| random.random_range(part(i))));
                order
            }
        };
        tasks.extend(entries.iter().map(|&at| Task { parameter, entry: Some(at), direction: unit(at) }));
        for _ in 0..if numel <= each { 0 } else { 2 } {
            let direction = Tensor::from_fn(value.shape(), |_| random.random_range(-1.0..1.0));
            let length = dot(&direction, &direction).sqrt();
            tasks.push(Task { parameter, entry: None, direction: direction.map(|u| u / length) });
        }
    }
    tasks
}

fn check<'a>(
    subject: &Subject,
    gradients: &[Tensor<f64>],
    tasks: impl Iterator<Item = (usize, &'a Task)>,
) -> Vec<(usize, Entry, f64)> {
    let (tape, duals) = (Tape::new(), Tape::<Dual<f64>>::new());
    let recorded = subject.record(&tape, Path::Textbook);
    subject.record(&duals, Path::Textbook); // the same nodes, at dual numbers
    let names = subject.model.parameters();
    let entry = |(number, task): (usize, &Task)| {
        let Task { parameter, entry, direction } = task;
        let (node, loss) = (recorded.parameters[*parameter].index(), recorded.loss.index());
        let value = recorded.parameters[*parameter].value();
        let seeded = Tensor::from_fn(value.shape(), |i| Dual::new(value.data()[i], direction.data()[i]));
        let forward = duals.replay(node, seeded, loss).item().tangent;
        let along = |t: f64| tape.replay(node, value.zip(direction, |x, u| x + t * u), loss).item();
        let difference: Difference = difference(along);
        let gradient = &gradients[*parameter];
        let reverse = dot(gradient, direction);
        let scale = match entry {
            Some(_) => gradient.data().iter().fold(0.0, |most: f64, x| most.max(x.abs())),
            None => dot(gradient, gradient).sqrt(),
        };
        let verdict: Verdict = GradCheck::default().judge(reverse, forward, &difference, scale);
        let apart = (reverse - forward).abs().max((forward - difference.value).abs());
        let scale = scale.max(reverse.abs()).max(forward.abs());
        let relative = if apart == 0.0 { 0.0 } else { apart / scale };
        let (name, index) = (names[*parameter].0.clone(), entry.map(|entry| value.index_of(entry)));
        (number, Entry { name, index, reverse, forward, difference: difference.value, verdict }, relative)
    };
    tasks.map(entry).collect()
}

fn dot(a: &Tensor<f64>, b: &Tensor<f64>) -> f64 {
    a.data().iter().zip(b.data()).map(|(a, b)| a * b).sum()
}

/// The Hessian along two random directions, in three ways that have to agree.
#[derive(Debug, Clone, Serialize)]
pub struct Hessian {
    /// Whether they agree.
    pub ok: bool,
    /// By which ops.
    pub path: Path,
    /// uᵀ(H·v), by dual numbers under the tape.
    pub u_hv: f64,
    /// vᵀ(H·u): a Hessian is symmetric.
    pub v_hu: f64,
    /// uᵀ·d/dt ∇loss(x + t·v), by differences of gradients.
    pub difference: f64,
}

/// Checks the loss's Hessian along two random directions through all parameters.
pub fn hessian(subject: &Subject, path: Path) -> Hessian {
    let found = autograd::gradcheck::check_second_order(&Loss(subject, path), &subject.values(), 0);
    Hessian { ok: found.ok(), path, u_hv: found.u_hv, v_hu: found.v_hu, difference: found.difference }
}
