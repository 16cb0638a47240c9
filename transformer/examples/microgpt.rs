//! A whole GPT on one page: data, model, loss, backward, Adam, sampling. Everything else is efficiency.
//!
//! It learns to make up first names, one character at a time, after microgpt (A. Karpathy, 2026): one layer,
//! four heads, 4,192 parameters, RMS norm, ReLU, no biases. Run it: `cargo run --release --example microgpt`

use autograd::{Float, Tape, Tensor, Var};
use rand::SeedableRng;
use rand::distr::weighted::WeightedIndex;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal};

/// Updates; each sees one name.
pub const STEPS: usize = 1000;
const VOCAB: usize = 27; // a … z and the boundary between names
const BOUNDARY: usize = 26;
const WIDTH: usize = 16; // d: numbers in the vector that stands for a token
const CONTEXT: usize = 16;
const HEADS: usize = 4; // h
const HEAD_WIDTH: usize = WIDTH / HEADS; // e
const EPS: f64 = 1e-5;
const TEMPERATURE: f64 = 0.5; // below 1: the likely becomes likelier

/// Everything that is learned.
pub const PARAMETERS: [(&str, [usize; 2]); 9] = [
    ("wte", [VOCAB, WIDTH]),     // a vector for each token
    ("wpe", [CONTEXT, WIDTH]),   // a vector for each position
    ("lm_head", [VOCAB, WIDTH]), // back from a vector to a score for each next token
    ("layer0.attn_wq", [WIDTH, WIDTH]),
    ("layer0.attn_wk", [WIDTH, WIDTH]),
    ("layer0.attn_wv", [WIDTH, WIDTH]),
    ("layer0.attn_wo", [WIDTH, WIDTH]),
    ("layer0.mlp_fc1", [4 * WIDTH, WIDTH]),
    ("layer0.mlp_fc2", [WIDTH, 4 * WIDTH]),
];

/// A name as tokens, a boundary on both sides.
pub fn tokens(name: &str) -> Vec<usize> {
    let letters = name.bytes().map(|letter| usize::from(letter - b'a'));
    [BOUNDARY].into_iter().chain(letters).chain([BOUNDARY]).collect()
}

/// How likely each token comes next, as logits: n tokens → [n, v]
pub fn logits<'t, T: Float>(parameters: [Var<'t, T>; 9], tokens: &[usize]) -> Var<'t, T> {
    let [wte, wpe, lm_head, wq, wk, wv, wo, fc1, fc2] = parameters;
    let n = tokens.len();
    let x = (wte.gather(tokens, [n]) + wpe.slice(0, 0..n)).rms_norm(None, EPS); // [n, d]

    // Tokens talk: each asks (q), offers (k) and says (v), and hears those up to itself that fit its question.
    let normal = x.rms_norm(None, EPS);
    let heads = |w| normal.matmul_tb(w).reshape([n, HEADS, HEAD_WIDTH]).permute(&[1, 0, 2]); // [h, n, e]
    let scores = heads(wq).matmul_tb(heads(wk)).scale((HEAD_WIDTH as f64).powf(-0.5)); // [h, n, n]
    let future = Tensor::from_fn([n, n], |i| if i % n > i / n { T::ONE } else { T::ZERO });
    let attention = scores.masked_fill(&future, f64::NEG_INFINITY).softmax(-1);
    let heard = attention.matmul(heads(wv)).permute(&[1, 0, 2]).reshape([n, WIDTH]); // [n, d]
    let x = x + heard.matmul_tb(wo); // [n, d]

    // Each token thinks, by itself.
    let x = x + x.rms_norm(None, EPS).matmul_tb(fc1).relu().matmul_tb(fc2); // [n, d]
    x.matmul_tb(lm_head) // [n, v]
}

/// The one number: the mean of −ln p(next token). And the way back from it.
pub fn loss_and_gradients<T: Float>(parameters: &[Tensor<T>; 9], name: &[usize]) -> (T, [Tensor<T>; 9]) {
    let n = CONTEXT.min(name.len() - 1);
    let tape = Tape::new();
    let parameters = parameters.each_ref().map(|parameter| tape.leaf(parameter.clone()));
    let loss = logits(parameters, &name[..n]).cross_entropy(&name[1..=n], None);
    let gradients = loss.backward();
    (loss.value().item(), parameters.map(|parameter| gradients.of(parameter).clone()))
}

/// The running means of each parameter's gradient and of its square.
pub type Moments<T> = [(Tensor<T>, Tensor<T>); 9];

/// Adam (Kingma & Ba 2015): a step as long as the learning rate, which falls to 0 over `STEPS`.
pub fn adam<T: Float>(
    parameters: &mut [Tensor<T>; 9],
    gradients: &[Tensor<T>; 9],
    moments: &mut Moments<T>,
    step: usize,
) {
    let (beta1, beta2, t, number) = (0.85, 0.99, step as i32 + 1, T::from_f64);
    let rate = number(0.01 * (1.0 - step as f64 / STEPS as f64));
    for ((p, g), (m, v)) in parameters.iter_mut().zip(gradients).zip(moments) {
        let (p, m, v) = (p.data_mut(), m.data_mut(), v.data_mut());
        for (i, &g) in g.data().iter().enumerate() {
            m[i] = number(beta1) * m[i] + number(1.0 - beta1) * g;
            v[i] = number(beta2) * v[i] + number(1.0 - beta2) * g * g;
            let (m, v) = (m[i] / number(1.0 - beta1.powi(t)), v[i] / number(1.0 - beta2.powi(t)));
            p[i] -= rate * m / (v.sqrt() + number(1e-8));
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut random = ChaCha8Rng::seed_from_u64(42);
    let normal = Normal::new(0.0, 0.08)?;
    let names: Vec<Vec<usize>> = include_str!("names.txt").lines().map(tokens).collect();
    let mut parameters = PARAMETERS.map(|(_, s)| Tensor::from_fn(s, |_| normal.sample(&mut random) as f32));
    let mut moments = PARAMETERS.map(|(_, s)| (Tensor::zeros(s), Tensor::zeros(s)));
    for step in 0..STEPS {
        let (loss, gradients) = loss_and_gradients(&parameters, &names[step % names.len()]);
        adam(&mut parameters, &gradients, &mut moments, step);
        if step % 100 == 99 {
            println!("step {:4}: loss {loss:.4} nats", step + 1);
        }
    }
    for _ in 0..10 {
        let mut name = vec![BOUNDARY];
        while name.len() < CONTEXT {
            let tape = Tape::new();
            let on_tape = parameters.each_ref().map(|parameter| tape.constant(parameter.clone()));
            let last = logits(on_tape, &name).slice(0, name.len() - 1..name.len());
            let probabilities = (last / TEMPERATURE).softmax(-1).value();
            match WeightedIndex::new(probabilities.data())?.sample(&mut random) {
                BOUNDARY => break,
                letter => name.push(letter),
            }
        }
        println!("{}", name[1..].iter().map(|&letter| char::from(b'a' + letter as u8)).collect::<String>());
    }
    Ok(())
}
