//! `bench`: what a training step costs, and where the time goes.

use super::out::say;
use super::screen::thousands;
use super::use_threads;
use crate::bench::{BenchConfig, Measured, measure, micro};
use crate::cli::{number, size, threads};
use crate::error::{Error, Result};
use crate::train::config::Dtype;
use crate::train::presets::Preset;
use clap::{Args, ValueEnum};
use std::process::{Command, Stdio};

const EXAMPLES: &str = "\
Examples:
  transformer bench                      micro, tiny and char, on all physical cores
  transformer bench baby --threads 1
  transformer bench gpt2 --json          takes 2 GiB of memory
  transformer bench char --dtype bf16    products of numbers rounded to bfloat16: by AMX, if there is one
  transformer bench char --batch_size 1 --block_size 256,1024,4096
                                         how memory and time grow with the context

A step is forward, loss, backward, clipping and AdamW on random tokens. Its floating-point operations are those of the
products alone, of attention only the causal half; the peak rate of such products, with their operands at hand, is
measured in the same run.";

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Config {
    /// The one-page model, one name a step
    Micro,
    /// 2 layers, 64 wide, context 32, batch 8
    Tiny,
    /// 4 layers, 128 wide, context 64, batch 12
    Char,
    /// 6 layers, 384 wide, context 256, batch 4
    Baby,
    /// 12 layers, 768 wide, context 64, batch 4, 50257 tokens
    Gpt2,
}

/// The flags of `bench`.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(rename_all = "snake_case", after_help = EXAMPLES)]
pub struct Flags {
    /// What to measure [default: micro tiny char]
    #[arg(value_enum, value_name = "CONFIG")]
    pub configs: Vec<Config>,
    /// The threads to compute with [default: one for each core that it may use]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,
    /// Another context than the configuration's, or several, separated by commas
    #[arg(long, value_name = "N", value_parser = size, value_delimiter = ',')]
    pub block_size: Vec<usize>,
    /// Another number of windows in a batch than the configuration's
    #[arg(long, value_name = "N", value_parser = size)]
    pub batch_size: Option<usize>,
    /// What matrix products are computed from
    #[arg(long, value_enum, default_value = "f32")]
    pub dtype: Dtype,
    /// How long to measure each
    #[arg(long, value_name = "X", value_parser = seconds, default_value = "5")]
    pub seconds: f64,
    /// Print an array of JSON objects instead of tables
    #[arg(long)]
    pub json: bool,
}

fn seconds(text: &str) -> Result<f64, String> {
    number(text).ok().filter(|&seconds| seconds >= 0.0).ok_or_else(|| "give a number from 0 on".into())
}

/// Measures each configuration in a process of its own, so that its peak of memory is its own.
///
/// # Errors
/// If a size is given for `micro` or does not fit into the machine, or such a process cannot be started, or fails.
pub fn run(flags: &Flags) -> Result<()> {
    let configs = match &flags.configs[..] {
        [] if flags.block_size.is_empty() && flags.batch_size.is_none() && flags.dtype == Dtype::F32 => {
            &[Config::Micro, Config::Tiny, Config::Char]
        }
        [] => &[Config::Tiny, Config::Char][..],
        given => given,
    };
    let contexts: Vec<Option<usize>> = match &flags.block_size[..] {
        [] => vec![None],
        several => several.iter().copied().map(Some).collect(),
    };
    let cases: Vec<(Config, Option<usize>)> =
        configs.iter().flat_map(|&config| contexts.iter().map(move |&context| (config, context))).collect();
    for &(config, context) in &cases {
        sized(config, context, flags)?;
    }
    let measured = match cases[..] {
        [(config, context)] => vec![alone(config, context, flags)?],
        _ => cases
            .iter()
            .map(|&(config, context)| in_a_process(config, context, flags))
            .collect::<Result<_>>()?,
    };
    if flags.json {
        let json = serde_json::to_string_pretty(&measured).map_err(|error| Error::new(error.to_string()))?;
        say(json);
    } else {
        measured.iter().for_each(show);
    }
    Ok(())
}

/// What is measured, with its sizes; nothing to choose for `micro`.
fn sized(config: Config, context: Option<usize>, flags: &Flags) -> Result<Option<BenchConfig>> {
    let preset = match config {
        Config::Micro if context.is_some() || flags.batch_size.is_some() => {
            return Err(Error::new("micro has the sizes that its page gives it")
                .at("--block_size, --batch_size")
                .way_out("take another configuration: tiny, char, baby or gpt2"));
        }
        Config::Micro if flags.dtype != Dtype::F32 => {
            return Err(Error::new("micro is measured at f32").at("--dtype").way_out("leave the flag out"));
        }
        Config::Micro => return Ok(None),
        Config::Tiny => Preset::Tiny,
        Config::Char => Preset::Char,
        Config::Baby => Preset::Baby,
        Config::Gpt2 => Preset::Gpt2,
    };
    let mut config = BenchConfig::of(preset);
    config.model.block_size = context.unwrap_or(config.model.block_size);
    config.batch_size = flags.batch_size.unwrap_or(config.batch_size);
    config.dtype = flags.dtype;
    config.validate()?;
    Ok(Some(config))
}

fn alone(config: Config, context: Option<usize>, flags: &Flags) -> Result<Measured> {
    use_threads(flags.threads);
    Ok(match sized(config, context, flags)? {
        Some(config) => measure(&config, flags.seconds),
        None => micro::measure(flags.seconds),
    })
}

fn in_a_process(config: Config, context: Option<usize>, flags: &Flags) -> Result<Measured> {
    let failed = |what: String| Error::new(format!("the measurement of {config:?} failed: {what}"));
    let program = std::env::current_exe().map_err(|error| failed(error.to_string()))?;
    let name = config.to_possible_value().map_or(String::new(), |value| value.get_name().to_owned());
    let dtype = flags.dtype.to_possible_value().map_or(String::new(), |value| value.get_name().to_owned());
    let mut command = Command::new(program);
    command.args(["bench", &name, "--json", "--seconds", &flags.seconds.to_string(), "--dtype", &dtype]);
    for (flag, value) in
        [("--threads", flags.threads), ("--block_size", context), ("--batch_size", flags.batch_size)]
    {
        if let Some(value) = value {
            command.args([flag, &value.to_string()]);
        }
    }
    let output = command.stderr(Stdio::inherit()).output().map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(
            failed(output.status.to_string()).way_out("measure it alone to see why; gpt2 takes 2 GiB")
        );
    }
    let found: Vec<Measured> =
        serde_json::from_slice(&output.stdout).map_err(|error| failed(error.to_string()))?;
    found.into_iter().next().ok_or_else(|| failed("it printed nothing".to_owned()))
}

fn show(found: &Measured) {
    let Measured { config, block_size, batch_size, threads, median_ms, min_ms, gflops, peak_gflops, .. } =
        found;
    let dtype = found.dtype.aside();
    let memory = found.peak_rss_mib.map_or(String::new(), |mib| format!(", peak memory {mib:.0} MiB"));
    let (s, decimals) = (if *threads == 1 { "" } else { "s" }, if *median_ms < 10.0 { 3 } else { 1 });
    say(format!(
        "{config} (context {block_size}, batch {batch_size}{dtype}), {threads} thread{s}: {median_ms:.decimals$} ms a step (fastest {min_ms:.decimals$}), {} tokens/s, \
         {gflops:.1} of {peak_gflops:.1} GFLOP/s = {:.1} %{memory}; {} steps",
        thousands(found.tokens_per_second),
        100.0 * found.peak_share,
        thousands(found.steps as f64)
    ));
    for part in found.parts.iter().filter(|part| part.milliseconds() > 0.002 * median_ms) {
        let share =
            part.peak_share.map_or(String::new(), |share| format!("   {:>3.0} % of peak", 100.0 * share));
        say(format!(
            "  {:<22} {:>2} ×   forward {:>8.3} ms   backward {:>8.3} ms   {:>4.1} %{share}",
            part.op,
            part.calls,
            part.forward_ms,
            part.backward_ms,
            100.0 * part.milliseconds() / median_ms
        ));
    }
    if let Some(ns) = found.overhead_ns_per_op {
        say(format!("  an op beside its arithmetic, forward and back: {ns:.0} ns, the mean of"));
    }
    for overhead in &found.overheads {
        say(format!("  {:<18} {:>3} ×   {:>5.0} ns", overhead.op, overhead.calls, overhead.ns));
    }
    say("");
}
