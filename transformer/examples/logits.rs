//! From tokens to logits: a run is read, and the model computes what may come next.
//!
//! ```text
//! cargo run --release -p transformer --example logits -- runs/demo 5 6 7
//! ```
//! prints one line of JSON a token: the logits of the token after it.

use autograd::{Tape, Tensor};
use std::path::Path;
use transformer::model::{Gpt, Pass};
use transformer::run_dir::{RunDir, Weights};
use transformer::train::load_model;
use transformer::{Error, Result};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let run = arguments.next().unwrap_or_else(|| "runs/demo".into());
    let tokens = arguments.map(|token| token.parse()).collect();
    let printed = match tokens {
        Ok(tokens) => print_logits(Path::new(&run), tokens),
        Err(error) => Err(Error::new(format!("a token is a whole number: {error}"))),
    };
    if let Err(error) = printed {
        eprintln!("error: {error}");
        std::process::exit(2);
    }
}

fn print_logits(run: &Path, tokens: Vec<usize>) -> Result<()> {
    let run = RunDir::open(run)?;
    let (config, _) = run.description()?;
    let fits = tokens.iter().all(|&token| token < config.vocab_size);
    if !fits || tokens.is_empty() || tokens.len() > config.block_size {
        let (v, n) = (config.vocab_size, config.block_size);
        return Err(Error::new(format!("give 1 to {n} tokens, each below {v}")));
    }
    let model: Gpt<Tensor<f32>> = load_model(&run.weights(Weights::Last)?, &config)?;
    let tape = Tape::new();
    let logits = model.on(&tape).logits(&tokens, [1, tokens.len()], &Pass::evaluation()).value(); // [1, n, v]
    for row in logits.data().chunks(config.vocab_size) {
        println!("[{}]", row.iter().map(f32::to_string).collect::<Vec<_>>().join(", "));
    }
    Ok(())
}
