//! The tape: every operation in the order in which it was computed, and the walk back from one number.
//!
//! ```text
//! forward    vₖ = fₖ(inputs of k)          each op appends a node; its inputs are already on the tape
//! seed       v̄_loss = 1
//! backward   for k = loss, …, 1, 0:        v̄ of k's inputs += v̄ₖ·∂fₖ/∂inputs      (the op's vjp)
//! ```
//!
//! A node's inputs have smaller numbers than the node, so the order of creation is a topological order and
//! its reverse visits every node after all of its users: when the walk reaches a node, its cotangent is
//! complete. One loop does it; there is no recursion and nothing to mark as visited.
//!
//! Griewank & Walther, "Evaluating Derivatives" (2008), §3.2.

use crate::op::{At, Cotangents, Op, Saved, Watch};
use crate::profile::{OpTime, Rule};
use crate::scope::{Scope, Scopes};
use crate::{Float, Gradients, Shape, Tensor};
use smallvec::SmallVec;
use std::cell::{Cell, OnceCell, Ref, RefCell};
use std::panic::Location;
use std::sync::atomic::{AtomicU64, Ordering};

/// Owns the nodes of one computation. Make a fresh one for each training step.
pub struct Tape<T: Float> {
    pub(crate) id: u64,
    nodes: RefCell<Vec<Node<T>>>,
    pub(crate) scopes: RefCell<Scopes>,
    pub(crate) gradients_on: Cell<bool>,
    pub(crate) bf16: Cell<bool>,
    freed: Cell<bool>,
    pub(crate) stop_at_non_finite: Cell<bool>,
    pub(crate) op_times: RefCell<Option<Vec<OpTime>>>,
    intercept: OnceCell<Box<Intercept<T>>>,
}

/// Takes an op that is about to run, and the scope that it runs in, and returns the op that runs in its place.
pub type Intercept<T> = dyn Fn(Box<dyn Op<T>>, &str) -> Box<dyn Op<T>>;

/// A tensor on a tape: a handle, copied freely and used like a number.
#[derive(Clone, Copy)]
pub struct Var<'t, T: Float> {
    tape: &'t Tape<T>,
    index: u32,
}

/// One entry of the tape: a value and how it came about.
pub struct Node<T: Float> {
    /// `None` for a leaf: a parameter, an input, a constant.
    pub op: Option<Box<dyn Op<T>>>,
    /// The numbers of the nodes that the op took.
    pub inputs: SmallVec<[u32; 3]>,
    /// What came out; empty once a [`backward_and_free`](Var::backward_and_free) has passed.
    pub value: Tensor<T>,
    /// What the op kept for its vjp.
    pub saved: Saved<T>,
    /// Whether the walk back goes through here.
    pub requires_gradient: bool,
    /// The part of the model that was running, such as `blocks.0.attention`.
    pub scope: Scope,
    /// The leaf's name, or "".
    pub name: String,
    /// The names of the axes, such as `b n d`, or "".
    pub axes: &'static str,
    /// The line of code that made it.
    pub location: &'static Location<'static>,
}

impl<T: Float> Node<T> {
    /// The op's name, or `leaf`.
    pub fn op_name(&self) -> &'static str {
        self.op.as_ref().map_or("leaf", |op| op.name())
    }

    /// Gives back the memory of what an op has computed, and puts `nothing` in its place; a leaf keeps its value.
    fn free(&mut self, nothing: &Tensor<T>) {
        if self.op.is_some() {
            self.value = nothing.clone();
            self.saved.clear();
        }
    }
}

impl<T: Float> Tape<T> {
    /// An empty tape.
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Tape {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            nodes: RefCell::new(Vec::with_capacity(64)),
            scopes: RefCell::new(Scopes::new()),
            gradients_on: Cell::new(true),
            bf16: Cell::new(false),
            freed: Cell::new(false),
            stop_at_non_finite: Cell::new(false),
            op_times: RefCell::new(None),
            intercept: OnceCell::new(),
        }
    }

    /// Puts a value on the tape whose gradient is wanted: a parameter. Inside [`no_grad`](Tape::no_grad) it is a constant.
    #[track_caller]
    pub fn leaf(&self, value: Tensor<T>) -> Var<'_, T> {
        self.push(None, SmallVec::new(), value, Saved::new(), self.gradients_on.get())
    }

    /// A [`leaf`](Tape::leaf) that reports and errors can name.
    #[track_caller]
    pub fn parameter(&self, name: &str, value: Tensor<T>) -> Var<'_, T> {
        let var = self.leaf(value);
        self.nodes.borrow_mut()[var.index()].name = name.to_owned();
        var
    }

    /// Puts a value on the tape whose gradient is not wanted: data, a mask.
    #[track_caller]
    pub fn constant(&self, value: Tensor<T>) -> Var<'_, T> {
        self.push(None, SmallVec::new(), value, Saved::new(), false)
    }

    /// Runs the op's forward rule on the inputs and puts the result on the tape.
    ///
    /// # Panics
    /// If the inputs are of another tape, or of shapes that the op does not take, or the tape was spent by
    /// [`backward_and_free`](Var::backward_and_free).
    #[track_caller]
    pub fn apply<'t>(&'t self, op: impl Op<T>, inputs: &[Var<'t, T>]) -> Var<'t, T> {
        self.run(Box::new(op), inputs)
    }

    #[track_caller]
    fn run<'t>(&'t self, mut op: Box<dyn Op<T>>, inputs: &[Var<'t, T>]) -> Var<'t, T> {
        if let Some(intercept) = self.intercept.get() {
            op = intercept(op, &self.scope_name(self.scopes.borrow().current()));
        }
        self.assert_not_freed();
        let mut saved = Saved::new();
        let mut numbers = SmallVec::new();
        let (value, requires_gradient) = {
            let nodes = self.nodes.borrow();
            let mut x: SmallVec<[&Tensor<T>; 4]> = SmallVec::new();
            let mut requires_gradient = false;
            for input in inputs {
                assert_eq!(input.tape.id, self.id, "{}: an input lives on another tape", op.name());
                let node = &nodes[input.index()];
                x.push(&node.value);
                numbers.push(input.index);
                requires_gradient |= node.requires_gradient;
            }
            let start = self.clock();
            let value = op.forward(&x, &mut saved);
            self.clocked(op.name(), Rule::Forward, start);
            (value, requires_gradient && self.gradients_on.get())
        };
        self.push(Some(op), numbers, value, saved, requires_gradient)
    }

    /// Lets `f` exchange every op from now on: it is given the op and the scope that it is applied in, and what it
    /// returns runs instead, forward and back. So a rule can be made wrong on purpose, to see whether a check finds
    /// it, and the code of the model need not know: return an op that delegates to the given one except for its bug.
    ///
    /// # Panics
    /// If the tape has an intercept already.
    pub fn intercept(&self, f: impl Fn(Box<dyn Op<T>>, &str) -> Box<dyn Op<T>> + 'static) {
        assert!(self.intercept.set(Box::new(f)).is_ok(), "intercept: this tape has an intercept already");
    }

    #[track_caller]
    fn push(
        &self,
        op: Option<Box<dyn Op<T>>>,
        inputs: SmallVec<[u32; 3]>,
        value: Tensor<T>,
        saved: Saved<T>,
        requires_gradient: bool,
    ) -> Var<'_, T> {
        let index = self.nodes.borrow().len();
        let scope = self.scopes.borrow().current();
        let (name, axes, location) = (String::new(), "", Location::caller());
        let node = Node { op, inputs, value, saved, requires_gradient, scope, name, axes, location };
        self.nodes.borrow_mut().push(node);
        if self.stop_at_non_finite.get()
            && let Some(found) = self.non_finite_at(index)
        {
            panic!("{found}");
        }
        Var { tape: self, index: u32::try_from(index).expect("a tape holds at most 2³² nodes") }
    }

    #[track_caller]
    pub(crate) fn assert_not_freed(&self) {
        assert!(
            !self.freed.get(),
            "this tape is spent: backward_and_free has given its values away; walk back with backward instead, or \
             compute on a fresh tape"
        );
    }

    /// All nodes, in the order in which they were computed.
    pub fn nodes(&self) -> Ref<'_, [Node<T>]> {
        Ref::map(self.nodes.borrow(), |nodes| &nodes[..])
    }

    /// The handle of node number `index`.
    ///
    /// # Panics
    /// If the tape is shorter.
    #[track_caller]
    pub fn var(&self, index: usize) -> Var<'_, T> {
        let len = self.nodes.borrow().len();
        assert!(index < len, "node {index} of a tape with {len} nodes");
        Var { tape: self, index: index as u32 }
    }
}

impl<T: Float> Default for Tape<T> {
    fn default() -> Self {
        Tape::new()
    }
}

impl<'t, T: Float> Var<'t, T> {
    /// The tape that it lives on.
    pub fn tape(self) -> &'t Tape<T> {
        self.tape
    }

    /// Its number on the tape.
    pub fn index(self) -> usize {
        self.index as usize
    }

    /// The value; the numbers are shared, not copied.
    pub fn value(self) -> Tensor<T> {
        self.tape.nodes.borrow()[self.index()].value.clone()
    }

    /// The sizes of the axes.
    pub fn shape(self) -> Shape {
        self.tape.nodes.borrow()[self.index()].value.shape().clone()
    }

    /// Names the axes on the printed tape: `x.axes("b n d")`.
    pub fn axes(self, names: &'static str) -> Self {
        self.tape.nodes.borrow_mut()[self.index()].axes = names;
        self
    }

    /// ∂self/∂v for every node v on the tape that self was computed from. The tape stays as it is: the walk
    /// can be repeated, from here or from another node, and each walk's [`Gradients`] start from nothing.
    ///
    /// # Panics
    /// If this is not a single number (see [`backward_from`](Var::backward_from)), or if the tape was spent by
    /// [`backward_and_free`](Var::backward_and_free).
    #[track_caller]
    pub fn backward(self) -> Gradients<T> {
        self.backward_from(self.seed())
    }

    /// v̄ = dy·∂self/∂v for every node v, the vector-Jacobian product with a cotangent of one's own.
    ///
    /// # Panics
    /// If `dy` has another shape than this value, or the tape was spent by [`backward_and_free`](Var::backward_and_free).
    #[track_caller]
    pub fn backward_from(self, dy: Tensor<T>) -> Gradients<T> {
        self.walk_back(dy, Keep::Everything, None)
    }

    /// [`backward`](Var::backward) for a training step: values and cotangents go back to the pool as soon as
    /// the walk has passed them, and only the gradients of leaves are returned. The tape is spent afterwards: another
    /// walk over it panics, and so does another op on it.
    ///
    /// # Panics
    /// As [`backward`](Var::backward), or if the guard of [`Tape::nodes`] is still held.
    #[track_caller]
    pub fn backward_and_free(self) -> Gradients<T> {
        self.walk_back(self.seed(), Keep::Leaves, None)
    }

    /// [`backward`](Var::backward), telling `watch` of every single contribution before it is added.
    ///
    /// # Panics
    /// As [`backward`](Var::backward).
    #[track_caller]
    pub fn backward_watched(self, watch: &mut Watch<'_, T>) -> Gradients<T> {
        self.walk_back(self.seed(), Keep::Everything, Some(watch))
    }

    #[track_caller]
    fn seed(self) -> Tensor<T> {
        self.tape.assert_not_freed();
        let shape = self.shape();
        assert_eq!(shape.numel(), 1, "backward starts from one number, not from {shape}; see backward_from");
        Tensor::ones(shape)
    }

    #[track_caller]
    fn walk_back(self, seed: Tensor<T>, keep: Keep, mut watch: Option<&mut Watch<'_, T>>) -> Gradients<T> {
        self.tape.assert_not_freed();
        let mut nodes = self.tape.nodes.borrow_mut();
        let end = self.index() + 1;
        let shape = nodes[self.index()].value.shape();
        assert!(seed.shape() == shape, "backward: a cotangent {} for a value {shape}", seed.shape());
        self.tape.freed.set(keep == Keep::Leaves);

        let nothing = Tensor::zeros([0]);
        let mut sums: Vec<Option<Tensor<T>>> = vec![None; end];
        sums[self.index()] = Some(seed);
        for index in (0..end).rev() {
            let (before, rest) = nodes.split_at_mut(index); // a node's inputs come before it
            let node = &mut rest[0];
            if let Some(op) = node.op.as_deref()
                && node.requires_gradient
                && let Some(dy) = sums[index].take()
            {
                let inputs = &node.inputs;
                let mut x: SmallVec<[&Tensor<T>; 4]> = SmallVec::new();
                inputs.iter().for_each(|&i| x.push(&before[i as usize].value));
                let at = At { x: &x, y: &node.value, dy: &dy, saved: &node.saved };
                let watch = watch.as_mut().map(|watch| *watch as &mut Watch<'_, T>);
                let mut dx = Cotangents { node: index, inputs, nodes: before, sums: &mut sums, watch };
                let start = self.tape.clock();
                op.vjp(&at, &mut dx);
                self.tape.clocked(op.name(), Rule::Backward, start);
                if keep == Keep::Everything {
                    sums[index] = Some(dy);
                }
            }
            if keep == Keep::Leaves {
                node.free(&nothing);
            }
        }
        Gradients::new(self.tape.id, sums)
    }
}

/// What a walk back leaves behind.
#[derive(Clone, Copy, PartialEq)]
enum Keep {
    Everything,
    Leaves,
}
