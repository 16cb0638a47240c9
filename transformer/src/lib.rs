//! A GPT on the [`autograd`] crate, with what it takes to train one on an ordinary computer.
//!
//! ```text
//! text → tokens → [b, n, d] → N blocks → one number: the mean of −ln p(next token)        model, data
//! and back from it to every parameter, a small step against each slope, again and again   train
//! ```
//!
//! What to read, in this order:
//!
//! 1. `examples/microgpt.rs`: all of it on one page.
//! 2. [`model`]: the architecture, GPT-2's; begin with [`Gpt`](model::Gpt) and [`Block`](model::Block).
//! 3. [`data`]: tokenizers, windows of a text, and [`stories`](data::stories), a corpus whose entropy is known exactly.
//! 4. [`train`]: the [`gradient`](train::gradient) of a batch, the same in [`shards`](train::shards), the
//!    [`optimizer`](train::optimizer), the [`trainer`](train::trainer).
//! 5. [`mod@sample`]: from logits to text. [`run_dir`]: what a run leaves on disk, whole at every moment.
//! 6. [`scale`]: a ladder of models and the law of their losses. [`tasks`] and [`yet`]: questions with exact answers, and
//!    the ledger of which model can answer them.
//! 7. [`commands`] and [`cli`]: the command line, which is thin.
//!
//! Whatever comes from outside (files, flags, texts) and is wrong is an [`Error`] that names the file, the place in it
//! and a way out.

pub mod bench;
pub mod chart;
pub mod check;
pub mod cli;
pub mod commands;
pub mod data;
pub mod error;
pub mod files;
pub mod huggingface;
pub mod lock;
pub mod model;
pub mod plan;
pub mod random;
pub mod report;
pub mod run_dir;
pub mod safetensors;
pub mod sample;
pub mod scale;
pub mod tasks;
pub mod tensorboard;
pub mod trace;
pub mod train;
pub mod yet;

pub use error::{Error, Result};
