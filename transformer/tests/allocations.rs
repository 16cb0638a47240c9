//! From the second training step on nothing of tensor size is asked of the allocator: every buffer of a step goes back
//! to the pool, and the next step takes it from there. (The file has one test, since the count is of the whole process.)

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use transformer::bench::{BenchConfig, Step};
use transformer::model::ModelConfig;

/// The bytes from which on an allocation counts. The smallest activation of the model below takes 64 KiB; the tape's
/// own list of nodes, some 200 bytes a node, stays below.
const TENSOR_SIZE: usize = 48 * 1024;

struct Counting;

static LARGE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() >= TENSOR_SIZE {
            LARGE.fetch_add(1, Relaxed);
        }
        // SAFETY: the caller's promise, handed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, handed on.
        unsafe { System.dealloc(pointer, layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if new_size >= TENSOR_SIZE {
            LARGE.fetch_add(1, Relaxed);
        }
        // SAFETY: the caller's promise, handed on.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn from_the_second_step_on_nothing_of_tensor_size_is_allocated() {
    let model = ModelConfig {
        n_layer: 3,
        n_head: 4,
        n_embd: 64,
        block_size: 64,
        vocab_size: 65,
        ..ModelConfig::default()
    };
    // Each thread of the kernels keeps scratch memory of its own, which it asks for when it first works: with several
    // threads that may be in a later step. One thread shows what a step itself asks for.
    autograd::kernels::threads::set_threads(1);
    let mut step = Step::new(&BenchConfig { name: "small".to_owned(), model, batch_size: 4 });
    LARGE.store(0, Relaxed);
    step.run();
    let first = LARGE.swap(0, Relaxed);
    assert!(
        first > 20,
        "the first step fills the pool, which shows that large allocations are counted: {first}"
    );
    for number in 2..6 {
        step.run();
        assert_eq!(LARGE.swap(0, Relaxed), 0, "step {number} asked the allocator for tensors");
    }
}
