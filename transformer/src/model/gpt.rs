//! The GPT: integers to vectors, N blocks, vectors to one number.
//!
//! ```text
//! tokens [b, n] → wte[token] + wpe[position] [b, n, d] → N blocks → norm → ·wteᵀ [b, n, v]
//! loss = mean over the batch of −ln p(next token)
//! ```
//!
//! The architecture is GPT-2's (Radford et al. 2019), and so are the parameters' names.

use super::{Block, ModelConfig, Norm, Pass};
use crate::data::batches::{Batch, IGNORE};
use autograd::{Float, Tape, Tensor, Var};

/// The model with its parameters: `Gpt<Tensor<T>>` is the model at rest, `Gpt<Var<T>>` the same on a tape.
pub struct Gpt<P> {
    /// The sizes.
    pub config: ModelConfig,
    /// What each token means; and, transposed, what each next token looks like: `[v, d]`
    pub wte: P,
    /// What each position means: `[block_size, d]`; nothing where queries and keys are turned instead.
    pub wpe: Option<P>,
    /// The N layers.
    pub blocks: Vec<Block<P>>,
    /// Before the head.
    pub norm: Norm<P>,
    /// What each next token looks like, if that is not `wte`: `[v, d]`
    pub head: Option<P>,
}

impl<'t, T: Float> Gpt<Var<'t, T>> {
    /// How likely each token comes next, as logits: tokens `[b, n]` → `[b, n, v]`.
    ///
    /// # Panics
    /// If n is longer than the context, or a token is not in the vocabulary.
    pub fn logits(&self, tokens: &[usize], shape: [usize; 2], pass: &Pass) -> Var<'t, T> {
        self.wte.tape().with_bf16(pass.bf16, || {
            let x = self.hidden(tokens, shape, pass);
            let _scope = x.tape().scope("head");
            x.matmul_tb(*self.head()).axes("b n v")
        })
    }

    /// All layers and the last norm: tokens `[b, n]` → `[b, n, d]`.
    fn hidden(&self, tokens: &[usize], shape: [usize; 2], pass: &Pass) -> Var<'t, T> {
        let mut x = self.embed(tokens, shape, pass);
        for (i, block) in self.blocks.iter().enumerate() {
            let _scope = x.tape().scope(&format!("blocks.{i}"));
            x = block.forward(x, pass).axes("b n d");
        }
        let _scope = x.tape().scope("head");
        self.norm.forward(x, pass).axes("b n d")
    }

    /// The one number: the mean of −ln p(next token) over all targets of the batch that count, in nats.
    pub fn loss(&self, batch: &Batch, pass: &Pass) -> Var<'t, T> {
        let logits = self.logits(&batch.x, batch.shape(), pass);
        let _scope = logits.tape().scope("loss");
        match pass.textbook {
            true => logits.cross_entropy_textbook(&batch.y, Some(IGNORE)),
            false => logits.cross_entropy(&batch.y, Some(IGNORE)),
        }
    }

    /// `[b, n] → [b, n, d]`
    fn embed(&self, tokens: &[usize], [b, n]: [usize; 2], pass: &Pass) -> Var<'t, T> {
        let _scope = self.wte.tape().scope("embedding");
        assert!(n <= self.config.block_size, "{n} tokens in a context of {}", self.config.block_size);
        let token = self.wte.gather(tokens, [b, n]).axes("b n d");
        let Some(wpe) = self.wpe else { return pass.dropout(token) };
        let positions: Vec<usize> = (0..n).collect();
        let position = wpe.gather(&positions, [n]).axes("n d");
        pass.dropout((token + position).axes("b n d"))
    }
}

impl<T: Float> Gpt<Tensor<T>> {
    /// Puts every parameter on a tape, by name.
    pub fn on<'t>(&self, tape: &'t Tape<T>) -> Gpt<Var<'t, T>> {
        self.map(&mut |name, parameter: &Tensor<T>| tape.parameter(name, parameter.clone()))
    }

    /// How many numbers are learned.
    pub fn numel(&self) -> usize {
        self.parameters().iter().map(|(_, parameter)| parameter.numel()).sum()
    }
}

impl<P> Gpt<P> {
    /// The same model with `f(name, parameter)` in the place of each parameter, in a fixed order.
    pub fn map<'a, Q>(&'a self, f: &mut impl FnMut(&str, &'a P) -> Q) -> Gpt<Q> {
        Gpt {
            config: self.config.clone(),
            wte: f("transformer.wte.weight", &self.wte),
            wpe: self.wpe.as_ref().map(|wpe| f("transformer.wpe.weight", wpe)),
            blocks: self
                .blocks
                .iter()
                .enumerate()
                .map(|(i, block)| block.map(&format!("transformer.h.{i}"), f))
                .collect(),
            norm: self.norm.map("transformer.ln_f", f),
            head: self.head.as_ref().map(|head| f("lm_head.weight", head)),
        }
    }

    /// What each next token looks like: `[v, d]`
    pub fn head(&self) -> &P {
        self.head.as_ref().unwrap_or(&self.wte)
    }

    /// Every parameter with its name, in the order of [`map`](Gpt::map).
    pub fn parameters(&self) -> Vec<(String, &P)> {
        let mut list = Vec::new();
        self.map(&mut |name, parameter| list.push((name.to_owned(), parameter)));
        list
    }

    /// Every parameter, to be changed, in the order of [`map`](Gpt::map).
    pub fn parameters_mut(&mut self) -> Vec<&mut P> {
        let mut list = vec![&mut self.wte];
        list.extend(&mut self.wpe);
        list.extend(self.blocks.iter_mut().flat_map(Block::parameters_mut));
        list.extend(self.norm.parameters_mut());
        list.extend(&mut self.head);
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use autograd::gradcheck::{Function, GradCheck, Verdict, check_second_order};

    /// The loss of a model as a function of its parameters.
    struct Loss {
        model: Gpt<Tensor<f64>>,
        batch: Batch,
        pass: Pass,
    }

    impl Function for Loss {
        fn call<'t, T: Float>(&self, x: &[Var<'t, T>]) -> Var<'t, T> {
            let mut x = x.iter().copied();
            let model = self.model.map(&mut |_, _| x.next().expect("a variable for each parameter"));
            model.loss(&self.batch, &self.pass)
        }
    }

    fn losses() -> [Loss; 2] {
        [Pass::evaluation(), Pass::evaluation().textbook()].map(|pass| {
            let config = ModelConfig {
                n_layer: 2,
                n_head: 2,
                n_embd: 12,
                block_size: 7,
                vocab_size: 11,
                bias: true,
                ..ModelConfig::default()
            };
            let token = |i: usize| (i * i + 3 * i) % 11;
            let batch = Batch {
                x: (0..14).map(token).collect(),
                y: (1..15).map(token).collect(),
                rows: 2,
                length: 7,
            };
            Loss { model: Gpt::init(&config, 9), batch, pass }
        })
    }

    #[test]
    fn along_random_directions_the_gradient_of_a_whole_model_is_the_same_three_ways() {
        let check = GradCheck { exhaustive_up_to: 0, directions: 2, ..GradCheck::default() };
        for loss in losses() {
            let parameters = loss.model.parameters();
            let named: Vec<(&str, Tensor<f64>)> =
                parameters.iter().map(|(name, value)| (name.as_str(), (*value).clone())).collect();
            let report = check.run(&loss, &named);
            assert_eq!(report.entries.len(), 2 * 28);
            assert!(report.entries.iter().all(|entry| entry.verdict == Verdict::Agree), "{report}");
        }
    }

    #[test]
    fn the_hessian_of_a_whole_model_is_symmetric_and_a_difference_of_gradients() {
        for loss in losses() {
            let values: Vec<Tensor<f64>> =
                loss.model.parameters().into_iter().map(|(_, value)| value.clone()).collect();
            let found = check_second_order(&loss, &values, 5);
            assert!(found.ok(), "{found:?}");
        }
    }
}
