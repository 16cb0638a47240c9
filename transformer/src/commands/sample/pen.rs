//! What writes: a model, how its tokens are drawn, and what is shown of each.

use super::shown::Step;
use crate::commands::out::write;
use crate::data::tokenizer::Tokenizer;
use crate::error::{Error, Result};
use crate::model::Gpt;
use crate::sample::{Sampling, Window};
use autograd::Tensor;
use rand_chacha::ChaCha8Rng;
use std::io;
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
    /// What a text begins with if nothing is said: a line's end, or the first token where there is none.
    pub fn blank(&self) -> Vec<usize> {
        self.beginning("\n").unwrap_or(vec![0])
    }

    /// The tokens of a text to go on with.
    ///
    /// # Errors
    /// If it has a character that the model does not know, or no token: there are tokenizers that drop white space.
    pub fn beginning(&self, text: &str) -> Result<Vec<usize>> {
        let ids = self.tokenizer.encode(text)?;
        if ids.is_empty() {
            return Err(Error::new("a text begins with at least one token").way_out("give a longer one"));
        }
        Ok(ids)
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
            write(&written)?;
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
                write(&candidates.unwrap_or_default())?;
                write(&step.attention(window.attention(), self.model.config.n_head))?;
                written += &piece;
            } else {
                write(&piece)?;
            }
            text.push(id);
        }
        write(if in_steps { &written } else { "" })?;
        write(&stream.finish())
    }
}
