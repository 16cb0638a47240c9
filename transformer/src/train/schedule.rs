//! The learning rate over the steps: a linear warm-up, then half a cosine down to a floor, as nanoGPT has it.
//!
//! With w = `warmup_iters`, d = `lr_decay_iters` and the step t counted from 0:
//!
//! ```text
//!           ⎧ lr_max · (t + 1) / (w + 1)                                    t < w
//!   lr(t) = ⎨ lr_min + ½ (1 + cos(π (t − w) / (d − w))) (lr_max − lr_min)   w ≤ t < d
//!           ⎩ lr_min                                                        d ≤ t
//! ```
//!
//! Reference: I. Loshchilov and F. Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017, eq. 5.

use super::config::TrainConfig;
use std::f64::consts::PI;

/// The learning rate of the update number `step`, counted from 0.
pub fn learning_rate(config: &TrainConfig, step: usize) -> f64 {
    let TrainConfig { learning_rate, min_lr, warmup_iters, lr_decay_iters, decay_lr, .. } = *config;
    if !decay_lr {
        learning_rate
    } else if step < warmup_iters {
        learning_rate * (step + 1) as f64 / (warmup_iters + 1) as f64
    } else if step < lr_decay_iters {
        let progress = (step - warmup_iters) as f64 / (lr_decay_iters - warmup_iters) as f64;
        min_lr + 0.5 * (1.0 + (PI * progress).cos()) * (learning_rate - min_lr)
    } else {
        min_lr
    }
}

#[cfg(test)]
mod tests {
    use super::super::presets::Preset;
    use super::*;
    use approx::assert_relative_eq;

    fn char_preset() -> TrainConfig {
        TrainConfig { learning_rate: 1e-3, ..Preset::Char.config() }
    }

    #[test]
    fn it_equals_nano_gpt_s_get_lr() {
        // Printed by nanoGPT's get_lr with learning_rate 1e-3, min_lr 1e-4, warmup_iters 100, lr_decay_iters 2000.
        for (step, expected) in [
            (0, 9.900_990_099_009_901e-6),
            (1, 1.980_198_019_801_980_3e-5),
            (99, 9.900_990_099_009_901e-4),
            (100, 1e-3),
            (101, 9.999_993_848_585_915e-4),
            (575, 8.681_980_515_339_464e-4),
            (1050, 5.5e-4),
            (1999, 1.000_006_151_414_084_1e-4),
            (2000, 1e-4),
            (5000, 1e-4),
        ] {
            assert_relative_eq!(learning_rate(&char_preset(), step), expected, max_relative = 1e-12);
        }
    }

    #[test]
    fn it_rises_to_its_maximum_and_then_only_falls() {
        let config = char_preset();
        let rates: Vec<f64> = (0..2500).map(|step| learning_rate(&config, step)).collect();
        assert!(rates[..=100].windows(2).all(|pair| pair[0] < pair[1]));
        assert!(rates[100..].windows(2).all(|pair| pair[0] >= pair[1]));
        assert_eq!(rates[100], config.learning_rate);
    }

    #[test]
    fn without_decay_it_is_constant() {
        let config = TrainConfig { decay_lr: false, ..char_preset() };
        assert!([0, 1, 5000].iter().all(|&step| learning_rate(&config, step) == config.learning_rate));
    }

    #[test]
    fn a_decay_that_is_over_with_the_warm_up_gives_no_nan() {
        let config = TrainConfig { warmup_iters: 10, lr_decay_iters: 10, ..char_preset() };
        assert!((0..20).all(|step| learning_rate(&config, step).is_finite()));
    }
}
