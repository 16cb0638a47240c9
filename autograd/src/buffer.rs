//! `Buffer`: the storage of one tensor, on loan from a pool.
//!
//! A training step asks for the same sizes of memory as the step before it. A dropped buffer therefore goes
//! to the pool of the thread that drops it, and its next buffer of that size comes from there: from the second step on,
//! nothing of tensor size is asked of the allocator, and no page of memory is touched for the first time. (A thread that
//! gives buffers away step after step has to be given as many.)

use crate::Float;
use std::ops::{Deref, DerefMut};

/// Cache lines and AVX-512 registers are 64 bytes: a buffer starts on such a boundary.
const ALIGNMENT: usize = 64;

/// `len` numbers in one piece of memory, aligned to 64 bytes.
pub struct Buffer<T: Float> {
    block: Block<T>,
    len: usize,
}

/// What the pool keeps: memory with room for `size(class)` numbers from the aligned `start` on.
struct Block<T> {
    storage: Vec<T>,
    start: usize,
    class: usize,
}

impl<T: Float> Buffer<T> {
    /// Memory for `len` numbers that holds whatever was there before: the caller overwrites all of it.
    /// Builds with debug assertions fill it with NaN, so that a forgotten number shows.
    pub fn scratch(len: usize) -> Self {
        let mut buffer = Buffer { block: Block::take(class_of(len)), len };
        if cfg!(debug_assertions) {
            buffer.fill(T::from_f64(f64::NAN));
        }
        buffer
    }

    /// `len` copies of `value`.
    pub fn filled(len: usize, value: T) -> Self {
        let mut buffer = Buffer { block: Block::take(class_of(len)), len };
        buffer.fill(value);
        buffer
    }
}

impl<T: Float> Clone for Buffer<T> {
    fn clone(&self) -> Self {
        let mut copy = Buffer::scratch(self.len);
        copy.copy_from_slice(self);
        copy
    }
}

impl<T: Float> Block<T> {
    #[inline]
    fn take(class: usize) -> Self {
        T::with_pool(|pool| pool.take(class)).flatten().unwrap_or_else(|| Block::allocate(class))
    }

    fn allocate(class: usize) -> Self {
        let padding = ALIGNMENT / size_of::<T>();
        let storage = vec![T::ZERO; size(class) + padding];
        let start = storage.as_ptr().align_offset(ALIGNMENT).min(padding);
        Block { storage, start, class }
    }
}

impl<T: Float> Deref for Buffer<T> {
    type Target = [T];
    #[inline]
    fn deref(&self) -> &[T] {
        &self.block.storage[self.block.start..self.block.start + self.len]
    }
}

impl<T: Float> DerefMut for Buffer<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.block.storage[self.block.start..self.block.start + self.len]
    }
}

impl<T: Float> Drop for Buffer<T> {
    fn drop(&mut self) {
        let Block { storage, start, class } = &mut self.block;
        let block = Block { storage: std::mem::take(storage), start: *start, class: *class };
        T::with_pool(|pool| pool.put(block));
    }
}

/// Blocks that nobody uses at the moment, by size class.
pub struct Pool<T> {
    free: Vec<Vec<Block<T>>>,
}

impl<T> Pool<T> {
    /// A pool that holds nothing.
    pub const fn new() -> Self {
        Pool { free: Vec::new() }
    }

    #[inline]
    fn take(&mut self, class: usize) -> Option<Block<T>> {
        self.free.get_mut(class)?.pop()
    }

    #[inline]
    fn put(&mut self, block: Block<T>) {
        if self.free.len() <= block.class {
            self.free.resize_with(block.class + 1, Vec::new);
        }
        self.free[block.class].push(block);
    }

    /// Gives all free memory back to the allocator.
    pub fn clear(&mut self) {
        self.free.clear();
    }
}

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Pool::new()
    }
}

/// Sizes between two powers of two fall into this many classes, so that at most an eighth is left unused.
const STEPS: usize = 8;
const STEP_BITS: u32 = STEPS.trailing_zeros();

/// The class of the smallest block that holds `len` numbers: sizes 0, 1, … 8, 9, … 16, 18, 20, … 32, 36, …
fn class_of(len: usize) -> usize {
    if len <= STEPS {
        return len;
    }
    let exponent = (len - 1).ilog2() - STEP_BITS; // numbers a step holds, as a power of two
    let steps = ((len - 1) >> exponent) + 1; // 9 ..= 16 steps of that many numbers
    exponent as usize * STEPS + steps
}

/// How many numbers a block of this class holds.
fn size(class: usize) -> usize {
    if class <= STEPS {
        return class;
    }
    let exponent = (class - 1) / STEPS - 1;
    (class - exponent * STEPS) << exponent
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_size_class_holds_what_is_asked_and_wastes_at_most_an_eighth(len in 0usize..100_000_000) {
            let size = size(class_of(len));
            prop_assert!(size >= len && size - len <= len / 8, "{len} numbers got a block of {size}");
        }
    }

    #[test]
    fn every_class_is_the_class_of_its_own_size() {
        for class in 0..150 {
            assert_eq!(class_of(size(class)), class);
        }
    }

    #[test]
    fn a_dropped_buffer_is_the_next_one_of_its_size() {
        let first = Buffer::<f32>::filled(1000, 1.0);
        let address = first.as_ptr();
        drop(first);
        assert_eq!(Buffer::<f32>::scratch(990).as_ptr(), address);
    }

    #[test]
    fn a_buffer_starts_at_a_multiple_of_64_bytes() {
        for len in [1, 3, 17, 1000] {
            assert_eq!(Buffer::<f32>::scratch(len).as_ptr() as usize % 64, 0);
            assert_eq!(Buffer::<f64>::scratch(len).as_ptr() as usize % 64, 0);
        }
    }
}
