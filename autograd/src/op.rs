//! `Op`: what a differentiable operation has to say: its name, its value, and its vector-Jacobian product.
//!
//! For `y = f(x₀, x₁, …)` and a loss `L`, write `ȳ = ∂L/∂y` for the *cotangent* of `y`. A backward rule turns
//! `ȳ` into a contribution to each `x̄ᵢ`:
//!
//! ```text
//! x̄ᵢ += ȳ · ∂y/∂xᵢ            the vector-Jacobian product, vjp
//! ```
//!
//! A rule sees its inputs, its output, `ȳ` and what its forward rule saved, and never the tape. It hands its contributions
//! to [`Cotangents`], which adds them up and undoes broadcasting. An op without a vjp does not compile.

use crate::tape::Node;
use crate::{Float, Scope, Tensor};
use smallvec::SmallVec;
use std::panic::Location;

/// A differentiable operation with any number of inputs and one output.
///
/// Implement it outside this crate to add your own: see `examples/custom_op.rs`.
pub trait Op<T: Float>: 'static {
    /// What the printed tape calls it.
    fn name(&self) -> &'static str;

    /// y = f(x). What the vjp will need besides x and y (a mean, a random mask) goes into `saved`.
    #[track_caller]
    fn forward(&self, x: &[&Tensor<T>], saved: &mut Saved<T>) -> Tensor<T>;

    /// x̄ᵢ += ȳ·∂y/∂xᵢ for each input.
    fn vjp(&self, at: &At<T>, dx: &mut Cotangents<T>);

    /// Floating-point operations of the forward rule, a multiplication and an addition counting one each;
    /// 0 for what moves numbers about.
    fn flops(&self, _x: &[&Tensor<T>], y: &Tensor<T>) -> u64 {
        y.numel() as u64
    }

    /// What the op was told besides its inputs, for those who look at the tape: `axis 2`, `× 0.25`; or nothing.
    fn details(&self) -> String {
        String::new()
    }

    /// An infinite output is meant (a mask of −∞) and no cause for alarm.
    fn means_infinity(&self) -> bool {
        false
    }
}

/// An op in a box is that op.
impl<T: Float> Op<T> for Box<dyn Op<T>> {
    fn name(&self) -> &'static str {
        (**self).name()
    }
    #[track_caller]
    fn forward(&self, x: &[&Tensor<T>], saved: &mut Saved<T>) -> Tensor<T> {
        (**self).forward(x, saved)
    }
    fn vjp(&self, at: &At<T>, dx: &mut Cotangents<T>) {
        (**self).vjp(at, dx);
    }
    fn flops(&self, x: &[&Tensor<T>], y: &Tensor<T>) -> u64 {
        (**self).flops(x, y)
    }
    fn details(&self) -> String {
        (**self).details()
    }
    fn means_infinity(&self) -> bool {
        (**self).means_infinity()
    }
}

/// Tensors that a forward rule keeps for its vjp.
pub type Saved<T> = SmallVec<[Tensor<T>; 2]>;

/// The point at which a vjp is taken: everything a backward rule may look at.
pub struct At<'a, T: Float> {
    /// The inputs, as the forward rule saw them.
    pub x: &'a [&'a Tensor<T>],
    /// The output, as the forward rule returned it.
    pub y: &'a Tensor<T>,
    /// ȳ, the cotangent of the output; it has the output's shape.
    pub dy: &'a Tensor<T>,
    /// What the forward rule saved.
    pub saved: &'a [Tensor<T>],
}

/// Where a backward rule puts its contributions: the cotangents x̄ᵢ of its inputs.
pub struct Cotangents<'a, T: Float> {
    pub(crate) node: usize,
    pub(crate) inputs: &'a [u32],
    pub(crate) nodes: &'a [Node<T>], // those before `node`: the inputs are among them
    pub(crate) sums: &'a mut [Option<Tensor<T>>], // x̄ of every node, where one has arrived
    pub(crate) watch: Option<&'a mut Watch<'a, T>>,
}

/// One `+=` of the walk back: `delta` arrives at node `to` through input number `input` of node `from`.
pub struct Contribution<'a, T: Float> {
    /// The node whose vjp is running.
    pub from: usize,
    /// Which of its inputs the contribution is for.
    pub input: usize,
    /// The node that this input is.
    pub to: usize,
    /// What is added to x̄ of `to`, in its shape.
    pub delta: &'a Tensor<T>,
    /// x̄ of `to` so far; `None` if this is the first contribution.
    pub before: Option<&'a Tensor<T>>,
}

/// Who is told of every contribution before it is added.
pub type Watch<'a, T> = dyn FnMut(Contribution<'_, T>) + 'a;

impl<T: Float> Cotangents<'_, T> {
    /// Whether anybody needs the cotangent of input `i`; a constant's is not computed.
    pub fn wants(&self, i: usize) -> bool {
        self.nodes[self.inputs[i] as usize].requires_gradient
    }

    /// x̄ᵢ as far as it has arrived, for those who look; a rule has no use for it.
    pub fn so_far(&self, i: usize) -> Option<&Tensor<T>> {
        self.sums[self.inputs[i] as usize].as_ref()
    }

    /// x̄ᵢ += contribution, which is only computed if wanted. It has the shape of input `i`, or one that input
    /// `i` broadcasts to: then it is summed over the repeated axes.
    pub fn add(&mut self, i: usize, contribution: impl FnOnce() -> Tensor<T>) {
        if self.wants(i) {
            self.arrive(i, contribution());
        }
    }

    /// x̄ᵢ += contribution. Here two contributions meet, for every rule but those that add where the sum lies, below.
    fn arrive(&mut self, i: usize, contribution: Tensor<T>) {
        let to = self.inputs[i] as usize;
        let shape = self.nodes[to].value.shape();
        let delta = if contribution.shape() == shape { contribution } else { contribution.sum_to(shape) };
        if let Some(watch) = &mut self.watch {
            let before = self.sums[to].as_ref();
            watch(Contribution { from: self.node, input: i, to, delta: &delta, before });
        }
        match &mut self.sums[to] {
            Some(sum) => sum.add_assign(&delta),
            nothing_yet => *nothing_yet = Some(delta),
        }
    }

    /// As [`add`](Cotangents::add), for a rule that can add where the sum lies: `write(x̄ᵢ, true)` adds to the
    /// numbers that are there, `write(x̄ᵢ, false)` overwrites all of them.
    pub fn add_in_place(&mut self, i: usize, write: impl FnOnce(&mut [T], bool)) {
        if !self.wants(i) {
            return;
        }
        let to = self.inputs[i] as usize;
        match &mut self.sums[to] {
            Some(sum) if self.watch.is_none() => write(sum.data_mut(), true),
            _ => {
                let shape = self.nodes[to].value.shape().clone();
                self.add(i, || Tensor::build(shape, |delta| write(delta, false)));
            }
        }
    }
}

/// Runs one op's vjp without a tape: starts from the cotangents `before`, one for each input, and returns them with the
/// rule's contributions added; `None` where nothing has arrived. To check a rule, or to build on another op's.
///
/// # Panics
/// As the rule does, and if `before` is shorter than the inputs.
pub fn vjp_alone<T: Float>(
    op: &dyn Op<T>,
    at: &At<T>,
    before: Vec<Option<Tensor<T>>>,
) -> Vec<Option<Tensor<T>>> {
    let leaf = |x: &&Tensor<T>| Node {
        op: None,
        inputs: SmallVec::new(),
        value: (*x).clone(),
        saved: Saved::new(),
        requires_gradient: true,
        scope: Scope::default(),
        name: String::new(),
        axes: "",
        location: Location::caller(),
    };
    let nodes: Vec<Node<T>> = at.x.iter().map(leaf).collect();
    let inputs: Vec<u32> = (0..nodes.len() as u32).collect();
    let mut sums = before;
    op.vjp(
        at,
        &mut Cotangents { node: nodes.len(), inputs: &inputs, nodes: &nodes, sums: &mut sums, watch: None },
    );
    sums
}
