//! What a gradient check found, entry by entry, with a verdict in words.

use std::fmt;

/// One derivative, computed three ways.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The input's name.
    pub name: String,
    /// The entry's index, one coordinate an axis; `None` for a random direction.
    pub index: Option<Vec<usize>>,
    /// By the walk back.
    pub reverse: f64,
    /// By dual numbers.
    pub forward: f64,
    /// By difference quotients.
    pub difference: f64,
    /// What to make of the three.
    pub verdict: Verdict,
}

/// What to make of the three values of a derivative.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    /// All three agree.
    Agree,
    /// Reverse and forward agree; the function is too rough here for differences to tell.
    DifferenceTooNoisy,
    /// Reverse and forward agree on a slope between those of the two sides of a kink.
    Kink {
        /// The slope to the left.
        left: f64,
        /// The slope to the right.
        right: f64,
    },
    /// The vjp is wrong, or the forward rule is not what it is the vjp of.
    ReverseDiffersFromForward,
    /// Reverse and forward agree, and both are wrong: a derivative that they share is.
    DifferenceDiffers,
    /// There is a kink, and the slope is not between those of its two sides.
    OutsideKink {
        /// The slope to the left.
        left: f64,
        /// The slope to the right.
        right: f64,
    },
}

impl Verdict {
    /// Whether the gradient passes.
    pub fn ok(&self) -> bool {
        matches!(self, Verdict::Agree | Verdict::DifferenceTooNoisy | Verdict::Kink { .. })
    }
}

impl Entry {
    /// The distance of reverse from forward or of forward from difference, the larger one; relative to the largest value.
    pub fn relative_error(&self) -> f64 {
        let (r, f, d) = (self.reverse, self.forward, self.difference);
        let scale = r.abs().max(f.abs()).max(d.abs());
        if scale == 0.0 { 0.0 } else { (r - f).abs().max((f - d).abs()) / scale }
    }

    /// |reverse − forward|/larger of the two: the sharp comparison.
    pub fn reverse_forward_error(&self) -> f64 {
        let scale = self.reverse.abs().max(self.forward.abs());
        if scale == 0.0 { 0.0 } else { (self.reverse - self.forward).abs() / scale }
    }
}

/// What a gradient check found.
#[derive(Clone, Debug)]
pub struct Report {
    /// Every derivative that was checked.
    pub entries: Vec<Entry>,
}

impl Report {
    /// Whether every entry passes.
    pub fn ok(&self) -> bool {
        self.entries.iter().all(|entry| entry.verdict.ok())
    }

    /// The entries that do not pass.
    pub fn failures(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| !entry.verdict.ok())
    }

    /// Ends a test.
    ///
    /// # Panics
    /// If an entry does not pass, with the report.
    #[track_caller]
    pub fn assert_ok(&self) {
        assert!(self.ok(), "{self}");
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Agree => write!(f, "all three agree"),
            Verdict::DifferenceTooNoisy => {
                write!(f, "reverse and forward agree; too rough here for differences")
            }
            Verdict::Kink { left, right } => {
                write!(f, "at a kink: reverse and forward agree on a slope between {left:.6} and {right:.6}")
            }
            Verdict::ReverseDiffersFromForward => write!(f, "WRONG: the vjp does not match the forward rule"),
            Verdict::DifferenceDiffers => write!(f, "WRONG: reverse and forward share a wrong derivative"),
            Verdict::OutsideKink { left, right } => {
                write!(
                    f,
                    "WRONG: at a kink, but not between the slopes {left:.6} and {right:.6} of its sides"
                )
            }
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.index.as_ref().map_or("a random direction".into(), |index| format!("{index:?}"));
        write!(f, "{:<20} {place:<18} ", self.name)?;
        write!(
            f,
            "reverse {:>+.12e}  forward {:>+.12e}  difference {:>+.12e}  ",
            self.reverse, self.forward, self.difference
        )?;
        write!(f, "{}", self.verdict)
    }
}

/// One line for each failure, or one for the worst entry of each input if there is none.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failures = self.failures().count();
        writeln!(f, "{} derivatives checked, {failures} wrong", self.entries.len())?;
        for failure in self.failures() {
            writeln!(f, "  {failure}")?;
        }
        if failures == 0 {
            let mut names: Vec<&str> = self.entries.iter().map(|entry| entry.name.as_str()).collect();
            names.dedup();
            for name in names {
                let of_input = self.entries.iter().filter(|entry| entry.name == name);
                if let Some(worst) = of_input.max_by(|a, b| a.relative_error().total_cmp(&b.relative_error()))
                {
                    writeln!(f, "  {worst}")?;
                }
            }
        }
        Ok(())
    }
}
