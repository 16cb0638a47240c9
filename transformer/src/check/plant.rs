//! The museum: bugs that people really shipped, each of which can be planted in a run of one's own model.
//!
//! A planted bug is an op that delegates to the right one except for its bug (see `wrong.rs`); it is put in
//! its place by [`Tape::intercept`], so that the code of the model stays clean. All of them leave every shape as it
//! was, and with most of them the loss still falls: that is why they were shipped.

use super::subject::Path;
use super::wrong::{Bug, Wrong};
use crate::data::batches::Batch;
use crate::error::{Error, Result};
use crate::model::Gpt;
use autograd::{Float, Tape, Tensor};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

/// A bug of the museum.
#[derive(Debug, PartialEq)]
pub struct Plant {
    /// What `--plant` calls it.
    pub name: &'static str,
    /// Where it happened in real life, without saying where to look.
    pub story: &'static str,
    /// The op that is wrong first, as the tape names it.
    pub op: &'static str,
    /// The scope of that op.
    pub scope: &'static str,
    bug: Bug,
    sites: &'static [Site],
}

/// Ops that the bug is planted in.
#[derive(Debug, PartialEq)]
struct Site {
    op: &'static str,
    /// What the scope ends with.
    scope: &'static str,
    /// Which of the ops of that name in that scope, or all.
    nth: Option<usize>,
}

const fn all(op: &'static str, scope: &'static str) -> Site {
    Site { op, scope, nth: None }
}

const fn one(op: &'static str, scope: &'static str, nth: usize) -> Site {
    Site { op, scope, nth: Some(nth) }
}

/// The bug of that name.
///
/// # Errors
/// If the museum has none of that name; the message lists those that it has.
pub fn plant(name: &str) -> Result<&'static Plant> {
    MUSEUM.iter().find(|plant| plant.name == name).ok_or_else(|| {
        let names: Vec<&str> = MUSEUM.iter().map(|plant| plant.name).collect();
        Error::new(format!("the museum has no bug named {name:?}"))
            .at("--plant")
            .way_out(format!("take one of: {}", names.join(", ")))
    })
}

/// The bug, if the model has a place for it on that path.
///
/// # Errors
/// If it computes no op that the bug could be in: then nothing would be planted, and the check would praise a model that is
/// as right as before.
pub fn plant_in(found: &'static Plant, model: &Gpt<Tensor<f64>>, path: Path) -> Result<&'static Plant> {
    if found.has_a_place_in(model, path) {
        return Ok(found);
    }
    let own = path == found.path(); // then others may be on paths of their own as well
    let fits = |other: &&'static Plant| other.has_a_place_in(model, if own { other.path() } else { path });
    let others = MUSEUM.iter().filter(fits);
    let others: Vec<&str> = others.map(|plant| plant.name).collect();
    let (op, name) = (found.op, found.name);
    Err(Error::new(format!(
        "on the {path} path this model computes no {op} that {name:?} could be planted in"
    ))
    .at("--plant")
    .way_out(format!("take one of: {}", others.join(", "))))
}

impl Plant {
    /// Whether the model computes an op that the bug can be in.
    fn has_a_place_in(&'static self, model: &Gpt<Tensor<f64>>, path: Path) -> bool {
        let (tape, planted) = (Tape::new(), Rc::new(Cell::new(0)));
        self.install_counting(&tape, Rc::clone(&planted));
        let one_token = Batch { x: vec![0], y: vec![0], rows: 1, length: 1 };
        model.on(&tape).loss(&one_token, &path.pass(&model.config));
        planted.get() > 0
    }

    /// Plants the bug in what is computed on this tape from now on.
    ///
    /// # Panics
    /// If the tape has an intercept already.
    pub fn install<T: Float>(&'static self, tape: &Tape<T>) {
        self.install_counting(tape, Rc::default());
    }

    /// The same; `planted` counts the ops that the bug is in.
    pub(super) fn install_counting<T: Float>(&'static self, tape: &Tape<T>, planted: Rc<Cell<usize>>) {
        let counts: RefCell<BTreeMap<(&'static str, String), usize>> = RefCell::default();
        tape.intercept(move |op, scope| {
            let at = |site: &&Site| site.op == op.name() && scope.ends_with(site.scope);
            let Some(site) = self.sites.iter().find(at) else { return op };
            let mut counts = counts.borrow_mut();
            let count = counts.entry((site.op, scope.to_owned())).or_default();
            *count += 1;
            match site.nth {
                Some(nth) if nth + 1 != *count => op,
                _ => {
                    planted.set(planted.get() + 1);
                    Box::new(Wrong { op, bug: self.bug })
                }
            }
        });
    }

    /// The path on which the bug shows: dropout drops on one only, and the fused ops are not in the textbook's.
    pub fn path(&self) -> Path {
        match self.bug {
            Bug::NoRescale => Path::Dropout,
            Bug::NotNormalised | Bug::NotDivided | Bug::FixedDeviation => Path::Fused,
            _ => Path::Textbook,
        }
    }
}

/// All bugs, in the order of the list that `check --museum` prints.
pub const MUSEUM: &[Plant] = &[
    Plant {
        name: "no-mask",
        story: "every token sees those after it: the loss looks wonderful (nanoGPT #331)",
        op: "masked_fill",
        scope: "blocks.0.attention",
        bug: Bug::NoMask,
        sites: &[all("masked_fill", "attention")],
    },
    Plant {
        name: "late-mask",
        story: "the mask after the softmax instead of before it: rows no longer sum to 1, and the future leaks through the sum",
        op: "masked_fill",
        scope: "blocks.0.attention",
        bug: Bug::LateMask,
        sites: &[all("masked_fill", "attention"), all("softmax", "attention")],
    },
    Plant {
        name: "no-root",
        story: "no division by the root of the head's width: attention saturates, and learning is slow",
        op: "affine",
        scope: "blocks.0.attention",
        bug: Bug::NoRoot,
        sites: &[all("affine", "attention")],
    },
    Plant {
        name: "softmax-without-sum",
        story: "only the diagonal of a Jacobian: half of a rule, written from memory",
        op: "softmax",
        scope: "blocks.0.attention",
        bug: Bug::NoRowSum,
        sites: &[all("softmax", "attention")],
    },
    Plant {
        name: "cut",
        story: "an op that hands no gradient on and says nothing; the loss still falls by other paths (candle #2168, #2977)",
        op: "softmax",
        scope: "blocks.0.attention",
        bug: Bug::Cut,
        sites: &[all("softmax", "attention")],
    },
    Plant {
        name: "no-transpose",
        story: "a product's rule without its transpose: the matrix is square, so it fits",
        op: "matmul_tb",
        scope: "blocks.0.attention",
        bug: Bug::NoTranspose,
        sites: &[all("matmul_tb", "attention")],
    },
    Plant {
        name: "view-for-transpose",
        story: "a reshape where a transpose belongs: the shape is the expected one, the numbers are another token's",
        op: "permute",
        scope: "blocks.0.attention",
        bug: Bug::View,
        sites: &[one("permute", "attention", 3)],
    },
    Plant {
        name: "overwrite",
        story: "= where += belongs: what arrived before is gone (two branches of candle's backward pass did it)",
        op: "sub",
        scope: "blocks.0.norm",
        bug: Bug::Overwrite,
        sites: &[all("sub", "norm")],
    },
    Plant {
        name: "norm-without-mean",
        story: "a norm whose mean is taken for a constant on the way back: one term of three is missing",
        op: "mean",
        scope: "blocks.0.norm",
        bug: Bug::Cut,
        sites: &[all("mean", "norm")],
    },
    Plant {
        name: "unbiased-variance",
        story: "n − 1 for n, a library's default: off by one part in the width, and a ported checkpoint is slightly worse",
        op: "var",
        scope: "blocks.0.norm",
        bug: Bug::Unbiased,
        sites: &[all("var", "norm")],
    },
    Plant {
        name: "factor-two",
        story: "the derivative of a square without its 2: gradients point almost where they should",
        op: "var",
        scope: "blocks.0.norm",
        bug: Bug::Half,
        sites: &[all("var", "norm")],
    },
    Plant {
        name: "wrong-sign",
        story: "a − b with the rule of a + b: everybody writes it once",
        op: "sub",
        scope: "blocks.0.norm",
        bug: Bug::Sign,
        sites: &[all("sub", "norm")],
    },
    Plant {
        name: "bias-not-summed",
        story: "a vector that was broadcast over all tokens collects the gradient of the first one only",
        op: "mul",
        scope: "blocks.0.norm",
        bug: Bug::FirstRowOnly,
        sites: &[all("mul", "norm")],
    },
    Plant {
        name: "other-gelu",
        story: "forward by tanh, backward by erf: two digits agree, so a check at 10⁻² passes",
        op: "gelu",
        scope: "blocks.0.mlp",
        bug: Bug::OtherGelu,
        sites: &[all("gelu", "mlp")],
    },
    Plant {
        name: "last-token-wins",
        story: "an embedding's scatter that stores instead of adding: only tokens that occur twice are wrong",
        op: "gather",
        scope: "embedding",
        bug: Bug::LastWins,
        sites: &[one("gather", "embedding", 0)],
    },
    Plant {
        name: "shifted-positions",
        story: "positions that begin at 1 in training and at 0 elsewhere: a cache or a port then disagrees",
        op: "gather",
        scope: "embedding",
        bug: Bug::Shifted,
        sites: &[one("gather", "embedding", 1)],
    },
    Plant {
        name: "tied-once",
        story: "a weight that is used at both ends collects only one of its two gradients (an untied copy, a detach)",
        op: "matmul_tb",
        scope: "head",
        bug: Bug::SecondInputCut,
        sites: &[all("matmul_tb", "head")],
    },
    Plant {
        name: "double-softmax",
        story: "probabilities handed to a loss that takes logits: it trains, to a loss that stays far too high",
        op: "log_softmax",
        scope: "loss",
        bug: Bug::DoubleSoftmax,
        sites: &[all("log_softmax", "loss")],
    },
    Plant {
        name: "off-by-one",
        story: "targets at the wrong place by one: the model learns to say something else than what comes next",
        op: "mul",
        scope: "loss",
        bug: Bug::OffByOne,
        sites: &[all("mul", "loss")],
    },
    Plant {
        name: "no-rescale",
        story: "dropout that drops and does not divide by what it keeps: training and evaluation are two models",
        op: "dropout",
        scope: "embedding",
        bug: Bug::NoRescale,
        sites: &[all("dropout", "")],
    },
    Plant {
        name: "weights-not-divided",
        story: "attention in one op recomputes its weights on the way back, and forgets to divide by their sum",
        op: "causal_attention",
        scope: "blocks.0.attention",
        bug: Bug::NotNormalised,
        sites: &[all("causal_attention", "attention")],
    },
    Plant {
        name: "fixed-deviation",
        story: "a norm in one op that takes the deviation for a constant on the way back: another of its three terms",
        op: "layer_norm",
        scope: "blocks.0.norm",
        bug: Bug::FixedDeviation,
        sites: &[all("layer_norm", "norm")],
    },
    Plant {
        name: "sum-for-mean",
        story: "the value of a mean with the gradient of a sum: the learning rate is then another one for each batch size",
        op: "cross_entropy",
        scope: "loss",
        bug: Bug::NotDivided,
        sites: &[all("cross_entropy", "loss")],
    },
];
