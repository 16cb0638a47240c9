//! `train`: from flags to a trained model.

use super::screen::{Screen, clock, thousands};
use super::text::text_of;
use super::{program, use_threads};
use crate::cli::{count, number, size, truth};
use crate::data::dataset::Dataset;
use crate::data::stories::SEPARATOR;
use crate::data::stories::probes::Probes;
use crate::data::tokenizer::{Tokenizer, TokenizerKind};
use crate::error::{Error, Result};
use crate::model::ModelConfig;
use crate::random::{Purpose, generator};
use crate::run_dir::RunDir;
use crate::sample::{Sampling, generate};
use crate::train::config::TrainConfig;
use crate::train::presets::Preset;
use crate::train::session::{End, Session};
use crate::train::trainer::Trainer;
use clap::Args;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

const EXAMPLES: &str = "\
Examples:
  transformer train                                    the demo: under a minute on two cores
  transformer train --preset char --data input.txt     nanoGPT's character model
  transformer train --data korean.txt --tokenizer byte any language in 256 tokens
  transformer train --preset baby --n_layer 4 --max_iters 1000 --out_dir runs/mine
  transformer train --resume --out_dir runs/mine       go on where it stopped

A flag that is not given keeps the preset's value (or, with --resume, the run's).";

/// The flags of `train`. Those that are not given keep the preset's value, or that of the run that is resumed.
#[derive(Debug, Clone, Default, PartialEq, Args)]
#[command(rename_all = "snake_case", after_help = EXAMPLES)]
pub struct Flags {
    /// A size of model, with the recipe that trains it
    #[arg(long, value_enum)]
    pub preset: Option<Preset>,
    /// The text to train on, in UTF-8 [default: the embedded corpus `stories`]
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// What turns the text into tokens [default: char]
    #[arg(long, value_enum)]
    pub tokenizer: Option<TokenizerKind>,
    /// The directory of the run [default: runs/PRESET]
    #[arg(long, value_name = "DIR")]
    pub out_dir: Option<PathBuf>,
    /// Go on with the run in --out_dir, exactly where it stopped
    #[arg(long, conflicts_with_all = ["overwrite", "preset"])]
    pub resume: bool,
    /// Replace the run in --out_dir
    #[arg(long)]
    pub overwrite: bool,
    /// The threads to compute with; the numbers do not depend on it [default: one a physical core]
    #[arg(long, value_name = "N", value_parser = size)]
    pub threads: Option<usize>,
    /// Governs initialisation, batches, dropout and samples
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,

    /// Blocks
    #[arg(long, value_name = "N", value_parser = size, help_heading = "Model")]
    pub n_layer: Option<usize>,
    /// Attention heads in each block
    #[arg(long, value_name = "N", value_parser = size, help_heading = "Model")]
    pub n_head: Option<usize>,
    /// Width of the vector that stands for a token
    #[arg(long, value_name = "N", value_parser = size, help_heading = "Model")]
    pub n_embd: Option<usize>,
    /// Longest context, in tokens
    #[arg(long, value_name = "N", value_parser = size, help_heading = "Model")]
    pub block_size: Option<usize>,
    /// Whether linear layers and norms have a bias
    #[arg(long, value_name = "BOOL", value_parser = truth, num_args = 0..=1, default_missing_value = "true", help_heading = "Model")]
    pub bias: Option<bool>,
    /// Probability that an activation is dropped in training
    #[arg(long, value_name = "P", value_parser = number, help_heading = "Model")]
    pub dropout: Option<f64>,

    /// Windows in a batch
    #[arg(long, value_name = "N", value_parser = size, help_heading = "Training")]
    pub batch_size: Option<usize>,
    /// Batches whose gradients are averaged for one update
    #[arg(long, value_name = "N", value_parser = size, help_heading = "Training")]
    pub gradient_accumulation_steps: Option<usize>,
    /// Updates
    #[arg(long, value_name = "N", value_parser = count, help_heading = "Training")]
    pub max_iters: Option<usize>,
    /// Updates from one evaluation and checkpoint to the next
    #[arg(long, value_name = "N", value_parser = size, help_heading = "Training")]
    pub eval_interval: Option<usize>,
    /// Batches of an evaluation
    #[arg(long, value_name = "N", value_parser = size, help_heading = "Training")]
    pub eval_iters: Option<usize>,
    /// Updates from one line of metrics to the next
    #[arg(long, value_name = "N", value_parser = size, help_heading = "Training")]
    pub log_interval: Option<usize>,

    /// Highest learning rate
    #[arg(long, value_name = "X", value_parser = number, help_heading = "Optimiser")]
    pub learning_rate: Option<f64>,
    /// Whether the learning rate warms up and decays
    #[arg(long, value_name = "BOOL", value_parser = truth, num_args = 0..=1, default_missing_value = "true", help_heading = "Optimiser")]
    pub decay_lr: Option<bool>,
    /// Updates over which the learning rate rises
    #[arg(long, value_name = "N", value_parser = count, help_heading = "Optimiser")]
    pub warmup_iters: Option<usize>,
    /// Update at which the learning rate has fallen to min_lr [default: max_iters]
    #[arg(long, value_name = "N", value_parser = count, help_heading = "Optimiser")]
    pub lr_decay_iters: Option<usize>,
    /// Lowest learning rate
    #[arg(long, value_name = "X", value_parser = number, help_heading = "Optimiser")]
    pub min_lr: Option<f64>,
    /// AdamW's decay of weights
    #[arg(long, value_name = "X", value_parser = number, help_heading = "Optimiser")]
    pub weight_decay: Option<f64>,
    /// AdamW's memory of the gradient
    #[arg(long, value_name = "X", value_parser = number, help_heading = "Optimiser")]
    pub beta1: Option<f64>,
    /// AdamW's memory of the squared gradient
    #[arg(long, value_name = "X", value_parser = number, help_heading = "Optimiser")]
    pub beta2: Option<f64>,
    /// Longest gradient; 0 is no limit
    #[arg(long, value_name = "X", value_parser = number, help_heading = "Optimiser")]
    pub grad_clip: Option<f64>,
}

impl Flags {
    /// `config` with the values of all flags that were given.
    pub fn apply_to(&self, mut config: TrainConfig) -> TrainConfig {
        fn set<T: Clone>(field: &mut T, flag: &Option<T>) {
            field.clone_from(flag.as_ref().unwrap_or(&field.clone()));
        }
        set(&mut config.model.n_layer, &self.n_layer);
        set(&mut config.model.n_head, &self.n_head);
        set(&mut config.model.n_embd, &self.n_embd);
        set(&mut config.model.block_size, &self.block_size);
        set(&mut config.model.bias, &self.bias);
        set(&mut config.model.dropout, &self.dropout);
        set(&mut config.tokenizer, &self.tokenizer);
        set(&mut config.seed, &self.seed);
        set(&mut config.batch_size, &self.batch_size);
        set(&mut config.gradient_accumulation_steps, &self.gradient_accumulation_steps);
        // A preset's decay ends with its training, and so does that of a longer or shorter one.
        if config.lr_decay_iters == config.max_iters {
            set(&mut config.lr_decay_iters, &self.max_iters);
        }
        set(&mut config.max_iters, &self.max_iters);
        set(&mut config.eval_interval, &self.eval_interval);
        set(&mut config.eval_iters, &self.eval_iters);
        set(&mut config.log_interval, &self.log_interval);
        set(&mut config.learning_rate, &self.learning_rate);
        set(&mut config.decay_lr, &self.decay_lr);
        set(&mut config.warmup_iters, &self.warmup_iters);
        set(&mut config.lr_decay_iters, &self.lr_decay_iters);
        set(&mut config.min_lr, &self.min_lr);
        set(&mut config.weight_decay, &self.weight_decay);
        set(&mut config.beta1, &self.beta1);
        set(&mut config.beta2, &self.beta2);
        set(&mut config.grad_clip, &self.grad_clip);
        if let Some(file) = &self.data {
            config.data = Some(file.clone());
        }
        config
    }

    /// Where the run lives. Without any flag it is a new directory, so that the demo can be run again and again.
    fn out_dir(&self) -> PathBuf {
        let default = ["runs", self.preset.unwrap_or_default().name()].iter().collect();
        let path = self.out_dir.clone().unwrap_or(default);
        if *self != Flags::default() || !path.exists() {
            return path;
        }
        let numbered = (2..).map(|i| PathBuf::from(format!("{}-{i}", path.display())));
        numbered.into_iter().find(|path| !path.exists()).unwrap_or(path)
    }
}

/// Trains as the flags say.
///
/// # Errors
/// If a flag, the text, the directory or the disk does not allow it, or the loss stops being a number.
pub fn run(flags: &Flags) -> Result<()> {
    let threads = use_threads(flags.threads);
    let out_dir = flags.out_dir();
    let (mut session, tokenizer) =
        if flags.resume { resume(flags, &out_dir)? } else { begin(flags, &out_dir)? };
    introduce(&session.trainer, &out_dir, threads);

    let stop = stop_on_interrupt()?;
    let (config, begun) = (session.trainer.config.clone(), Instant::now());
    let mut screen = Screen::new(config.max_iters, session.trainer.step());
    let sample_at: Vec<usize> =
        [0.1, 0.3, 0.6].map(|part| (part * config.max_iters as f64) as usize).to_vec();
    let mut val_loss = None;
    let end = session.train(&stop, |trainer, progress| {
        val_loss = progress.line.and_then(|line| line.val_loss);
        screen.show(trainer.step(), &progress);
        if config.max_iters >= 20 && sample_at.contains(&trainer.step()) {
            screen.print(&format!("--- it writes: {}", short_sample(trainer, &tokenizer)));
        }
        Ok(())
    })?;
    screen.finish();
    match end {
        End::Done => conclude(&session, val_loss, &tokenizer, &out_dir, begun),
        End::Stopped => {
            let step = session.trainer.step();
            println!("stopped after step {step}, and saved. Go on with:");
            println!("  {} train --resume --out_dir {}", program(), out_dir.display());
        }
    }
    Ok(())
}

fn begin(flags: &Flags, out_dir: &Path) -> Result<(Session, Tokenizer)> {
    let mut config = flags.apply_to(flags.preset.unwrap_or_default().config());
    config.validate()?;
    let text = text_of(&config)?;
    let tokenizer = Tokenizer::for_text(config.tokenizer, text.content());
    config.model.vocab_size = tokenizer.vocab_size();
    let dataset = Dataset::new(&text, &tokenizer, config.model.block_size)?;
    let run = RunDir::create(out_dir, flags.overwrite)?;
    run.write_description(&config.model, &tokenizer)?;
    Ok((Session::begin(Trainer::new(config, dataset)?, run)?, tokenizer))
}

fn resume(flags: &Flags, out_dir: &Path) -> Result<(Session, Tokenizer)> {
    let run = RunDir::resume(out_dir)?;
    let (model, tokenizer) = run.description()?;
    let mut config = flags.apply_to(run.trainer_state()?.config);
    config.model.vocab_size = tokenizer.vocab_size();
    if config.tokenizer != tokenizer.kind() {
        return Err(Error::new("the run has another tokenizer")
            .at("--tokenizer")
            .way_out("leave the flag out, or start a new run in another --out_dir"));
    }
    config.validate()?;
    if (ModelConfig { dropout: model.dropout, ..config.model.clone() }) != model {
        return Err(Error::new("the run's model has another shape than these flags ask for")
            .in_file(out_dir.join("config.json"))
            .way_out("leave out the flags of the model, or start a new run in another --out_dir"));
    }
    let dataset = Dataset::new(&text_of(&config)?, &tokenizer, config.model.block_size)?;
    let (trainer, state) = Trainer::restore(&run, config, dataset)?;
    Ok((Session::resume(trainer, run, state.best)?, tokenizer))
}

/// Ctrl-C asks for an end after the update that runs; a second one ends at once.
fn stop_on_interrupt() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        if asked.swap(true, Ordering::Relaxed) {
            std::process::exit(130); // as the shell numbers an end by Ctrl-C
        }
        eprintln!("\nfinishing this step and saving; Ctrl-C again ends at once");
    })
    .map_err(|error| Error::new(format!("Ctrl-C cannot be caught: {error}")))?;
    Ok(stop)
}

fn introduce(trainer: &Trainer, out_dir: &Path, threads: usize) {
    let (config, model) = (&trainer.config, &trainer.config.model);
    println!(
        "{} parameters: {} layers, {} heads, {} wide, context {}, vocabulary {}",
        thousands(trainer.model.numel() as f64),
        model.n_layer,
        model.n_head,
        model.n_embd,
        model.block_size,
        model.vocab_size
    );
    println!(
        "{}: {} tokens to train on, {} for validation; {} updates of {} tokens on {threads} threads; in {}",
        trainer.dataset.name,
        thousands(trainer.dataset.train.len() as f64),
        thousands(trainer.dataset.validation.len() as f64),
        thousands(config.max_iters as f64),
        thousands(config.tokens_per_update() as f64),
        out_dir.display()
    );
}

/// A few words in the midst of training.
fn short_sample(trainer: &Trainer, tokenizer: &Tokenizer) -> String {
    let text = samples(trainer, tokenizer, 1, 160.min(trainer.config.model.block_size - 1), trainer.step());
    text.concat().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `number` texts of `length` tokens, as the model would write them from a line's end on.
fn samples(
    trainer: &Trainer,
    tokenizer: &Tokenizer,
    number: usize,
    length: usize,
    seed: usize,
) -> Vec<String> {
    let start = [SEPARATOR, "\n"].iter().find_map(|start| tokenizer.encode(start).ok()).unwrap_or(vec![0]);
    let mut texts = vec![start; number];
    let mut random = generator(trainer.config.seed.wrapping_add(seed as u64), Purpose::Sampling);
    generate(&trainer.model, &mut texts, length, &Sampling::default(), &mut random, |_, _| {});
    texts.iter().map(|ids| tokenizer.decode(ids)).collect()
}

/// What was reached, what was learnt, where it is, and what to try next.
fn conclude(session: &Session, val_loss: Option<f64>, tokenizer: &Tokenizer, out_dir: &Path, begun: Instant) {
    let (trainer, config) = (&session.trainer, &session.trainer.config);
    let loss = val_loss.unwrap_or_else(|| trainer.whole_loss());
    let unit = tokenizer.unit();
    println!(
        "validation loss {loss:.4} nats a {unit}, on all {} of the validation part",
        trainer.dataset.validation.len()
    );
    if let Some(floor) = trainer.dataset.floor {
        println!("the floor is {floor:.4}, the entropy of the text: {:.4} above it", loss - floor);
    }
    if config.data.is_none() {
        let length = config.model.block_size.saturating_sub(SEPARATOR.len());
        let stories = samples(trainer, tokenizer, 40, length, 0);
        let mut probes = Probes::default();
        stories.iter().for_each(|story| probes += Probes::of(story));
        println!(
            "\na story of its own:{}",
            stories[0].trim_end().lines().take(3).collect::<Vec<_>>().join("\n")
        );
        println!("\nof 40 samples:\n{probes}");
    }
    let (dir, best) = (out_dir.display(), session.best());
    println!("\ntook {}; saved in {dir}: model.safetensors (the last)", clock(begun.elapsed()));
    if let Some(best) = best {
        println!("and best.safetensors (step {}, validation loss {:.4})", best.step, best.val_loss);
    }
    println!("\nnext:");
    println!("  {} sample --from {dir} --num_samples 3", program());
    println!("  {} eval --from {dir}", program());
    println!("  {} train --resume --out_dir {dir} --max_iters {}", program(), 2 * config.max_iters);
}
