//! Reverse-mode automatic differentiation on tensors, from scratch, on a tape.
