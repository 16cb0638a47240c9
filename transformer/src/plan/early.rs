//! What a run says of itself after its first half second: when it will end. It costs nothing, for the updates that are
//! timed are the run's own.

use super::{Range, Work, memory_of_samples};
use crate::bench::peak_rss_mib;
use crate::train::config::{Dtype, TrainConfig};
use autograd::kernels::bf16::Unit;
use std::time::Instant;

/// How long updates are timed, in seconds, and how many at least.
const SECONDS: f64 = 0.5;
const UPDATES: usize = 5;

/// Times the first updates, and predicts the end.
pub struct Early {
    begun: Instant,
    update_begun: Option<Instant>,
    times: Vec<f64>,
    forecast: Option<Forecast>,
}

/// What was predicted, and when.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Forecast {
    /// Seconds into the run.
    pub after: f64,
    /// Seconds of the whole run.
    pub seconds: Range,
    /// The process's peak of memory, in MiB: that so far, for all updates are of one size, and the samples at the end;
    /// it may have [`LATER`](super::LATER) of it more.
    pub peak_rss_mib: Option<f64>,
}

impl Default for Early {
    /// From now on.
    fn default() -> Self {
        Early { begun: Instant::now(), update_begun: None, times: Vec::new(), forecast: None }
    }
}

impl Early {
    /// To be called before each update but the first one, which asks for memory and does not count.
    pub fn go_on(&mut self) {
        self.update_begun = Some(Instant::now());
    }

    /// To be called after each update, of which `done` are done. One that was `evaluated` took longer than an update takes, and
    /// after the last one there is nothing left to predict.
    pub fn after_update(&mut self, done: usize, evaluated: bool, config: &TrainConfig, validation: usize) {
        if self.forecast.is_some() || done == config.max_iters {
            return;
        }
        let begun = self.update_begun.take().filter(|_| !evaluated);
        self.times.extend(begun.map(|begun| begun.elapsed().as_secs_f64()));
        let after = self.begun.elapsed().as_secs_f64();
        if self.times.len() < UPDATES || after < SECONDS {
            return;
        }
        let work = Work::after(done, config, validation);
        // Forward is a third of an update; at f32, as evaluations are, about two thirds of one that AMX does at bf16.
        let faster = config.dtype == Dtype::Bf16 && Unit::current() == Unit::Amx;
        let forward = if faster { 2.0 / 3.0 } else { 1.0 / 3.0 };
        let evaluated = forward * work.evaluated as f64 / config.tokens_per_update() as f64;
        let seconds = Range::of(std::mem::take(&mut self.times))
            .drifting()
            .map(|update| after + (work.updates as f64 + evaluated) * update);
        let peak_rss_mib = peak_rss_mib().map(|mib| mib + memory_of_samples(config));
        self.forecast = Some(Forecast { after, seconds, peak_rss_mib });
    }

    /// What was predicted; nothing, if the run was shorter than that.
    pub fn forecast(&self) -> Option<Forecast> {
        self.forecast
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::DRIFT;
    use crate::train::presets::Preset;
    use std::time::Duration;

    #[test]
    fn the_end_is_predicted_from_the_pace_of_the_first_half_second() {
        let config = TrainConfig { max_iters: 100, eval_interval: 1000, ..Preset::Tiny.config() };
        let mut early = Early::default();
        for done in 1..=60 {
            std::thread::sleep(Duration::from_millis(10));
            early.after_update(done, false, &config, 0);
            early.go_on();
        }
        let Forecast { after, seconds, .. } = early.forecast().expect("half a second is over");
        assert!(after >= 0.5, "{after}");
        // 100 updates of 10 ms and what sleeping takes longer than asked; a busy machine only adds to it.
        assert!(seconds.low >= 0.95 * (1.0 - DRIFT) && seconds.likely < 60.0, "{seconds:?}");
    }

    #[test]
    fn nothing_is_predicted_after_the_last_update_or_from_updates_with_an_evaluation() {
        let config = TrainConfig { max_iters: 7, ..Preset::Tiny.config() };
        for evaluated in [false, true] {
            let mut early = Early::default();
            let mut after_updates = |which: std::ops::RangeInclusive<usize>| {
                which.for_each(|done| {
                    early.after_update(done, evaluated, &config, 1 << 20);
                    early.go_on();
                });
                early.forecast()
            };
            assert_eq!(after_updates(1..=5), None);
            std::thread::sleep(Duration::from_millis(600));
            let many = if evaluated { 6..=6 } else { 7..=7 };
            assert_eq!(after_updates(many), None, "evaluated: {evaluated}");
        }
    }
}
