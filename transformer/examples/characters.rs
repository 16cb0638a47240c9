//! A character model from the parts of this crate: text → ids → batches → gradient → AdamW → text.
//!
//! `cargo run --release -p transformer --example characters -- FILE.txt` (without a file: the built-in corpus)

use autograd::Tensor;
use transformer::Result;
use transformer::data::batches::Batches;
use transformer::data::dataset::Dataset;
use transformer::data::stories;
use transformer::data::text::Text;
use transformer::data::tokenizer::{Tokenizer, TokenizerKind};
use transformer::model::{Gpt, ModelConfig, Pass};
use transformer::random::{Purpose, generator};
use transformer::sample::{Sampling, generate};
use transformer::train::gradient::gradient;
use transformer::train::optimizer::{AdamW, Moments};

const STEPS: usize = 400;

fn main() -> Result<()> {
    let text = match std::env::args_os().nth(1) {
        Some(file) => Text::read(file.as_ref())?,
        None => Text::new("stories", stories::text(1, 200_000)),
    };
    let tokenizer = Tokenizer::for_text(TokenizerKind::Char, text.content());
    let config = ModelConfig {
        n_layer: 2,
        n_head: 4,
        n_embd: 64,
        block_size: 64,
        vocab_size: tokenizer.vocab_size(),
        ..ModelConfig::default()
    };
    let data = Dataset::new(&text, &tokenizer, config.block_size)?;

    let mut model = Gpt::<Tensor<f32>>::init(&config, 1337);
    let mut moments = Moments::zeros(model.parameters().into_iter().map(|(_, parameter)| parameter));
    let adamw = AdamW { beta1: 0.9, beta2: 0.99, eps: 1e-8, weight_decay: 0.1, grad_clip: 1.0 };
    let mut batches = Batches::new(1337, Purpose::Batches, 16, config.block_size);
    println!("{} parameters, {} characters of {}", model.numel(), data.train.len(), data.name);

    let (mut first, mut last) = (None, 0.0);
    for step in 1..=STEPS {
        let batch = batches.draw(&data.train)?;
        let found = gradient(&model, &[batch], |_| Pass::evaluation())?;
        let rate = 3e-3 * (1.0 - step as f64 / STEPS as f64); // falls to 0
        let decays = |parameter: &Tensor<f32>| parameter.shape().len() >= 2;
        adamw.update(&mut moments, model.parameters_mut(), &found.of, rate, decays);
        (first, last) = (first.or(Some(found.loss)), found.loss);
        if step % 50 == 0 {
            println!("step {step}: loss {last:.3} nats a character");
        }
    }

    let start: String = text.content().chars().take(16).collect();
    let mut texts = [tokenizer.encode(&start)?];
    let mut random = generator(1337, Purpose::Sampling);
    generate(
        &model,
        &mut texts,
        200,
        &Sampling { temperature: 0.8, ..Sampling::default() },
        &mut random,
        |_, _| {},
    );
    println!("\n{}", tokenizer.decode(&texts[0]));
    assert!(first.is_some_and(|first| last < 0.7 * first), "nothing was learned");
    Ok(())
}
