//! Where a run begins: anew, from the weights of another one, or where it stopped.

use super::Flags;
use crate::commands::text::{corpus_of, corpus_of_run};
use crate::data::corpus::Corpus;
use crate::data::large::{self, Keep};
use crate::data::tokenizer::{Choice, Tokenizer};
use crate::error::{Error, Result};
use crate::files::lies_in;
use crate::huggingface::special_ids;
use crate::model::ModelConfig;
use crate::run_dir::{RunDir, Weights};
use crate::train::config::TrainConfig;
use crate::train::load_model;
use crate::train::ranks::Ranks;
use crate::train::session::Session;
use crate::train::stream::fingerprint;
use crate::train::trainer::Trainer;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// A new run: its session, and its tokenizer.
pub(super) fn begin(flags: &Flags, out_dir: &Path, ranks: &Rc<dyn Ranks>) -> Result<(Session, Tokenizer)> {
    let (trainer, tokenizer, taken) = ranks.agree(fresh(flags, out_dir, ranks))?;
    if trainer.config.init_from.is_some() {
        ranks.same(fingerprint(&trainer.model), "weights to begin with")?;
    }
    let session = match ranks.is_first() {
        true => taken
            .map_or_else(|| RunDir::take(out_dir, flags.overwrite), Ok)
            .and_then(|run| directory(run, trainer, &tokenizer)),
        false => Ok(Session::silent(trainer, None)),
    };
    Ok((ranks.agree(session)?, tokenizer))
}

/// A trainer that has not been trained yet, and its tokenizer; and the directory, if it has been written to already.
fn fresh(
    flags: &Flags,
    out_dir: &Path,
    ranks: &Rc<dyn Ranks>,
) -> Result<(Trainer, Tokenizer, Option<RunDir>)> {
    if flags.init_from.as_ref().is_some_and(|from| lies_in(&from.join("config.json"), out_dir)) {
        let way_out = match RunDir::open(out_dir)?.is_imported() {
            true => "name another --out_dir",
            false => "name another --out_dir, or go on with that run by --resume",
        };
        return Err(Error::new("the new run would replace the one that it begins with")
            .at("--init_from")
            .way_out(way_out));
    }
    if flags.data.as_ref().is_some_and(|data| lies_in(&beside_ids(data), out_dir)) {
        return Err(Error::new(
            "the new run would replace the tokenizer.json of the ids that it is trained on",
        )
        .at("--data")
        .way_out("name another --out_dir"));
    }
    let (config, corpus, tokenizer) = prepare(flags)?;
    let keeps_ids = matches!(corpus, Corpus::Large(_)) && ranks.is_first();
    let taken = keeps_ids.then(|| RunDir::take(out_dir, flags.overwrite)).transpose()?;
    let keep = if keeps_ids { Keep::In(out_dir) } else { Keep::Nowhere };
    let dataset = corpus.dataset(&tokenizer, config.model.block_size, keep)?;
    let mut trainer = Trainer::new(config, dataset)?;
    if let Some(from) = &trainer.config.init_from {
        trainer.model = load_model(&RunDir::open(from)?.weights(Weights::Last)?, &trainer.config.model)?;
    }
    Ok((trainer.among(Rc::clone(ranks))?, tokenizer, taken))
}

/// The tokenizer of a directory of ids, or of a `.bin` in it.
fn beside_ids(data: &Path) -> PathBuf {
    let is_file = data.extension().is_some_and(|extension| extension == "bin");
    if is_file { data.with_file_name("tokenizer.json") } else { data.join("tokenizer.json") }
}

/// What a new run is told, and what it is trained on.
pub(in crate::commands) fn prepare(flags: &Flags) -> Result<(TrainConfig, Corpus, Tokenizer)> {
    let preset = flags.preset.unwrap_or_default().config();
    let mut config = match &flags.init_from {
        Some(from) => further(flags, preset, from)?,
        None => flags.apply_to(preset),
    };
    config.validate()?;
    config.to_toml()?; // what cannot be written down is refused before a run is overwritten
    let corpus = corpus_of(&config)?;
    let tokenizer = corpus.tokenizer(&config.tokenizer)?;
    if config.init_from.is_none() {
        config.model.vocab_size = tokenizer.vocab_size();
    }
    Ok((config, corpus, tokenizer))
}

/// What a run is told that begins with the weights of another one.
fn further(flags: &Flags, preset: TrainConfig, from: &Path) -> Result<TrainConfig> {
    const WAY_OUT: &str = "leave the flag out, or leave out --init_from";
    if let Some(way_out) = word_of_nano_gpt(from) {
        return Err(Error::new("this is nanoGPT's word, and there is no such run")
            .in_file(from)
            .at("--init_from")
            .way_out(way_out));
    }
    let run = RunDir::open(from)?;
    let (model, tokenizer) = run.description()?;
    let dropout = preset.model.dropout;
    let begun = TrainConfig { model: ModelConfig { dropout, ..model.clone() }, ..preset };
    let config = flags.apply_to(begun);
    if flags.tokenizer.as_ref().map_or(Ok(true), |choice| choice.is(&tokenizer))? {
        same_shape(&config.model, &model, from, WAY_OUT)?;
        return Ok(TrainConfig { tokenizer: Choice::File(run.tokenizer()), ..config });
    }
    Err(other_tokenizer(WAY_OUT))
}

/// What nanoGPT's words for where a run begins are called here.
fn word_of_nano_gpt(from: &Path) -> Option<&'static str> {
    match from.to_str().filter(|_| !from.exists())? {
        "resume" => Some("go on with a run by --resume --out_dir RUN"),
        "scratch" => Some("leave the flag out: a run begins with random weights"),
        word if word.starts_with("gpt2") => Some(
            "make a run of it first: `transformer import DIR --out runs/gpt2`, then --init_from runs/gpt2",
        ),
        _ => None,
    }
}

fn other_tokenizer(way_out: &str) -> Error {
    Error::new("the run has another tokenizer").at("--tokenizer").way_out(way_out)
}

/// Checks that the flags ask for the shape that a run's model has; its dropout is no shape.
fn same_shape(asked: &ModelConfig, model: &ModelConfig, run: &Path, way_out: &str) -> Result<()> {
    if (ModelConfig { dropout: model.dropout, ..asked.clone() }) == *model {
        return Ok(());
    }
    Err(Error::new("the run's model has another shape than these flags ask for")
        .in_file(run.join("config.json"))
        .way_out(way_out))
}

fn directory(run: RunDir, trainer: Trainer, tokenizer: &Tokenizer) -> Result<Session> {
    run.clear()?;
    large::clear(run.path(), &trainer.dataset)?;
    run.write_description(&trainer.config.model, tokenizer)?;
    run.write_settings(&trainer.config, None)?;
    if let Some(from) = &trainer.config.init_from {
        run.take_companions(from)?;
        run.keep_special_ids(special_ids::of_run(from)?)?;
    }
    Session::begin(trainer, run)
}

/// A run that goes on. The first rank brings the directory into order, before the others read it.
pub(super) fn resume(flags: &Flags, out_dir: &Path, ranks: &Rc<dyn Ranks>) -> Result<(Session, Tokenizer)> {
    let run = ranks.agree(ranks.is_first().then(|| RunDir::resume(out_dir)).transpose())?;
    let run = run.map_or_else(|| RunDir::open(out_dir), Ok);
    ranks.agree(run.and_then(|run| restore(flags, out_dir, run, ranks)))
}

fn restore(
    flags: &Flags,
    out_dir: &Path,
    run: RunDir,
    ranks: &Rc<dyn Ranks>,
) -> Result<(Session, Tokenizer)> {
    let (model, tokenizer) = run.description()?;
    let begun_with = run.trainer_state()?.config;
    let config = flags.apply_to(begun_with.clone());
    const WAY_OUT: &str = "leave the flag out, or start a new run in another --out_dir";
    if config.tokenizer != begun_with.tokenizer {
        return Err(other_tokenizer(WAY_OUT));
    }
    if config.init_from != begun_with.init_from {
        return Err(Error::new("the run has begun already").at("--init_from").way_out(WAY_OUT));
    }
    if config.data.is_none() && begun_with.data.is_none() && config.seed != begun_with.seed {
        return Err(Error::new("the embedded text is told by the seed, and would be another one")
            .at("--seed")
            .way_out(WAY_OUT));
    }
    config.validate()?;
    same_shape(&config.model, &model, out_dir, WAY_OUT)?;
    let keep = if ranks.is_first() { Keep::In(out_dir) } else { Keep::Of(out_dir) };
    let corpus = match &flags.data {
        Some(_) => corpus_of(&config)?,
        None => corpus_of_run(&config, "give it by --data FILE")?,
    };
    let dataset = corpus.dataset(&tokenizer, config.model.block_size, keep)?;
    let (trainer, state) = Trainer::restore(&run, config, dataset)?;
    let trainer = trainer.among(Rc::clone(ranks))?;
    if !ranks.is_first() {
        return Ok((Session::silent(trainer, state.best), tokenizer));
    }
    if trainer.step() < trainer.config.max_iters {
        run.write_settings(&trainer.config, trainer.changed())?;
    }
    Ok((Session::resume(trainer, run, state.best)?, tokenizer))
}
