//! One module a command: its flags, and what it does.

pub mod batch;
pub mod bench;
pub mod check;
pub mod eval;
pub mod export;
pub mod import;
pub(crate) mod out;
pub mod plan;
pub mod prepare;
pub mod report;
pub mod sample;
pub mod scale;
mod screen;
mod text;
pub mod trace;
pub mod train;
pub mod yet;

pub(crate) use screen::thousands;

use autograd::kernels::threads::set_threads;

/// How this program is called, for the commands that it suggests: by cargo, where cargo has built it.
fn program() -> &'static str {
    let built_here =
        std::env::current_exe().is_ok_and(|path| path.components().any(|part| part.as_os_str() == "target"));
    if built_here { "cargo run --release --" } else { "transformer" }
}

/// The physical cores, as far as this process may use them: a container or a queue may allow fewer.
fn cores() -> usize {
    num_cpus::get_physical().min(std::thread::available_parallelism().map_or(usize::MAX, usize::from)).max(1)
}

/// Lets the kernels run on as many threads as asked, or on one a core.
fn use_threads(asked: Option<usize>) -> usize {
    let n = asked.unwrap_or_else(cores).max(1);
    set_threads(n);
    n
}
