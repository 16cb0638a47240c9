//! The same work on each of many tensors, shared out to the threads.

use autograd::kernels::threads::for_each_chunk;

/// Up to this many numbers a tensor is not worth a meeting of the threads of its own (some 20 µs of AdamW).
const SMALL: usize = 1 << 16;

/// Calls `work(i, item i)` for each item, which holds a tensor of `numel(item)` numbers. If all are small, each thread
/// takes whole tensors; otherwise each kernel that `work` calls is shared out by itself. The bits are the same.
pub(super) fn for_each_tensor<I: Send>(
    items: &mut [I],
    numel: impl Fn(&I) -> usize,
    work: impl Fn(usize, &mut I) + Sync,
) {
    match items.iter().all(|item| numel(item) <= SMALL) {
        true => for_each_chunk(items, 1, |i, item| work(i, &mut item[0])),
        false => items.iter_mut().enumerate().for_each(|(i, item)| work(i, item)),
    }
}
