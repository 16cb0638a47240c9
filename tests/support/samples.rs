//! Every Rust sample of the README and of the book is a test: `cargo test` compiles and runs them.
//!
//! One line a page; `tests/book.rs` fails when a page is missing here.

#[doc = include_str!("../../README.md")]
mod readme {}
#[doc = include_str!("../../CONTRIBUTING.md")]
mod contributing {}
#[doc = include_str!("../../docs/src/introduction.md")]
mod introduction {}
#[doc = include_str!("../../docs/src/reading.md")]
mod reading {}
#[doc = include_str!("../../docs/src/slope.md")]
mod slope {}
#[doc = include_str!("../../docs/src/tape.md")]
mod tape {}
#[doc = include_str!("../../docs/src/order.md")]
mod order {}
#[doc = include_str!("../../docs/src/rules.md")]
mod rules {}
#[doc = include_str!("../../docs/src/gradcheck.md")]
mod gradcheck {}
#[doc = include_str!("../../docs/src/museum.md")]
mod museum {}
#[doc = include_str!("../../docs/src/debugger.md")]
mod debugger {}
#[doc = include_str!("../../docs/src/transformer.md")]
mod transformer {}
#[doc = include_str!("../../docs/src/trace.md")]
mod trace {}
#[doc = include_str!("../../docs/src/page.md")]
mod page {}
#[doc = include_str!("../../docs/src/tokens.md")]
mod tokens {}
#[doc = include_str!("../../docs/src/report.md")]
mod report {}
#[doc = include_str!("../../docs/src/huggingface.md")]
mod huggingface {}
#[doc = include_str!("../../docs/src/bf16.md")]
mod bf16 {}
#[doc = include_str!("../../docs/src/cluster.md")]
mod cluster {}
#[doc = include_str!("../../docs/src/scale.md")]
mod scale {}
#[doc = include_str!("../../docs/src/notyet.md")]
mod notyet {}
#[doc = include_str!("../../docs/src/compare.md")]
mod compare {}
