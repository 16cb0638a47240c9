//! What a trace holds, as it is written by `trace --json`.
//!
//! Numbers are in the array `data`, each entry of it base64(zlib(f32, little-endian, row-major)) unless said otherwise;
//! equal tensors share an entry. Indices of nodes, scopes, verdicts and data are positions in their arrays.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The number of this schema: it grows when a field changes its meaning, not when one is added.
pub const SCHEMA: u32 = 1;

/// One step of training, walked through.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// [`SCHEMA`]
    pub schema: u32,
    /// What ran.
    pub run: Run,
    /// AdamW's constants in this update.
    pub adamw: AdamW,
    /// Where AdamW is written.
    pub update: UpdateSource,
    /// The names of the axes and their sizes.
    pub dims: Vec<Dim>,
    /// What the model saw. `[n]`
    pub tokens: Vec<Token>,
    /// What it should have said at each place. `[n]`
    pub targets: Vec<Token>,
    /// The parts of the model, outermost first: "", `embedding`, `blocks.0`, `blocks.0.attention`, …
    pub scopes: Vec<String>,
    /// The rule of every op on the tape, by name.
    pub rules: BTreeMap<String, Rule>,
    /// The parts of the source that nodes and rules point to, by file.
    pub sources: BTreeMap<String, Vec<Excerpt>>,
    /// The tape, in the order of computing.
    pub nodes: Vec<Node>,
    /// Everything that happened, in order.
    pub steps: Vec<Step>,
    /// What was checked, a group a node.
    pub checks: Vec<Checks>,
    /// The verdicts that `checks` point to.
    pub verdicts: Vec<String>,
    /// Whether nothing that was checked is wrong.
    pub ok: bool,
    /// The first step that is wrong: a value, in the order of computing, or else a vjp, in the order of the walk back.
    pub first_broken: Option<Broken>,
    /// What is wrong with each op by itself: its value is not the formula's, or its vjp is not the derivative of its rule.
    pub faults: Vec<Fault>,
    /// The numbers.
    pub data: Vec<String>,
}

/// What ran.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The command line that makes this trace again.
    pub command: String,
    /// The program's version.
    pub version: String,
    /// The seed of the model.
    pub seed: u64,
    /// The precision: `f64`.
    pub dtype: String,
    /// The directory of the run, or `preset demo`.
    pub source: String,
    /// By which ops it was computed: `textbook`, `fused`, or `dropout`, the textbook's with dropout.
    pub path: String,
    /// What the model saw and should have said: n + 1 tokens.
    pub text: String,
    /// The updates that were done before this one.
    pub updates: u64,
    /// How many numbers are learned.
    pub parameters: usize,
    /// Floating-point operations of the forward pass.
    pub flops: u64,
    /// Bytes of the values on the tape.
    pub bytes: usize,
    /// The mean of −ln p(next token), in nats.
    pub loss: f64,
    /// The learning rate of the update.
    pub learning_rate: f64,
    /// The norm of the gradient over all parameters, before clipping.
    pub gradient_norm: f64,
    /// The wrong rule that was planted, if one was.
    pub planted: Option<String>,
    /// How many entries of cotangents were checked.
    pub checked: usize,
    /// How many there are.
    pub checkable: usize,
}

/// AdamW's constants in this update; see [`crate::train::optimizer`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AdamW {
    /// η
    pub learning_rate: f64,
    /// β₁
    pub beta1: f64,
    /// β₂
    pub beta2: f64,
    /// ε
    pub eps: f64,
    /// λ
    pub weight_decay: f64,
    /// What gradients are multiplied by, so that their norm is at most the run's `grad_clip`.
    pub clip: f64,
    /// 1 − β₁ᵗ
    pub correction1: f64,
    /// 1 − β₂ᵗ
    pub correction2: f64,
}

/// The name of an axis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dim {
    /// As in [`Node::axes`].
    pub name: String,
    /// How many there are along it.
    pub size: usize,
    /// What is counted along it.
    pub meaning: String,
}

/// A token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Its number in the vocabulary.
    pub id: usize,
    /// Its text.
    pub text: String,
}

/// What an op does, and what its vjp does, in words and as formulas.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// What the op does, in one sentence.
    pub sentence: String,
    /// What the vjp does, in one sentence.
    pub words: String,
    /// y = …
    pub forward: String,
    /// x̄ᵢ = …, one an input.
    pub vjp: Vec<String>,
    /// Where both are written.
    pub source: RuleSource,
}

/// Where an op's rules are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleSource {
    /// The file, from the root of the repository.
    pub file: String,
    /// The forward rule.
    pub forward: Lines,
    /// The vjp.
    pub vjp: Lines,
}

/// Where the update is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateSource {
    /// The file, from the root of the repository.
    pub file: String,
    /// The function that moves a parameter's numbers.
    pub lines: Lines,
}

/// Lines of a file, counted from 1, the last one included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lines {
    /// The first.
    pub line: usize,
    /// The last.
    pub end_line: usize,
}

/// A part of a source file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excerpt {
    /// The number of its first line, counted from 1.
    pub first_line: usize,
    /// Whole lines, without the last line's end.
    pub text: String,
}

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The file, from the root of the repository.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
}

/// A node of the tape.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// The op's name, or `leaf`.
    pub op: String,
    /// What the op was told besides its inputs.
    pub details: String,
    /// The nodes that it took.
    pub inputs: Vec<usize>,
    /// The part of the model.
    pub scope: usize,
    /// A parameter's name, or "".
    pub name: String,
    /// The names of the axes, such as `b h n m`; "" for one number.
    pub axes: String,
    /// Their sizes.
    pub shape: Vec<usize>,
    /// What came out.
    pub value: Blob,
    /// The line that asked for it.
    pub call: Place,
    /// Whether the walk back goes through here.
    pub requires_gradient: bool,
    /// ∂loss/∂value, when every contribution has arrived.
    pub gradient: Option<Blob>,
    /// Floating-point operations of the forward rule.
    pub flops: u64,
}

/// A tensor, or a sample of a large one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Blob {
    /// The sizes of the whole tensor's axes.
    pub shape: Vec<usize>,
    /// Along each axis the indices that are in `data`; nothing if all are. Every blob of a node has the same.
    pub indices: Option<Vec<Vec<usize>>>,
    /// Where in `data` the numbers are.
    pub data: usize,
    /// Of the whole tensor.
    pub stats: Stats,
}

/// What is known of a whole tensor; the first four of its finite entries.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    /// The mean.
    pub mean: f64,
    /// √Σx²
    pub norm: f64,
    /// How many entries are NaN.
    pub nan: usize,
    /// How many are infinite.
    pub inf: usize,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "dir", rename_all = "lowercase")]
pub enum Step {
    /// A node was computed, or a leaf put on the tape.
    Forward {
        /// Which.
        node: usize,
    },
    /// The walk back begins: the cotangent of the loss is 1.
    Seed {
        /// The loss.
        node: usize,
    },
    /// One `+=` of the walk back.
    Backward(Contribution),
    /// A parameter moved.
    Update(Update),
}

/// x̄_to += delta, from the vjp of a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Contribution {
    /// The node whose vjp runs.
    pub node: usize,
    /// Which of its inputs it is for.
    pub slot: usize,
    /// The node that this input is.
    pub to: usize,
    /// What is added.
    pub delta: Blob,
    /// Its norm.
    pub norm: f64,
    /// Whether something has arrived there before.
    pub accumulate: bool,
    /// This contribution alone, checked along one random direction; nothing if checks were not asked for.
    pub check: Option<Along>,
}

/// Σ delta·u for a random direction u, by the vjp and by dual numbers through the forward rule of this one op.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Along {
    /// Σ delta·u
    pub reverse: f64,
    /// Σ v̄ₖ·(the tangent of fₖ along u)
    pub forward: f64,
    /// Their distance, relative to the larger one's scale.
    pub relative_error: f64,
    /// `agree` or `wrong`.
    pub verdict: String,
}

/// How one parameter moved, at up to 256 of its entries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Update {
    /// The parameter.
    pub node: usize,
    /// Which indices along each axis.
    pub indices: Vec<Vec<usize>>,
    /// p before.
    pub before: usize,
    /// Its gradient, before clipping.
    pub gradient: usize,
    /// m after.
    pub m: usize,
    /// v after.
    pub v: usize,
    /// p after.
    pub after: usize,
    /// λ where it applies to this parameter, or 0.
    pub decay: f64,
    /// The norm of p after − p before, over all entries.
    pub norm: f64,
}

/// Entries of one node's cotangent, each computed three ways.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checks {
    /// The node.
    pub node: usize,
    /// Which entries of the whole tensor, counted in row-major order.
    pub entries: Vec<usize>,
    /// Where in `data`: reverse, forward and difference of each entry, as f64 little-endian.
    pub values: usize,
    /// |reverse − forward|, relative to the larger of the two (or, if that is more, to 10⁻³ of the node's largest gradient).
    pub relative_error: Vec<f64>,
    /// What to make of them.
    pub verdicts: Vec<usize>,
}

/// What is wrong with one op.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Its node.
    pub node: usize,
    /// In words.
    pub why: String,
}

/// An op that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broken {
    /// Its node.
    pub node: usize,
    /// The input for which its vjp is wrong; nothing if its value is.
    pub slot: Option<usize>,
    /// What is wrong, in words.
    pub why: String,
}
