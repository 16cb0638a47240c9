//! AdamW and the clipping of gradients.
//!
//! ```text
//! g ← g·min(1, clip/‖g‖)                          ‖g‖ over all parameters at once
//! p ← p − η·λ·p                                   decay, where λ applies
//! m ← β₁·m + (1 − β₁)·g,   v ← β₂·v + (1 − β₂)·g²
//! p ← p − η·m̂/(√v̂ + ε),   m̂ = m/(1 − β₁ᵗ), v̂ = v/(1 − β₂ᵗ)
//! ```
//!
//! Kingma & Ba 2015; Loshchilov & Hutter 2019, "Decoupled weight decay regularization", algorithm 2. The loop
//! over the numbers is a kernel, [`autograd::kernels::adamw`].

use super::config::TrainConfig;
use super::tensors::for_each_tensor;
use autograd::kernels::adamw::AdamW as Kernel;
use autograd::kernels::rows::sum_of_squares;
use autograd::{Float, Tensor};

/// The settings of AdamW.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamW {
    /// β₁: how much of the mean gradient m stays from step to step.
    pub beta1: f64,
    /// β₂: the same for the mean square v.
    pub beta2: f64,
    /// ε, so that a parameter without gradients moves by 0/ε, not by 0/0.
    pub eps: f64,
    /// λ: the share of a parameter that decays in a step of learning rate 1.
    pub weight_decay: f64,
    /// Gradients of a larger norm are shortened to this one; 0 leaves them as they are.
    pub grad_clip: f64,
}

/// Is told a parameter's gradient, and what it was before and after an update.
pub type Watch<'w, T> = &'w mut dyn FnMut(&Tensor<T>, &Tensor<T>, &Tensor<T>);

/// What AdamW remembers of the gradients so far.
#[derive(Clone)]
pub struct Moments<T: Float> {
    /// How many updates there were, t.
    pub updates: u64,
    /// m, one tensor a parameter.
    pub mean: Vec<Tensor<T>>,
    /// v, one tensor a parameter.
    pub square: Vec<Tensor<T>>,
}

impl<T: Float> Moments<T> {
    /// Before the first update.
    pub fn zeros<'a>(parameters: impl Iterator<Item = &'a Tensor<T>>) -> Self {
        let mean: Vec<_> = parameters.map(|parameter| Tensor::zeros(parameter.shape())).collect();
        let square = mean.iter().map(|mean| Tensor::zeros(mean.shape())).collect();
        Moments { updates: 0, mean, square }
    }
}

/// Matrices and embeddings decay; what has one axis, a bias or a norm's weight, does not (nanoGPT's rule).
pub fn decays<T: Float>(parameter: &Tensor<T>) -> bool {
    parameter.shape().len() >= 2
}

impl AdamW {
    /// As a run is told to use it.
    pub fn of(config: &TrainConfig) -> Self {
        let TrainConfig { beta1, beta2, weight_decay, grad_clip, .. } = *config;
        AdamW { beta1, beta2, eps: 1e-8, weight_decay, grad_clip }
    }

    /// Moves every parameter once, at learning rate `lr`, and returns the norm of the gradients before clipping.
    /// Where `decays` says no, λ is 0.
    ///
    /// # Panics
    /// If parameters, gradients and moments do not match one another.
    #[track_caller]
    pub fn update<T: Float>(
        &self,
        moments: &mut Moments<T>,
        parameters: Vec<&mut Tensor<T>>,
        gradients: &[Tensor<T>],
        lr: f64,
        decays: impl Fn(&Tensor<T>) -> bool,
    ) -> f64 {
        let norm = norm(gradients);
        self.update_watched(moments, parameters, (gradients, norm), lr, decays, None);
        norm
    }

    /// The same, of gradients whose norm is known; `watch(gradient, before, after)` is told how each parameter moves, in
    /// their order.
    ///
    /// # Panics
    /// As `update`.
    #[track_caller]
    pub fn update_watched<T: Float>(
        &self,
        moments: &mut Moments<T>,
        parameters: Vec<&mut Tensor<T>>,
        (gradients, norm): (&[Tensor<T>], f64),
        lr: f64,
        decays: impl Fn(&Tensor<T>) -> bool,
        watch: Option<Watch<T>>,
    ) {
        assert_eq!(parameters.len(), gradients.len(), "one gradient for each parameter");
        assert_eq!(parameters.len(), moments.mean.len(), "one pair of moments for each parameter");
        moments.updates += 1;
        let step = self.step::<T>(lr, moments.updates, norm);
        let moments = moments.mean.iter_mut().zip(&mut moments.square);
        let mut moving: Vec<Moving<T>> = (parameters.into_iter().zip(gradients).zip(moments))
            .map(|((p, g), (m, v))| Moving {
                decay: if decays(p) { step.decay } else { T::ZERO },
                p,
                g,
                m,
                v,
            })
            .collect();
        match watch {
            None => for_each_tensor(&mut moving, |one| one.p.numel(), |_, one| one.update(step)),
            Some(watch) => {
                for one in &mut moving {
                    let before = one.p.clone();
                    one.update(step);
                    watch(one.g, &before, one.p);
                }
            }
        }
    }

    /// The constants of update number `t`.
    fn step<T: Float>(&self, lr: f64, t: u64, norm: f64) -> Kernel<T> {
        let number = T::from_f64;
        Kernel {
            lr: number(lr),
            beta1: number(self.beta1),
            beta2: number(self.beta2),
            eps: number(self.eps),
            decay: number(self.weight_decay),
            correction1: number(1.0 - self.beta1.powf(t as f64)),
            correction2: number(1.0 - self.beta2.powf(t as f64)),
            clip: number(self.clip(norm)),
        }
    }

    /// The factor that shortens gradients of this norm; 10⁻⁶ is added to the norm as PyTorch does.
    pub fn clip(&self, norm: f64) -> f64 {
        if self.grad_clip > 0.0 { (self.grad_clip / (norm + 1e-6)).min(1.0) } else { 1.0 }
    }
}

/// A parameter that is about to move, with its gradient and its moments.
struct Moving<'a, T: Float> {
    decay: T,
    p: &'a mut Tensor<T>,
    g: &'a Tensor<T>,
    m: &'a mut Tensor<T>,
    v: &'a mut Tensor<T>,
}

impl<T: Float> Moving<'_, T> {
    fn update(&mut self, step: Kernel<T>) {
        let Moving { decay, p, g, m, v } = self;
        Kernel { decay: *decay, ..step }.step(p.data_mut(), g.data(), m.data_mut(), v.data_mut());
    }
}

/// ‖g‖ = √Σ gᵢ², over the entries of all gradients.
pub fn norm<T: Float>(gradients: &[Tensor<T>]) -> f64 {
    let mut squares: Vec<(&Tensor<T>, f64)> = gradients.iter().map(|g| (g, 0.0)).collect();
    for_each_tensor(
        &mut squares,
        |(g, _)| g.numel(),
        |_, (g, square)| *square = sum_of_squares(g.data(), &mut Vec::new()).to_f64(),
    );
    squares.iter().map(|(_, square)| square).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: AdamW = AdamW { beta1: 0.9, beta2: 0.99, eps: 1e-8, weight_decay: 0.0, grad_clip: 0.0 };

    fn one_update(adamw: AdamW, parameter: f64, gradient: f64, lr: f64) -> (f64, f64) {
        let mut p = Tensor::full([1, 1], parameter);
        let mut moments = Moments::zeros([&p].into_iter());
        let norm = adamw.update(&mut moments, vec![&mut p], &[Tensor::full([1, 1], gradient)], lr, |_| true);
        (p.item(), norm)
    }

    #[test]
    fn the_first_step_is_as_long_as_the_learning_rate_whatever_the_gradient() {
        for gradient in [1e-3, 1.0, 1e3] {
            let (p, _) = one_update(PLAIN, 5.0, gradient, 0.1);
            approx::assert_relative_eq!(p, 4.9, epsilon = 1e-5);
        }
    }

    #[test]
    fn decay_takes_its_share_even_without_a_gradient() {
        let (p, _) = one_update(AdamW { weight_decay: 0.5, ..PLAIN }, 2.0, 0.0, 0.1);
        approx::assert_relative_eq!(p, 2.0 * (1.0 - 0.1 * 0.5));
    }

    #[test]
    fn matrices_decay_and_what_has_one_axis_does_not() {
        let adamw = AdamW { weight_decay: 0.5, ..PLAIN };
        for (shape, expected) in [(&[3, 2][..], 1.9), (&[2, 3, 2], 1.9), (&[6], 2.0), (&[], 2.0)] {
            let mut p = Tensor::full(shape, 2.0);
            let mut moments = Moments::zeros([&p].into_iter());
            adamw.update(&mut moments, vec![&mut p], &[Tensor::zeros(shape)], 0.1, decays);
            assert!(p.data().iter().all(|&x: &f64| (x - expected).abs() < 1e-12), "{shape:?}: {p}");
        }
    }

    #[test]
    fn gradients_longer_than_the_clip_are_shortened_to_it() {
        let adamw = AdamW { grad_clip: 1.0, ..PLAIN };
        approx::assert_relative_eq!(adamw.clip(4.0) * 4.0, 1.0, epsilon = 1e-6);
        assert_eq!(adamw.clip(0.5), 1.0);
        assert_eq!(AdamW { grad_clip: 0.0, ..PLAIN }.clip(4.0), 1.0);
        assert_eq!(one_update(adamw, 1.0, 4.0, 0.1).1, 4.0, "the norm is the one before clipping");
    }

    /// Algorithm 2, line by line, at f64.
    fn textbook(adamw: AdamW, p: &mut [f64], g: &[f64], m: &mut [f64], v: &mut [f64], lr: f64, t: i32) {
        let norm = g.iter().map(|g| g * g).sum::<f64>().sqrt();
        let clip = if adamw.grad_clip > 0.0 { (adamw.grad_clip / (norm + 1e-6)).min(1.0) } else { 1.0 };
        for i in 0..p.len() {
            let g = g[i] * clip;
            p[i] -= lr * adamw.weight_decay * p[i];
            m[i] = adamw.beta1 * m[i] + (1.0 - adamw.beta1) * g;
            v[i] = adamw.beta2 * v[i] + (1.0 - adamw.beta2) * g * g;
            let (m, v) = (m[i] / (1.0 - adamw.beta1.powi(t)), v[i] / (1.0 - adamw.beta2.powi(t)));
            p[i] -= lr * m / (v.sqrt() + adamw.eps);
        }
    }

    #[test]
    fn several_updates_are_the_textbook_algorithm() {
        let adamw = AdamW { weight_decay: 0.1, grad_clip: 1.0, ..PLAIN };
        let wave = |phase: f64| (0..20_000).map(|i| (i as f64 * 0.37 + phase).sin()).collect::<Vec<f64>>();
        let (mut p, mut m, mut v) = (wave(0.0), vec![0.0; 20_000], vec![0.0; 20_000]);
        let mut fast = Tensor::new([100, 200], &p);
        let mut moments = Moments::zeros([&fast].into_iter());
        for t in 1..=5 {
            let g = wave(f64::from(t));
            textbook(adamw, &mut p, &g, &mut m, &mut v, 0.01, t);
            adamw.update(&mut moments, vec![&mut fast], &[Tensor::new([100, 200], g)], 0.01, |_| true);
        }
        for (&fast, &p) in fast.data().iter().zip(&p) {
            approx::assert_relative_eq!(fast, p, epsilon = 1e-13);
        }
    }
}
