//! A range, a step at a time.

use std::ops::Range;

/// `range` in pieces of `step`; the last may be shorter.
///
/// (As [`step_by`](Iterator::step_by), which begins with a division, to count its steps: much of the work of a tiny product.)
#[inline(always)]
pub(super) fn in_steps(range: Range<usize>, step: usize) -> InSteps {
    InSteps { rest: range, step }
}

pub(super) struct InSteps {
    rest: Range<usize>,
    step: usize,
}

impl Iterator for InSteps {
    type Item = Range<usize>;

    #[inline(always)]
    fn next(&mut self) -> Option<Range<usize>> {
        let Range { start, end } = self.rest;
        self.rest.start = end.min(start + self.step);
        (start < end).then_some(start..self.rest.start)
    }
}
