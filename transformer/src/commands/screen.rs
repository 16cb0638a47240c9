//! What a training run shows: a progress bar on a terminal, plain lines elsewhere.

use super::out::say;
use crate::run_dir::metrics::Measurement;
use crate::train::session::{End, Progress};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// The bar, or the lines.
pub struct Screen {
    bar: Option<ProgressBar>,
    steps: usize,
    begun: Instant,
    from: usize,
    val_loss: Option<f64>,
}

impl Screen {
    /// For a run of `steps` updates, of which `done` are done.
    pub fn new(steps: usize, done: usize) -> Self {
        let bar = std::io::stdout().is_terminal().then(|| {
            let bar = ProgressBar::new(steps as u64).with_position(done as u64);
            let style = ProgressStyle::with_template("{wide_bar} {pos}/{len}  {prefix}\n{wide_msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        Screen { bar, steps, begun: Instant::now(), from: done, val_loss: None }
    }

    /// Shows what the last update did.
    pub fn show(&mut self, step: usize, progress: &Progress) {
        let Some(line) = progress.line else { return };
        self.val_loss = line.val_loss.or(self.val_loss);
        let (figures, time_left) = (figures(line, self.val_loss), self.time_left(step));
        match &self.bar {
            Some(bar) => {
                bar.set_prefix(time_left);
                bar.set_message(figures);
                bar.set_position(step as u64);
            }
            None => say(format!("step {step:>5}/{}  {figures}  {time_left}", self.steps)),
        }
    }

    /// Prints text above the bar.
    pub fn print(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| say(text)),
            None => say(text),
        }
    }

    /// Lets go of the bar: it stays where it is, or goes to its end if all is done.
    pub fn finish(&self, end: End) {
        if let Some(bar) = &self.bar {
            match end {
                End::Done => bar.finish(),
                End::Stopped => bar.abandon(),
            }
            say("");
        }
    }

    fn time_left(&self, step: usize) -> String {
        let done = step.saturating_sub(self.from).max(1);
        let left = self.begun.elapsed().mul_f64((self.steps - step) as f64 / done as f64);
        if step == self.steps {
            format!("took {}", clock(self.begun.elapsed()))
        } else {
            format!("{} left", clock(left))
        }
    }
}

fn figures(line: &Measurement, val_loss: Option<f64>) -> String {
    let part =
        |name: &str, loss: Option<f64>| loss.map_or(String::new(), |loss| format!("  {name} {loss:.4}"));
    let (validation, floor) = (part("validation", val_loss), part("floor", line.floor));
    format!("loss {:.4}{validation}{floor}  {} tokens/s", line.train_loss, thousands(line.tokens_per_second))
}

/// 12345.6 → `12 346`
pub fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap_or("")).collect();
    groups.join(" ")
}

/// Minutes and seconds.
pub fn clock(time: Duration) -> String {
    let seconds = time.as_secs_f64().round() as u64;
    match seconds / 60 {
        0 => format!("{seconds} s"),
        minutes if minutes < 60 => format!("{minutes} min {:02} s", seconds % 60),
        minutes => format!("{} h {:02} min", minutes / 60, minutes % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_of_a_run_that_was_stopped_stays_where_it_was() {
        for (end, at) in [(End::Stopped, 30), (End::Done, 100)] {
            let bar = ProgressBar::hidden().with_position(30);
            bar.set_length(100);
            let screen = Screen { bar: Some(bar), ..Screen::new(100, 0) };
            screen.finish(end);
            assert_eq!(screen.bar.as_ref().map(ProgressBar::position), Some(at));
        }
    }

    #[test]
    fn large_numbers_are_grouped_by_thousands() {
        assert_eq!([0.4, 999.0, 1000.0, 1234567.0].map(thousands), ["0", "999", "1 000", "1 234 567"]);
    }

    #[test]
    fn a_time_is_told_in_two_units() {
        let told = [4, 59, 60, 125, 7265].map(|seconds| clock(Duration::from_secs(seconds)));
        assert_eq!(told, ["4 s", "59 s", "1 min 00 s", "2 min 05 s", "2 h 01 min"]);
    }
}
