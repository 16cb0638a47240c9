//! What a training step asks of the allocator. From the second step on it is nothing of tensor size: every buffer of a
//! step goes back to the pool, and the next step takes it from there. (With several threads each has a pool, and its first
//! step may come later.) And it is never an n × n matrix of attention.

use autograd::{Float, Tensor};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use transformer::bench::{BenchConfig, Step};
use transformer::data::batches::Batch;
use transformer::model::{Gpt, ModelConfig, Pass};
use transformer::random::{Purpose, generator};
use transformer::train::config::Dtype;
use transformer::train::gradient::gradient;

/// The bytes from which on an allocation counts. The smallest activation of the model below takes 64 KiB; the tape's
/// own list of nodes, some 200 bytes a node, stays below.
const TENSOR_SIZE: usize = 48 * 1024;

struct Counting;

/// How many large ones there were, and how many bytes the largest had.
static LARGE: AtomicUsize = AtomicUsize::new(0);
static LARGEST: AtomicUsize = AtomicUsize::new(0);

/// The counts are of the whole process: one test at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn count(bytes: usize) {
    if bytes >= TENSOR_SIZE {
        LARGE.fetch_add(1, Relaxed);
        LARGEST.fetch_max(bytes, Relaxed);
    }
}

// SAFETY: every call is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promise, handed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, handed on.
        unsafe { System.dealloc(pointer, layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(new_size);
        // SAFETY: the caller's promise, handed on.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn from_the_second_step_on_nothing_of_tensor_size_is_allocated() {
    let _alone = ONE_AT_A_TIME.lock();
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
    for dtype in [Dtype::F32, Dtype::Bf16] {
        f32::with_pool(|pool| pool.clear());
        let (name, model) = ("small".to_owned(), model.clone());
        let mut step = Step::new(&BenchConfig { name, model, batch_size: 4, dtype });
        LARGE.store(0, Relaxed);
        step.run();
        let first = LARGE.swap(0, Relaxed);
        assert!(
            first > 20,
            "the first step fills the pool, which shows that large allocations are counted: {first}"
        );
        for number in 2..6 {
            step.run();
            assert_eq!(LARGE.swap(0, Relaxed), 0, "{dtype:?}: step {number} asked the allocator for tensors");
        }
    }
}

#[test]
fn two_threads_that_share_a_batch_give_each_other_back_what_they_take() {
    let _alone = ONE_AT_A_TIME.lock();
    let model = ModelConfig {
        n_layer: 2,
        n_head: 4,
        n_embd: 64,
        block_size: 64,
        vocab_size: 65,
        ..ModelConfig::default()
    };
    autograd::kernels::threads::set_threads(2);
    let mut step =
        Step::new(&BenchConfig { name: "shared".to_owned(), model, batch_size: 4, dtype: Dtype::F32 });
    let of_steps = |steps: usize| {
        LARGE.store(0, Relaxed);
        for _ in 0..steps {
            step.run();
        }
        LARGE.load(Relaxed)
    };
    let counts = [20, 40, 40].map(of_steps);
    // A thread may walk both shards in one step and fill its pool for that then, but not step after step: without the
    // exchange, 40 steps ask for the six large gradients of a shard 40 times.
    assert!(counts[2] < 20, "large allocations in 20 steps, in the next 40, and in 40 more: {counts:?}");
}

#[test]
fn no_allocation_of_a_step_is_as_large_as_one_head_s_matrix_of_attention() {
    let _alone = ONE_AT_A_TIME.lock();
    let n = 1024;
    let model = ModelConfig {
        n_layer: 1,
        n_head: 2,
        n_embd: 16,
        block_size: n,
        vocab_size: 16,
        ..ModelConfig::default()
    };
    let of_model = Gpt::<Tensor<f32>>::init(&model, 1);
    let tokens: Vec<usize> = (0..n).map(|i| i % 16).collect();
    let batch = Batch { x: tokens.clone(), y: tokens, rows: 1, length: n };
    let dropping = || {
        _ = gradient(&of_model, std::slice::from_ref(&batch), |_| {
            Pass::training(0.2, generator(0, Purpose::Dropout))
        })
    };
    let (name, batch_size, dtype) = ("long".to_owned(), 1, Dtype::F32);
    let mut step = Step::new(&BenchConfig { name, model, batch_size, dtype });
    let steps: [(&str, &mut dyn FnMut()); 2] =
        [("a step", &mut || _ = step.run()), ("a gradient with dropout", &mut || dropping())];
    for (what, step) in steps {
        f32::with_pool(|pool| pool.clear());
        LARGEST.store(0, Relaxed);
        step();
        let largest = LARGEST.load(Relaxed);
        // The MLP's hidden vectors, [n, 64]; the matrix [n, n] would take 16 times as much.
        let (hidden, matrix) = (n * 64 * size_of::<f32>(), n * n * size_of::<f32>());
        assert!(largest >= hidden, "{what}: {largest} bytes at most, where {hidden} were expected");
        assert!(largest < matrix / 4, "{what}: {largest} bytes at once, where an n × n matrix has {matrix}");
    }
}
