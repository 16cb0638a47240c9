//! GPT-2's initialisation: N(0, 0.02), the layers that write into the residual stream smaller.

use super::{Attention, Block, Gpt, LayerNorm, Linear, Mlp, ModelConfig};
use crate::random::{Purpose, generator};
use autograd::{Float, Tensor};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

const DEVIATION: f64 = 0.02;

impl<T: Float> Gpt<Tensor<T>> {
    /// A model that has learned nothing yet; the same seed gives the same numbers at every precision.
    ///
    /// Each block adds twice to the residual stream, so the projections that do it start smaller by
    /// √(2·n_layer), and the variance of the sum does not grow with depth (Radford et al. 2019, §2.3).
    pub fn init(config: &ModelConfig, seed: u64) -> Self {
        let mut draw = Draw { generator: generator(seed, Purpose::Initialisation) };
        let (d, residual) = (config.n_embd, DEVIATION / (2.0 * config.n_layer as f64).sqrt());
        let bias = |d_out: usize| config.bias.then(|| Tensor::zeros([d_out]));
        let norm = || LayerNorm { weight: Tensor::ones([d]), bias: bias(d) };
        Gpt {
            config: config.clone(),
            wte: draw.normal([config.vocab_size, d], DEVIATION),
            wpe: draw.normal([config.block_size, d], DEVIATION),
            blocks: (0..config.n_layer)
                .map(|_| Block {
                    norm_1: norm(),
                    attention: Attention {
                        qkv: Linear { weight: draw.normal([d, 3 * d], DEVIATION), bias: bias(3 * d) },
                        projection: Linear { weight: draw.normal([d, d], residual), bias: bias(d) },
                        n_head: config.n_head,
                    },
                    norm_2: norm(),
                    mlp: Mlp {
                        up: Linear { weight: draw.normal([d, 4 * d], DEVIATION), bias: bias(4 * d) },
                        down: Linear { weight: draw.normal([4 * d, d], residual), bias: bias(d) },
                    },
                })
                .collect(),
            norm: norm(),
        }
    }
}

struct Draw {
    generator: ChaCha8Rng,
}

impl Draw {
    fn normal<T: Float>(&mut self, shape: [usize; 2], deviation: f64) -> Tensor<T> {
        Tensor::from_fn(shape, |_| {
            let z: f64 = StandardNormal.sample(&mut self.generator);
            T::from_f64(deviation * z)
        })
    }
}
