//! The trace: one real step of training, forward, backward and update, as data that one can walk through.
//!
//! ```text
//! forward    vₖ = fₖ(inputs of k)               a step a node of the tape, in the order of computing
//! seed       v̄_loss = 1
//! backward   v̄_to += v̄ₖ·∂fₖ/∂x_slot             a step a contribution, in the order of the walk back
//! update     p ← p − η·(m̂/(√v̂ + ε) + λ·p)        a step a parameter: AdamW
//! ```
//!
//! It is made from the tape's own records of the reader's own model and text: [`record`] runs the textbook composition of
//! the model at f64 and watches the walk back, [`checks`] compares its cotangents with derivatives that know no vjp,
//! and [`build`] puts both into the [`schema`], which `trace` prints, `--json` writes and the page shows.
//!
//! What is the same from run to run is the whole of it: a trace has no times in it, and no order that depends on a hash.

pub mod axes;
pub mod blob;
pub mod build;
pub mod checks;
pub mod memory;
pub mod page;
pub mod record;
pub mod rules;
pub mod schema;
pub mod sources;

#[cfg(test)]
mod tests;
