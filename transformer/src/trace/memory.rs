//! How much memory a trace takes, worked out before it is taken.
//!
//! ```text
//! P parameters, A other entries on the tape, t threads that check; bytes:
//! P   the model, two moments, the gradient, and after the update the model and two moments again      7·8
//! A   the value, its cotangent, what was contributed to it                                            3·8
//!     a tape of dual numbers for each thread and one more (16 an entry of both), and for each thread  (t + 1)·16
//!     a tape of numbers (A) and, while an entry is replayed, the values behind it (A, dual)           t·(8 + 16)
//! ```

use crate::error::{Error, Result};
use crate::model::{Gpt, ModelConfig};

/// About how many bytes the trace of a text of `n` tokens takes, checked on so many threads; 0 threads check nothing.
pub fn bytes(config: &ModelConfig, n: usize, threads: usize) -> u64 {
    let (mut parameters, shape) = (0, |shape: &[usize]| shape.iter().product::<usize>() as u64);
    Gpt::build(config, |_, of| parameters += shape(of));
    let duals = if threads == 0 { 0 } else { 16 * (threads as u64 + 1) };
    parameters * (56 + duals) + activations(config, n) * (24 + duals + 24 * threads as u64)
}

/// The entries of what the textbook's ops compute: of each layer, some 26 tensors `[n, d]` (norms, queries, keys, values,
/// sums), two `[n, 4d]` or three, and four `[h, n, n]`; then five `[n, v]`.
fn activations(config: &ModelConfig, n: usize) -> u64 {
    let [n, d, inner, h, v] =
        [n, config.n_embd, config.n_inner(), config.n_head, config.vocab_size].map(|x| x as u64);
    config.n_layer as u64 * (26 * n * d + 3 * n * inner + 4 * h * n * n) + 5 * n * v
}

/// Lets a trace begin that takes at most `most` GiB.
///
/// # Errors
/// If it takes more; the message says how much, and what takes less.
pub fn fits(config: &ModelConfig, n: usize, threads: usize, most: f64) -> Result<()> {
    let gib = |threads| bytes(config, n, threads) as f64 / f64::from(1 << 30);
    let need = gib(threads);
    if need <= most {
        return Ok(());
    }
    let unchecked = if threads > 0 {
        format!("check nothing with --checks 0 ({:.1} GiB), ", gib(0))
    } else {
        String::new()
    };
    Err(Error::new(format!(
        "every value, cotangent and contribution of this step, kept at f64, takes about {need:.1} GiB of memory, and at most {most} are allowed"
    ))
    .at("--memory")
    .way_out(format!("{unchecked}give a shorter --text, trace a smaller model, or allow it with --memory {}", need.ceil())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::record::Subject;
    use crate::trace::tests::subject_of;
    use crate::train::presets::Preset;

    #[test]
    fn the_entries_that_are_kept_are_about_those_that_are_estimated() {
        for (bias, n) in [(false, 8), (true, 40)] {
            let config = ModelConfig {
                n_layer: 3,
                n_head: 4,
                n_embd: 32,
                block_size: 40,
                vocab_size: 5,
                bias,
                ..ModelConfig::default()
            };
            let subject = Subject {
                text: "abcde".repeat(n).chars().take(n + 1).collect(),
                ..subject_of(config.clone())
            };
            let recording = subject.record().expect("a step");
            let nodes = recording.tape.nodes();
            let entries: usize =
                nodes.iter().filter(|node| node.op.is_some()).map(|node| node.value.numel()).sum();
            let estimated = activations(&config, n);
            assert!((0.7..1.4).contains(&(estimated as f64 / entries as f64)), "{estimated} for {entries}");
        }
    }

    #[test]
    fn a_model_that_is_too_large_is_refused_with_what_it_takes_and_ways_out_and_the_demo_is_not() {
        let (gpt2, demo) = (Preset::Gpt2.config().model, Preset::Demo.config().model);
        let message = fits(&gpt2, 16, 2, 4.0).unwrap_err().to_string();
        for part in [
            "--memory: ",
            "takes about 13.",
            "at most 4 are allowed",
            "--checks 0 (6.",
            "--text",
            "--memory 14",
        ] {
            assert!(message.contains(part), "{part} in {message}");
        }
        assert!(fits(&gpt2, 16, 2, 14.0).is_ok());
        assert!(fits(&demo, 224, 2, 4.0).is_ok());
        assert!(!fits(&gpt2, 16, 0, 1.0).unwrap_err().to_string().contains("--checks"));
    }
}
