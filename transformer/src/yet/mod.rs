//! "Not yet": experiments that are written down, rerun when there is a more capable model, and learnt from.
//!
//! An [`experiment`] is a file: a question, what counts as "works", a recipe, what is expected and why. A [`run`] trains
//! it at a rung of the ladder. The [`ledger`] keeps every outcome, and nothing in it is ever changed. [`status`] reads
//! it, [`page`] shows it.

pub mod experiment;
pub mod ledger;
pub mod page;
pub mod run;
pub mod status;

#[cfg(test)]
mod tests;
