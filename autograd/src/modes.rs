//! What holds for a while: whether gradients are wanted, and in which precision products are computed.

use crate::{Float, Tape};
use std::cell::Cell;

impl<T: Float> Tape<T> {
    /// Runs `f` with gradients off: what it puts on the tape, leaves too, is a constant to every later `backward`.
    pub fn no_grad<R>(&self, f: impl FnOnce() -> R) -> R {
        let _before = Mode::set(&self.gradients_on, false);
        f()
    }

    /// Runs `f`, in which the matrix products of `linear`, `matmul` and attention round their operands to bfloat16, if `yes`;
    /// the walk back through them does as well. Sums, values and gradients keep T's precision (see
    /// [`kernels::bf16`](crate::kernels::bf16)).
    pub fn with_bf16<R>(&self, yes: bool, f: impl FnOnce() -> R) -> R {
        let _before = Mode::set(&self.bf16, yes);
        f()
    }

    /// Whether products that are put on the tape now round their operands to bfloat16.
    pub fn is_bf16(&self) -> bool {
        self.bf16.get()
    }
}

/// A mode that is back to what it was when this is dropped, after a panic too.
pub(crate) struct Mode<'t> {
    mode: &'t Cell<bool>,
    before: bool,
}

impl<'t> Mode<'t> {
    pub(crate) fn set(mode: &'t Cell<bool>, on: bool) -> Self {
        Mode { mode, before: mode.replace(on) }
    }
}

impl Drop for Mode<'_> {
    fn drop(&mut self) {
        self.mode.set(self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tensor;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    #[test]
    fn a_mode_ends_with_its_scope_also_if_a_panic_ends_it() {
        let tape = Tape::<f32>::new();
        let failed = catch_unwind(AssertUnwindSafe(|| {
            tape.no_grad(|| tape.with_bf16(true, || panic!("in the midst")))
        }));
        assert!(failed.is_err());
        assert!(!tape.is_bf16());
        let x = tape.leaf(Tensor::ones([2]));
        assert_eq!(x.sum_all().backward().of(x).data(), [1.0, 1.0], "a leaf is no constant again");
    }
}
