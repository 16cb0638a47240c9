//! A picture learned as a function: (x, y) → brightness, by a perceptron of three layers. Two PNG files show the
//! function before and after, with the picture beside it.
//!
//! `cargo run --release -p autograd --example picture -- DIRECTORY`

use autograd::{Float, Tape, Tensor, Var};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use std::f64::consts::PI;
use std::path::Path;

const SIDE: usize = 96; // pixels
const WAVES: usize = 4; // at 1, 2, 4, 8 half periods a picture, in each direction
const FEATURES: usize = 2 + 4 * WAVES;
const WIDTH: usize = 64;
const STEPS: i32 = 400;

/// Where pixel `i` lies: x to the right and y downwards, from −1 to 1.
fn place(i: usize) -> [f64; 2] {
    [i % SIDE, i / SIDE].map(|pixel| 2.0 * (pixel as f64 + 0.5) / SIDE as f64 - 1.0)
}

/// The picture: a ring, and within it a chessboard.
fn brightness([x, y]: [f64; 2]) -> f64 {
    match x.hypot(y) {
        r if r > 0.9 => 0.3,
        r if r > 0.7 => 0.6,
        _ => f64::from((((x + 1.0) * 5.0) as i32 + ((y + 1.0) * 5.0) as i32) % 2),
    }
}

/// A place as waves of several lengths, without which a perceptron sees no detail (Tancik et al. 2020).
fn features(pixel: usize) -> impl Iterator<Item = f64> {
    let place = place(pixel);
    let waves = (0..WAVES).flat_map(move |k| place.map(|x| PI * x * 2.0_f64.powi(k as i32) / 2.0));
    place.into_iter().chain(waves.flat_map(|angle| [angle.sin(), angle.cos()]))
}

/// `[m, features] → [m, 1]`, between 0 and 1
fn mlp<'t, T: Float>(x: Var<'t, T>, parameters: &[Var<'t, T>]) -> Var<'t, T> {
    let [w1, b1, w2, b2, w3, b3] = parameters else { panic!("three layers have six parameters") };
    let hidden = x.linear(*w1, Some(*b1)).gelu().linear(*w2, Some(*b2)).gelu(); // [m, width]
    hidden.linear(*w3, Some(*b3)).sigmoid()
}

/// Writes the learned picture and the true one side by side.
fn write(path: &Path, learned: &Tensor<f32>, truth: &Tensor<f32>) -> Result<(), Box<dyn std::error::Error>> {
    let row = |picture: &Tensor<f32>, y: usize| -> Vec<u8> {
        picture.data()[y * SIDE..][..SIDE].iter().map(|brightness| (brightness * 255.0) as u8).collect()
    };
    let pixels: Vec<u8> = (0..SIDE).flat_map(|y| [row(learned, y), row(truth, y)].concat()).collect();
    let mut encoder = png::Encoder::new(std::fs::File::create(path)?, 2 * SIDE as u32, SIDE as u32);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header()?.write_image_data(&pixels)?;
    println!("wrote {}", path.display());
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::args().nth(1).unwrap_or_else(|| ".".into());
    let directory = Path::new(&directory);
    let pixels = SIDE * SIDE;
    let all: Vec<f32> = (0..pixels).flat_map(features).map(|x| x as f32).collect();
    let inputs = Tensor::new([pixels, FEATURES], all);
    let truth = Tensor::from_fn([pixels, 1], |i| brightness(place(i)) as f32);

    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut layer = |d_in: usize, d_out: usize| {
        let mut normal = || StandardNormal.sample(&mut random);
        let weight = Tensor::from_fn([d_in, d_out], |_| {
            let z: f32 = normal();
            z * (2.0 / d_in as f32).sqrt()
        });
        [weight, Tensor::zeros([d_out])]
    };
    let mut parameters = [layer(FEATURES, WIDTH), layer(WIDTH, WIDTH), layer(WIDTH, 1)].concat();
    let mut moments: Vec<[Tensor<f32>; 2]> =
        parameters.iter().map(|p| [Tensor::zeros(p.shape()), Tensor::zeros(p.shape())]).collect();

    let mut last = f32::INFINITY;
    for step in 0..=STEPS {
        let tape = Tape::new();
        let on_tape: Vec<Var<f32>> =
            parameters.iter().map(|parameter| tape.leaf(parameter.clone())).collect();
        let learned = mlp(tape.constant(inputs.clone()), &on_tape);
        let loss = (learned - tape.constant(truth.clone())).powi(2).mean_all();
        last = loss.value().item();
        if step % 100 == 0 {
            println!("step {step:3}: mean squared error {last:.4}");
        }
        match step {
            0 => write(&directory.join("before.png"), &learned.value(), &truth)?,
            STEPS => write(&directory.join("after.png"), &learned.value(), &truth)?,
            _ => {}
        }
        let gradients = loss.backward_and_free();
        for ((parameter, moments), leaf) in parameters.iter_mut().zip(&mut moments).zip(on_tape) {
            adam(parameter, moments, gradients.of(leaf), step + 1);
        }
    }
    assert!(last < 0.01, "the picture was not learned");
    Ok(())
}

/// Step t of Adam (Kingma & Ba 2015), at a rate that falls from 0.01 to 0.
fn adam(parameter: &mut Tensor<f32>, [m, v]: &mut [Tensor<f32>; 2], gradient: &Tensor<f32>, t: i32) {
    *m = m.zip(gradient, |m, g| 0.9 * m + 0.1 * g);
    *v = v.zip(gradient, |v, g| 0.99 * v + 0.01 * g * g);
    let (unbias_m, unbias_v) = (1.0 - 0.9_f32.powi(t), 1.0 - 0.99_f32.powi(t));
    let rate = 0.01 * (1.0 - (t - 1) as f32 / STEPS as f32);
    let step = m.zip(v, |m, v| rate * (m / unbias_m) / ((v / unbias_v).sqrt() + 1e-8));
    *parameter = parameter.zip(&step, |parameter, step| parameter - step);
}
