//! The flags of `train`, under nanoGPT's names.

use super::design::DesignFlags;
use crate::cli::{count, number, seed, size, threads, truth};
use crate::data::tokenizer::Choice;
use crate::train::config::{Dtype, TrainConfig};
use crate::train::presets::Preset;
use clap::Args;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  transformer train                                    the demo: about a minute on two cores
  transformer train --preset char --data input.txt     nanoGPT's character model
  transformer train --data korean.txt --tokenizer jamo Hangul in 67 letters; byte: any language in 256 tokens
  transformer train --data input.txt --tokenizer bpe:512 pieces of words (built with --features tokenizers)
  transformer train --data data/shakespeare --tokenizer gpt2/tokenizer.json
                                                       nanoGPT's train.bin and val.bin (built with --features tokenizers)
  transformer train --preset baby --n_layer 4 --max_iters 1000 --out_dir runs/mine
  transformer train --resume --out_dir runs/mine       go on where it stopped
  transformer train --init_from runs/gpt2 --data input.txt --out_dir runs/tuned --learning_rate 3e-5 --min_lr 3e-6 \\
    --batch_size 1 --max_iters 200                     train an imported model further, on another text
  transformer train --config runs/mine/config.toml --out_dir runs/again
                                                       repeat a run, bit for bit

A flag that is not given keeps the preset's value (or, with --resume, the run's).";

/// The flags of `train`. Those that are not given keep the preset's value, or that of the run that is resumed.
#[derive(Debug, Clone, Default, PartialEq, Args)]
#[command(rename_all = "snake_case", after_help = EXAMPLES)]
pub struct Flags {
    /// A file of flags, a line each: `n_layer = 6`; the command line's win over it, and it over the preset
    #[arg(long, value_name = "FILE.toml")]
    pub config: Option<PathBuf>,
    /// A size of model, with the recipe that trains it
    #[arg(long, value_enum)]
    pub preset: Option<Preset>,
    /// A text in UTF-8, a train.bin, or a directory with train.bin and val.bin [default: the embedded corpus `stories`]
    #[arg(long, value_name = "PATH")]
    pub data: Option<PathBuf>,
    /// char, byte, jamo (Hangul by letters), bpe:N (pairs learned from the text), or a tokenizer.json [default: char]
    #[arg(long, value_name = "T")]
    pub tokenizer: Option<Choice>,
    /// Begin with the weights of this run or import, with its shape and its tokenizer [default: random weights]
    #[arg(long, value_name = "RUN")]
    pub init_from: Option<PathBuf>,
    /// The directory of the run [default: runs/PRESET]
    #[arg(long, value_name = "DIR")]
    pub out_dir: Option<PathBuf>,
    /// Go on with the run in --out_dir, exactly where it stopped
    #[arg(long, conflicts_with_all = ["overwrite", "preset"])]
    pub resume: bool,
    /// Replace the run in --out_dir
    #[arg(long)]
    pub overwrite: bool,
    /// Write what is measured for TensorBoard too, in tensorboard/ of the run
    #[arg(long)]
    pub tensorboard: bool,
    /// The threads to compute with; the numbers do not depend on it [default: one for each core that it may use]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,
    /// Governs initialisation, batches, dropout and samples
    #[arg(long, value_name = "N", value_parser = seed)]
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

    /// The parts that replace GPT-2's
    #[command(flatten, next_help_heading = "Design")]
    pub design: DesignFlags,

    /// What matrix products are computed from; sums and weights are f32 either way, and so are evaluations
    #[arg(long, value_enum, help_heading = "Training")]
    pub dtype: Option<Dtype>,
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
        config.model.design = self.design.apply_to(config.model.design);
        set(&mut config.tokenizer, &self.tokenizer);
        set(&mut config.seed, &self.seed);
        set(&mut config.dtype, &self.dtype);
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
        if let Some(run) = &self.init_from {
            config.init_from = Some(run.clone());
        }
        config
    }

    /// Where the run lives. Without any flag it is a new directory, so that the demo can be run again and again.
    pub(super) fn out_dir(&self) -> PathBuf {
        let default = ["runs", self.preset.unwrap_or_default().name()].iter().collect();
        let path = self.out_dir.clone().unwrap_or(default);
        if *self != Flags::default() || !path.exists() {
            return path;
        }
        let numbered = (2..).map(|i| PathBuf::from(format!("{}-{i}", path.display())));
        numbered.into_iter().find(|path| !path.exists()).unwrap_or(path)
    }
}
