//! GPT-2's initialisation: N(0, 0.02²), the layers that write into the residual stream smaller.

use super::{Activation, Attention, Block, Gpt, Linear, Mlp, ModelConfig, Norm, NormKind, Position};
use crate::error::{Error, Result};
use crate::random::{Purpose, generator};
use autograd::{Float, Tensor};
use rand_distr::{Distribution, StandardNormal};

/// How the numbers of a parameter begin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// Drawn from N(0, deviation²).
    Normal(f64),
    /// All 1.
    Ones,
    /// All 0.
    Zeros,
}

const DEVIATION: f64 = 0.02;

impl<P> Gpt<P> {
    /// A model whose parameters are what `parameter(init, shape)` says, called in the order in which they are drawn.
    ///
    /// Each block adds twice to the residual stream, so the projections that do it start smaller by
    /// √(2·n_layer), and the variance of the sum does not grow with depth (Radford et al. 2019, §2.3).
    pub fn build(config: &ModelConfig, mut parameter: impl FnMut(Init, &[usize]) -> P) -> Self {
        let (d, e, inner, design) = (config.n_embd, config.head_size(), config.n_inner(), &config.design);
        let (normal, residual) = (Init::Normal(DEVIATION), DEVIATION / (2.0 * config.n_layer as f64).sqrt());
        let f = &mut parameter;
        Gpt {
            config: config.clone(),
            wte: f(normal, &[config.vocab_size, d]),
            wpe: (design.position == Position::Learned).then(|| f(normal, &[config.block_size, d])),
            blocks: (0..config.n_layer)
                .map(|_| Block {
                    norm_1: norm(config, f),
                    attention: Attention {
                        qkv: linear(config, f, normal, [d, d + 2 * config.n_kv_head() * e]),
                        projection: linear(config, f, Init::Normal(residual), [d, d]),
                        n_head: config.n_head,
                        n_kv_head: config.n_kv_head(),
                        rope: config.rope(),
                    },
                    norm_2: norm(config, f),
                    mlp: Mlp {
                        up: linear(config, f, normal, [d, inner]),
                        gate: (design.activation == Activation::Swiglu)
                            .then(|| linear(config, f, normal, [d, inner])),
                        down: linear(config, f, Init::Normal(residual), [inner, d]),
                        activation: design.activation,
                    },
                })
                .collect(),
            norm: norm(config, f),
            head: (!design.tie_word_embeddings).then(|| f(normal, &[config.vocab_size, d])),
        }
    }
}

impl Gpt<Vec<usize>> {
    /// The shape of every parameter, for a file that holds `tensors` tensors.
    ///
    /// # Errors
    /// If the file cannot hold as many layers: a `config.json` is not trusted with the size of what is allocated.
    pub fn shapes(config: &ModelConfig, tensors: usize) -> Result<Self> {
        match config.n_layer <= tensors {
            true => Ok(Gpt::build(config, |_, shape| shape.to_vec())),
            false => Err(Error::new(format!(
                "config.json tells of {} layers, but there are only {tensors} tensors",
                config.n_layer
            ))
            .at("n_layer")
            .way_out("use the config.json and the weights of one and the same model")),
        }
    }
}

fn linear<P>(
    config: &ModelConfig,
    parameter: &mut impl FnMut(Init, &[usize]) -> P,
    weight: Init,
    shape: [usize; 2],
) -> Linear<P> {
    let weight = parameter(weight, &shape);
    Linear { weight, bias: config.bias.then(|| parameter(Init::Zeros, &shape[1..])) }
}

fn norm<P>(config: &ModelConfig, parameter: &mut impl FnMut(Init, &[usize]) -> P) -> Norm<P> {
    let (kind, eps, shape) = (config.design.norm, config.design.norm_eps, [config.n_embd]);
    let weight = parameter(Init::Ones, &shape);
    let has_bias = config.bias && kind == NormKind::Layer;
    Norm { weight, bias: has_bias.then(|| parameter(Init::Zeros, &shape)), kind, eps }
}

impl<T: Float> Gpt<Tensor<T>> {
    /// A model that has learned nothing yet; the same seed gives the same numbers at every precision.
    pub fn init(config: &ModelConfig, seed: u64) -> Self {
        let mut generator = generator(seed, Purpose::Initialisation);
        Gpt::build(config, |init, shape| match init {
            Init::Normal(deviation) => Tensor::from_fn(shape, |_| {
                let z: f64 = StandardNormal.sample(&mut generator);
                T::from_f64(deviation * z)
            }),
            Init::Ones => Tensor::ones(shape),
            Init::Zeros => Tensor::zeros(shape),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_initialisation_is_gpt_2_s() {
        let config = ModelConfig {
            n_layer: 8,
            n_head: 4,
            n_embd: 64,
            block_size: 96,
            vocab_size: 200,
            ..ModelConfig::default()
        };
        for (name, parameter) in Gpt::<Tensor<f64>>::init(&config, 3).parameters() {
            let numbers = parameter.data();
            if name.ends_with("bias") {
                assert!(numbers.iter().all(|&x| x == 0.0), "{name}");
            } else if parameter.shape().len() == 1 {
                assert!(numbers.iter().all(|&x| x == 1.0), "{name}");
            } else {
                // Two layers a block write into the residual stream: 0.02/√(2·8) = 0.005.
                let expected = if name.ends_with("c_proj.weight") { 0.005 } else { 0.02 };
                let n = numbers.len() as f64;
                let mean = numbers.iter().sum::<f64>() / n;
                let deviation = (numbers.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt();
                assert!(mean.abs() < 5.0 * expected / n.sqrt(), "{name}: mean {mean}");
                approx::assert_relative_eq!(deviation, expected, max_relative = 0.05);
            }
        }
    }
}
