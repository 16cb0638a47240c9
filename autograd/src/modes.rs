//! What holds for a while: whether gradients are wanted, and in which precision products are computed.

use crate::{Float, Tape};

impl<T: Float> Tape<T> {
    /// Runs `f` with gradients off: what it puts on the tape, leaves too, is a constant to every later `backward`.
    pub fn no_grad<R>(&self, f: impl FnOnce() -> R) -> R {
        let before = self.set_gradients_on(false);
        let result = f();
        self.set_gradients_on(before);
        result
    }

    /// Says whether the walk back goes through what is computed from now on, and returns whether it did.
    pub(crate) fn set_gradients_on(&self, gradients_on: bool) -> bool {
        self.gradients_on.replace(gradients_on)
    }

    /// Runs `f`, in which the matrix products of `linear`, `matmul` and attention round their operands to bfloat16, if `yes`;
    /// the walk back through them does as well. Sums, values and gradients keep T's precision (see
    /// [`kernels::bf16`](crate::kernels::bf16)).
    pub fn with_bf16<R>(&self, yes: bool, f: impl FnOnce() -> R) -> R {
        let before = self.bf16.replace(yes);
        let result = f();
        self.bf16.set(before);
        result
    }

    /// Whether products that are put on the tape now round their operands to bfloat16.
    pub fn is_bf16(&self) -> bool {
        self.bf16.get()
    }
}
