//! The command line: nanoGPT's flags, spelled `--n_layer` or `--n-layer`.
//!
//! Each command is a module of [`commands`](crate::commands), with its flags beside what it does. Whatever is wrong with
//! the flags is told by `clap`, with a suggestion where there is one, and ends the program with the exit code 2.

use crate::commands::out::heard;
pub use crate::commands::out::warn;
use crate::commands::{
    batch, bench, check, eval, export, import, plan, prepare, report, sample, scale, trace, train, yet,
};
use crate::error::Result;
use clap::{ArgAction, Command, FromArgMatches, Subcommand};
use std::ffi::OsString;
use std::path::Path;

const EXAMPLES: &str = "\
Examples:
  transformer                                          train the demo on the embedded corpus `stories`
  transformer train --preset char --data input.txt     train nanoGPT's character model on a text
  transformer train --resume --out_dir runs/char       go on with a run that was stopped
  transformer plan --preset char --data input.txt      say what a run will cost, before it is run
  transformer sample --from runs/char --start \"ROMEO:\" let a trained model write
  transformer eval --from runs/char                    measure its loss on the whole validation part
  transformer report runs/a runs/b                     compare runs on a page
  transformer trace --backward                         walk through one step, forward and back
  transformer import DIR --out runs/gpt2               take a model over from Hugging Face
  transformer export --from runs/char --out DIR        hand one over
  transformer prepare --data input.txt --out data/mine turn a text into train.bin and val.bin
  transformer bench                                    measure what a training step costs
  transformer check --from runs/char                   prove its gradients and its causality
  transformer scale --budget 10                        measure what more parameters and tokens buy
  transformer yet                                      what works since when, and what does not work yet

`transformer COMMAND --help` shows the flags of a command. Flags can be spelled --n_layer or --n-layer.";

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Task {
    /// Train a model on a text, or go on with a run
    Train(Box<train::Flags>),
    /// Predict the parameters, the memory and the minutes of a run, before it is run
    Plan(Box<plan::Flags>),
    /// Let a trained model write
    Sample(sample::Flags),
    /// Measure the loss of a trained model on its text, or on another one
    Eval(eval::Flags),
    /// A training run as a page, or several compared
    Report(report::Flags),
    /// Walk through one step of training: every op, forward and backward
    Trace(trace::Flags),
    /// Make a run of a GPT-2 or Llama in Hugging Face's format
    Import(import::Flags),
    /// Write a run in Hugging Face's format
    Export(export::Flags),
    /// Turn a text into files of token ids: nanoGPT's train.bin and val.bin, or llm.c's
    Prepare(prepare::Flags),
    /// Measure what a training step costs
    Bench(bench::Flags),
    /// Prove the gradients and the causality of a trained model
    Check(check::Flags),
    /// The gradient of a batch, of its examples, and how noisy it is
    Batch(batch::Flags),
    /// Train a ladder of models, fit the law of their losses, predict the largest
    Scale(scale::Flags),
    /// Experiments that do not work yet: list them, run them, run them larger
    Yet(yet::Flags),
}

/// Reads the command line and does what it says; no arguments are `train --preset demo`.
///
/// # Errors
/// Those of the command, and that of a standard output that could not be written. (A command line that cannot be read ends
/// the program, with the exit code 2.)
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Result<()> {
    perform(&read(arguments.into_iter().collect())?)?;
    heard()
}

fn perform(task: &Task) -> Result<()> {
    match task {
        Task::Train(flags) => train::run(flags),
        Task::Plan(flags) => plan::run(flags),
        Task::Sample(flags) => sample::run(flags),
        Task::Eval(flags) => eval::run(flags),
        Task::Report(flags) => report::run(flags),
        Task::Trace(flags) => trace::run(flags),
        Task::Import(flags) => import::run(flags),
        Task::Export(flags) => export::run(flags),
        Task::Prepare(flags) => prepare::run(flags),
        Task::Bench(flags) => bench::run(flags),
        Task::Check(flags) => match check::run(flags)? {
            true => Ok(()),
            false => std::process::exit(1), // what does not hold has been printed
        },
        Task::Batch(flags) => batch::run(flags),
        Task::Scale(flags) => scale::run(flags),
        Task::Yet(flags) => yet::run(flags),
    }
}

/// Reads the command line, and before its flags those of the file that it names by `--config`.
fn read(arguments: Vec<OsString>) -> Result<Task> {
    let parsed = |arguments: Vec<OsString>| parse(arguments).unwrap_or_else(|error| error.exit());
    let task = parsed(arguments.clone());
    let Some(file) = task.config() else { return Ok(task) };
    let (command, flags) = arguments.split_at(2);
    let of_file = train::flags_of_file(file, &subcommand("train"))?;
    Ok(parsed([command, &of_file, flags].concat()))
}

impl Task {
    /// The file of `--config`.
    fn config(&self) -> Option<&Path> {
        match self {
            Task::Train(flags) => flags.config.as_deref(),
            Task::Plan(flags) => flags.train.config.as_deref(),
            _ => None,
        }
    }
}

/// Reads the command line, the program's name first.
///
/// # Errors
/// If a flag is unknown or its value is wrong, or help was asked for.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Task, clap::Error> {
    let matches = command().try_get_matches_from(arguments)?;
    match matches.subcommand() {
        Some(_) => Task::from_arg_matches(&matches),
        None => Ok(Task::Train(Box::default())),
    }
}

fn subcommand(name: &str) -> Command {
    command().find_subcommand(name).cloned().unwrap_or_default()
}

fn command() -> Command {
    let program = Command::new("transformer")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Trains a GPT from scratch, on this machine, in code that one can read")
        .after_help(EXAMPLES);
    Task::augment_subcommands(program)
        .mut_subcommand("plan", |plan| plan.mut_args(without_a_plan))
        .mut_subcommands(|command| command.args_override_self(true).mut_args(lenient))
}

/// Hides the flags of `train` that mean nothing for a plan.
fn without_a_plan(flag: clap::Arg) -> clap::Arg {
    let hidden = ["resume", "overwrite", "tensorboard"].contains(&flag.get_id().as_str());
    flag.hide(hidden)
}

/// Lets a flag be spelled with hyphens too, and its value be negative: that it must not be is for us to say.
fn lenient(flag: clap::Arg) -> clap::Arg {
    let hyphens = flag.get_long().filter(|name| name.contains('_')).map(|name| name.replace('_', "-"));
    let flag =
        if matches!(flag.get_action(), ArgAction::Set) { flag.allow_negative_numbers(true) } else { flag };
    flag.aliases(hyphens)
}

/// A size: a whole number from 1 on.
pub(crate) fn size(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("give a whole number from 1 on".into()),
        Ok(size) => Ok(size),
    }
}

/// A number of threads: more than any machine would run at once are refused, before the system refuses them.
pub(crate) fn threads(text: &str) -> Result<usize, String> {
    const MOST: usize = 1024;
    size(text).ok().filter(|&n| n <= MOST).ok_or_else(|| format!("give a whole number from 1 to {MOST}"))
}

/// A count: a whole number from 0 on.
pub(crate) fn count(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| "give a whole number from 0 on".into())
}

/// A seed: a whole number from 0 on.
pub(crate) fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "give a whole number from 0 on, below 2⁶⁴".into())
}

/// A real number.
pub(crate) fn number(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|x: &f64| x.is_finite()).ok_or_else(|| "give a number".into())
}

/// `true` or `false`, as Python (and so nanoGPT) spells it too.
pub(crate) fn truth(text: &str) -> Result<bool, String> {
    match text {
        "true" | "True" => Ok(true),
        "false" | "False" => Ok(false),
        _ => Err("give true or false".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Activation, Design, ModelConfig, NormKind, Position};
    use crate::train::config::{Dtype, TrainConfig};
    use std::collections::BTreeMap;

    fn line(line: &str) -> Result<Task, clap::Error> {
        parse(line.split(' ').map(OsString::from))
    }

    fn error(words: &str) -> (i32, String) {
        let error = line(words).unwrap_err();
        (error.exit_code(), error.to_string())
    }

    #[test]
    fn the_definitions_are_consistent() {
        command().debug_assert();
    }

    #[test]
    fn no_arguments_train_the_demo() {
        let Task::Train(flags) = line("transformer").unwrap() else { panic!("it must train") };
        assert_eq!(*flags, train::Flags::default());
    }

    #[test]
    fn underscores_and_hyphens_are_the_same_flag() {
        for spelling in ["--n_layer=3", "--n-layer=3", "--n_layer 3", "--n-layer 3"] {
            let Task::Train(flags) = line(&format!("transformer train {spelling}")).unwrap() else {
                panic!()
            };
            assert_eq!(flags.n_layer, Some(3), "{spelling}");
        }
    }

    #[test]
    fn an_unknown_flag_is_an_error_with_a_suggestion() {
        let (code, message) = error("transformer train --n_layers 3");
        assert_eq!(code, 2);
        assert!(message.contains("'--n_layers'") && message.contains("'--n_layer'"), "{message}");
    }

    #[test]
    fn an_unknown_preset_or_command_is_an_error_with_a_suggestion() {
        let (code, message) = error("transformer train --preset chars");
        assert_eq!(code, 2);
        assert!(message.contains("'chars'") && message.contains("'char'"), "{message}");
        let (code, message) = error("transformer trian");
        assert_eq!(code, 2);
        assert!(message.contains("'trian'") && message.contains("'train'"), "{message}");
    }

    #[test]
    fn a_size_that_is_zero_negative_or_no_number_is_refused_by_its_flag() {
        for value in ["0", "-3", "x", "2.5", "99999999999999999999"] {
            let (code, message) = error(&format!("transformer train --n_layer {value}"));
            assert_eq!(code, 2);
            assert!(
                message.contains("--n_layer") && message.contains("a whole number from 1 on"),
                "{message}"
            );
        }
    }

    #[test]
    fn truth_is_spelled_as_in_python_or_left_out() {
        for (spelling, bias) in [("--bias=True", true), ("--bias false", false), ("--bias", true)] {
            let Task::Train(flags) = line(&format!("transformer train {spelling}")).unwrap() else {
                panic!()
            };
            assert_eq!(flags.bias, Some(bias), "{spelling}");
        }
        assert!(error("transformer train --bias=maybe").1.contains("give true or false"));
    }

    #[test]
    fn help_shows_examples_and_every_command() {
        let (code, message) = error("transformer --help");
        assert_eq!(code, 0);
        for word in ["train", "sample", "eval", "Examples:", "--preset char"] {
            assert!(message.contains(word), "{word} in {message}");
        }
    }

    /// The values of an object of JSON by their names, without sections.
    fn leaves(value: &serde_json::Value, into: &mut BTreeMap<String, serde_json::Value>) {
        for (name, value) in value.as_object().expect("an object") {
            match value {
                serde_json::Value::Object(_) => leaves(value, into),
                _ => drop(into.insert(name.clone(), value.clone())),
            }
        }
    }

    /// Every key has another value than by default, and comes back from the file of a run by the flags of the next.
    #[test]
    fn every_key_of_a_configuration_reaches_the_run() {
        let design = Design {
            n_kv_head: Some(1),
            n_inner: Some(20),
            activation: Activation::Swiglu,
            norm: NormKind::Rms,
            norm_eps: 3e-4,
            position: Position::Rope,
            rope_theta: 321.0,
            tie_word_embeddings: false,
        };
        let default = TrainConfig::default();
        let model = ModelConfig {
            n_layer: 3,
            n_head: 5,
            n_embd: 40,
            block_size: 17,
            vocab_size: default.model.vocab_size, // the tokenizer's, and no flag
            bias: true,
            dropout: 0.15,
            design,
        };
        let config = TrainConfig {
            model,
            data: Some("other.txt".into()),
            tokenizer: "byte".parse().unwrap(),
            init_from: Some("runs/other".into()),
            dtype: Dtype::Bf16,
            batch_size: 7,
            gradient_accumulation_steps: 6,
            max_iters: 501,
            eval_interval: 51,
            eval_iters: 9,
            log_interval: 11,
            learning_rate: 0.1 + 0.2,
            decay_lr: false,
            warmup_iters: 23,
            lr_decay_iters: 499,
            min_lr: 1.0 / 3e4,
            weight_decay: 0.07,
            beta1: 0.83,
            beta2: 0.91,
            grad_clip: 0.6,
            seed: u64::MAX,
        };
        let named = |config: &TrainConfig| {
            let mut named = BTreeMap::new();
            leaves(&serde_json::to_value(config).unwrap(), &mut named);
            named
        };
        let (told, untold) = (named(&config), named(&default));
        for (name, value) in &told {
            assert!(value != &untold[name] || name == "vocab_size", "`{name}` is as by default: {value}");
        }

        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("config.toml");
        std::fs::write(&file, config.to_toml().unwrap()).unwrap();
        let line = ["transformer", "train", "--config"].map(OsString::from);
        let Task::Train(flags) = read([&line[..], &[file.into()]].concat()).unwrap() else { panic!() };
        let found = named(&flags.apply_to(default));
        for (name, value) in &told {
            assert_eq!(&found[name], value, "`{name}` of the file does not reach the run");
        }
    }
}
