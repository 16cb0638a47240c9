//! One module a command: its flags, and what it does.

pub mod bench;
pub mod eval;
pub mod sample;
mod screen;
mod text;
pub mod train;

use autograd::kernels::threads::set_threads;

/// Lets the kernels run on as many threads as asked, or on one a physical core.
fn use_threads(asked: Option<usize>) -> usize {
    let n = asked.unwrap_or_else(num_cpus::get_physical).max(1);
    set_threads(n);
    n
}
