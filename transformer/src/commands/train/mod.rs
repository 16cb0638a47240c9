//! `train`: from flags to a trained model.

mod design;
mod file;
mod flags;

pub(crate) use file::flags as flags_of_file;
pub use flags::Flags;

use super::screen::{Screen, clock, thousands};
use super::text::text_of;
use super::{program, use_threads};
use crate::data::dataset::Dataset;
use crate::data::stories::SEPARATOR;
use crate::data::stories::probes::Probes;
use crate::data::tokenizer::Tokenizer;
use crate::error::{Error, Result};
use crate::model::ModelConfig;
use crate::random::{Purpose, generator};
use crate::run_dir::RunDir;
use crate::sample::{Sampling, generate};
use crate::train::session::{End, Session};
use crate::train::trainer::Trainer;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

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
    let trainer = Trainer::new(config, dataset)?;
    let run = RunDir::create(out_dir, flags.overwrite)?;
    run.write_description(&trainer.config.model, &tokenizer)?;
    run.write_settings(&trainer.config)?;
    Ok((Session::begin(trainer, run)?, tokenizer))
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
    run.write_settings(&trainer.config)?;
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
        "{} parameters: {}, {}, {} wide, context {}, vocabulary {}",
        thousands(trainer.model.numel() as f64),
        counted(model.n_layer, "layer"),
        counted(model.n_head, "head"),
        model.n_embd,
        model.block_size,
        model.vocab_size
    );
    println!(
        "{}: {} tokens to train on, {} for validation",
        trainer.dataset.name,
        thousands(trainer.dataset.train.len() as f64),
        thousands(trainer.dataset.validation.len() as f64)
    );
    println!(
        "{} updates of {} tokens on {}; the run is kept in {}",
        thousands(config.max_iters as f64),
        thousands(config.tokens_per_update() as f64),
        counted(threads, "thread"),
        out_dir.display()
    );
}

/// `1 layer`, `2 layers`
fn counted(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
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
