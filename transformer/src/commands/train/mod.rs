//! `train`: from flags to a trained model.

mod begin;
mod design;
mod file;
mod flags;
mod page;
mod stop;

pub(super) use begin::prepare;
use begin::{begin, resume};
pub(crate) use file::flags as flags_of_file;
pub use flags::Flags;

use super::out::say;
use super::plan::{memory, range, seconds};
use super::screen::{Screen, clock, thousands};
use super::{program, use_threads};
use crate::bench::peak_rss_mib;
use crate::data::stories::SEPARATOR;
use crate::data::stories::probes::Probes;
use crate::data::tokenizer::Tokenizer;
use crate::error::Result;
use crate::files::shell_word;
use crate::plan::SAMPLES;
use crate::plan::early::{Early, Forecast};
use crate::random::{Purpose, generator};
use crate::sample::{Sampling, generate};
use crate::train::layers::LayersLine;
use crate::train::ranks::{self, Ranks};
use crate::train::session::{End, Session};
use crate::train::trainer::{Trainer, WHOLE};
use page::Page;
use std::path::Path;
use std::time::{Duration, Instant};
use stop::Stop;

/// Trains as the flags say.
///
/// # Errors
/// If a flag, the text, the directory or the disk does not allow it, or the loss stops being a number.
pub fn run(flags: &Flags) -> Result<()> {
    let ranks = ranks::start()?;
    // When one rank has ended with an error, mpirun ends the others by SIGTERM: they have to live to say what was wrong.
    let stop = (ranks.size() > 1).then(Stop::when_asked).transpose()?;
    let threads = use_threads(flags.threads.or_else(|| share_of_cores(&*ranks)));
    let out_dir = flags.out_dir();
    let (mut session, tokenizer) =
        if flags.resume { resume(flags, &out_dir, &ranks)? } else { begin(flags, &out_dir, &ranks)? };
    if flags.tensorboard {
        ranks.agree(session.write_events())?;
    }
    if ranks.is_first() {
        introduce(&session.trainer, &out_dir, threads, ranks.size());
        say_where_it_goes_on(&session.trainer);
    }

    let stop = stop.map_or_else(Stop::when_asked, Ok)?;
    let (config, begun) = (session.trainer.config.clone(), Instant::now());
    let mut screen = Screen::new(config.max_iters, session.trainer.step());
    let sample_at: Vec<usize> =
        [0.1, 0.3, 0.6].map(|part| (part * config.max_iters as f64) as usize).to_vec();
    let (mut val_loss, mut early) = (None, Early::default());
    let mut page = Page::of(&out_dir);
    let end = session.train(&stop.asked, |trainer, progress| {
        val_loss = progress.line.and_then(|line| line.val_loss);
        if !ranks.is_first() {
            return Ok(());
        }
        screen.show(trainer.step(), &progress);
        let validation = trainer.dataset.validation.len();
        early.after_update(trainer.step(), val_loss.is_some(), &trainer.config, validation);
        if config.max_iters >= 20 && sample_at.contains(&trainer.step()) {
            screen.print(&format!("--- it writes: {}", short_sample(trainer, &tokenizer)));
        }
        let first = progress.layers.and_then(first_gradients);
        let failed = if val_loss.is_some() { page.refresh(trainer.step() == config.max_iters) } else { None };
        first.into_iter().chain(failed).for_each(|warning| screen.print(&warning));
        early.go_on();
        Ok(())
    })?;
    if end == End::Done && val_loss.is_none() {
        val_loss = Some(session.trainer.whole_loss()?); // nothing was left to train
    }
    if !ranks.is_first() {
        return Ok(());
    }
    screen.finish(end);
    match end {
        End::Done => {
            conclude(&session, val_loss, &tokenizer)?;
            early.forecast().iter().for_each(|forecast| compare(forecast, begun.elapsed()));
            say_where(&session, &out_dir, begun);
        }
        End::Stopped => {
            page.refresh(true).into_iter().for_each(say);
            let step = session.trainer.step();
            say(format!("stopped after step {step}, and saved. Go on with:"));
            say(format!("  {} train --resume --out_dir {}", program(), shell_word(&out_dir)));
            if ranks.size() == 1 {
                stop.exit_if_by_ctrl_c(); // mpirun would take it for the end of a rank that failed
            }
        }
    }
    Ok(())
}

/// Of several ranks on one machine, each takes its share of the cores that it may use; alone it takes what it likes.
fn share_of_cores(ranks: &dyn Ranks) -> Option<usize> {
    let allowed = std::thread::available_parallelism().map_or(usize::MAX, usize::from);
    // Not `cores()`: where each rank is bound to cores of its own, what it may use is its share already.
    (ranks.size() > 1).then(|| (num_cpus::get_physical() / ranks.on_this_machine()).min(allowed).max(1))
}

fn introduce(trainer: &Trainer, out_dir: &Path, threads: usize, ranks: usize) {
    let (config, model) = (&trainer.config, &trainer.config.model);
    say(format!(
        "{} parameters: {}, {}, {} wide, context {}, vocabulary {}",
        thousands(trainer.model.numel() as f64),
        counted(model.n_layer, "layer"),
        counted(model.n_head, "head"),
        model.n_embd,
        model.block_size,
        model.vocab_size
    ));
    say(format!(
        "{}: {} tokens to train on, {} for validation",
        trainer.dataset.name,
        thousands(trainer.dataset.train.len() as f64),
        thousands(trainer.dataset.validation.len() as f64)
    ));
    say(format!(
        "{} updates of {} tokens on {}{}{}; the run is kept in {}",
        thousands(config.max_iters as f64),
        thousands(config.tokens_per_update() as f64),
        if ranks > 1 { format!("{ranks} ranks of ") } else { String::new() },
        counted(threads, "thread"),
        config.dtype.aside(),
        out_dir.display()
    ));
}

/// Of a run that is resumed: where, and whether anything is left to do.
fn say_where_it_goes_on(trainer: &Trainer) {
    match (trainer.step(), trainer.config.max_iters) {
        (0, _) => {}
        (done, all) if done < all => {
            say(format!("goes on after update {} of {}", thousands(done as f64), thousands(all as f64)));
        }
        (done, _) => {
            let done_already = thousands(done as f64);
            say(format!(
                "all {done_already} updates are done; train further by --max_iters {}",
                further(done)
            ));
        }
    }
}

/// How many updates are worth trying after so many.
fn further(updates: usize) -> usize {
    updates.saturating_mul(2).max(1000)
}

/// Names the parameters that got no gradient at the first update; silent where all have one.
fn first_gradients(line: &LayersLine) -> Option<String> {
    let names: Vec<&str> = line.without_gradient().map(|first| first.name.as_str()).collect();
    let known =
        "every entry was exactly zero at the first update, so nothing trains them unless that changes";
    (!names.is_empty()).then(|| format!("warning: no gradient for {}: {known}", names.join(", ")))
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
    let mut starts = [SEPARATOR, "\n"].iter().filter_map(|start| tokenizer.encode(start).ok());
    let start = starts.find(|ids| !ids.is_empty()).unwrap_or(vec![0]);
    let mut texts = vec![start; number];
    let mut random = generator(trainer.config.seed.wrapping_add(seed as u64), Purpose::Sampling);
    let sampling = Sampling { known: Some(tokenizer.vocab_size()), ..Sampling::default() };
    generate(&trainer.model, &mut texts, length, &sampling, &mut random, |_, _| {});
    texts.iter().map(|ids| tokenizer.decode(ids)).collect()
}

/// What was reached, and what was learnt.
fn conclude(session: &Session, val_loss: Option<f64>, tokenizer: &Tokenizer) -> Result<()> {
    let (trainer, config) = (&session.trainer, &session.trainer.config);
    let loss = val_loss.map_or_else(|| trainer.whole_loss(), Ok)?;
    let unit = tokenizer.unit();
    let part = match trainer.dataset.validation.len() {
        all if all <= WHOLE => format!("all {all}"),
        all => format!("the first {} of the {all}", thousands(WHOLE as f64)),
    };
    say(format!("validation loss {loss:.4} nats a {unit}, on {part} of the validation part"));
    if let Some(floor) = trainer.dataset.floor {
        say(format!("the floor is {floor:.4}, the entropy of the text: {:.4} above it", loss - floor));
    }
    if config.data.is_none() {
        let length = config.model.block_size.saturating_sub(SEPARATOR.len());
        let stories = samples(trainer, tokenizer, SAMPLES, length, 0);
        let mut probes = Probes::default();
        stories.iter().for_each(|story| probes += Probes::of(story));
        say(format!(
            "\na story of its own:{}",
            stories[0].trim_end().lines().take(3).collect::<Vec<_>>().join("\n")
        ));
        say(format!("\nof {SAMPLES} samples:\n{probes}"));
    }
    Ok(())
}

/// What the first updates have said of the whole run, and what it was.
fn compare(Forecast { after, seconds: expected, peak_rss_mib: predicted }: &Forecast, took: Duration) {
    let both = predicted.zip(peak_rss_mib());
    let [predicted, measured] = both.map_or([String::new(), String::new()], |(predicted, measured)| {
        [format!(" and {}", memory(predicted)), format!(" and {} MiB", thousands(measured))]
    });
    say(format!(
        "\npredicted after {after:.1} s: {}{predicted}; measured: {}{measured}",
        range(*expected),
        seconds(took.as_secs_f64())
    ));
}

/// Where the run is, and what to try next.
fn say_where(session: &Session, out_dir: &Path, begun: Instant) {
    let config = &session.trainer.config;
    let (dir, word, best) = (out_dir.display(), shell_word(out_dir), session.best());
    say(format!("\ntook {}; saved in {dir}: model.safetensors (the last)", clock(begun.elapsed())));
    if let Some(best) = best {
        say(format!("and best.safetensors (step {}: the lowest estimate, {:.4})", best.step, best.val_loss));
    }
    say(format!("how it went, as a page: {dir}/report.html"));
    say("\nnext:");
    say(format!("  {} sample --from {word} --num_samples 3", program()));
    say(format!("  {} eval --from {word}", program()));
    say(format!("  {} train --resume --out_dir {word} --max_iters {}", program(), further(config.max_iters)));
}
