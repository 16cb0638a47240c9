//! What writes: a model, how its tokens are drawn, and what is shown of each.

use super::shown::Step;
use crate::data::tokenizer::Tokenizer;
use crate::error::{Error, Result};
use crate::model::Gpt;
use crate::sample::{Sampling, Window};
use autograd::Tensor;
use rand_chacha::ChaCha8Rng;
use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Writes to the standard output.
pub(super) struct Pen<'m> {
    pub model: &'m Gpt<Tensor<f32>>,
    pub tokenizer: &'m Tokenizer,
    pub sampling: Sampling,
    pub random: ChaCha8Rng,
    /// How many tokens a text gets.
    pub tokens: usize,
    /// How many tokens are forgotten at once when the context is full.
    pub stride: usize,
    /// Whether to show what was attended to, and how many candidates.
    pub attention: bool,
    pub logits: Option<usize>,
}

impl Pen<'_> {
    /// What a text begins with if nothing is said: a line's end.
    pub fn blank(&self) -> Vec<usize> {
        self.tokenizer.encode("\n").unwrap_or(vec![0])
    }

    /// Prints the text from token `from` on, and goes on with it, token by token, until it is asked to stop. If the steps
    /// are to be shown, there is a paragraph a token, and the text after the last.
    pub fn write(&mut self, text: &mut Vec<usize>, from: usize, stop: &AtomicBool) -> io::Result<()> {
        let in_steps = self.attention || self.logits.is_some();
        let mut window = Window::new(self.model, 1).with_stride(self.stride);
        if self.attention {
            window.watch();
        }
        let mut stream = self.tokenizer.stream();
        text[..from].iter().for_each(|&id| drop(stream.push(id))); // it may end within a character
        let mut written: String = text[from..].iter().map(|&id| stream.push(id)).collect();
        if !in_steps {
            say(&written)?;
        }
        for _ in 0..self.tokens {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let logits = window.logits(&[&text[..]]);
            let id = self.sampling.choose(&logits, &mut self.random);
            let piece = stream.push(id);
            if in_steps {
                let step = Step { tokenizer: self.tokenizer, seen: text, drawn: id };
                let candidates = self.logits.map(|k| step.candidates(&logits, &self.sampling, k));
                say(&candidates.unwrap_or_default())?;
                say(&step.attention(window.attention(), self.model.config.n_head))?;
                written += &piece;
            } else {
                say(&piece)?;
            }
            text.push(id);
        }
        say(if in_steps { &written } else { "" })?;
        say(&stream.finish())
    }
}

/// Prints at once.
pub(super) fn say(text: &str) -> io::Result<()> {
    let mut out = io::stdout();
    out.write_all(text.as_bytes()).and_then(|()| out.flush())
}

/// Whether the reader of the standard output has gone away, as `head` does when it has enough.
///
/// # Errors
/// If it could not be written for another reason.
pub(super) fn read_enough(wrote: io::Result<()>) -> Result<bool> {
    match wrote {
        Ok(()) => Ok(false),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(true),
        Err(error) => Err(Error::io("write", "the standard output", &error)),
    }
}
