//! Threads: one job, cut into numbered pieces, on a team that waits for work by spinning for a moment.
//!
//! *Bits do not depend on the number of threads.* A piece writes what no other piece writes, and how a number is
//! computed is fixed by its place, not by the thread that happens to compute it. Whoever sums over pieces stores
//! one partial result a piece and adds them up in order.
//!
//! Between two ops of a training step pass a few microseconds, less than it takes to wake a thread. So a worker
//! spins before it sleeps, and the caller never waits for one that sleeps: it works through the pieces itself, and
//! at the end waits only for those workers that have entered the job.

#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, OnceLock, TryLockError};
use std::thread;

/// How often a worker looks for a new job before it sleeps (some 50 µs).
const SPINS: usize = if cfg!(miri) { 20 } else { 2_000 };

static THREADS: AtomicUsize = AtomicUsize::new(0);
static TEAM: OnceLock<Mutex<Team>> = OnceLock::new();

thread_local! {
    /// Set while this thread works on a piece: a job started there runs on this thread alone.
    static AT_WORK: Cell<bool> = const { Cell::new(false) };
}

/// Lets kernels run on `n` threads (at least 1); more than the machine has cores is allowed.
pub fn set_threads(n: usize) {
    THREADS.store(n.max(1), SeqCst);
}

/// The number of threads that kernels run on: the processor's, unless [`set_threads`] has said otherwise.
pub fn threads() -> usize {
    match THREADS.load(SeqCst) {
        0 => {
            let n = thread::available_parallelism().map_or(1, |n| n.get());
            THREADS.store(n, SeqCst);
            n
        }
        n => n,
    }
}

/// How many threads a job that is started here would run on: inside a piece of another one it is this thread alone.
pub(crate) fn threads_here() -> usize {
    if AT_WORK.get() { 1 } else { threads() }
}

/// Calls `work(0)`, …, `work(pieces − 1)`, on all threads, in no particular order.
///
/// # Panics
/// If a piece panics. The call ends only when no piece is at work any more; some may never have begun.
pub fn for_each_piece(pieces: usize, work: impl Fn(usize) + Sync) {
    if pieces <= 1 || threads_here() == 1 {
        return (0..pieces).for_each(work);
    }
    share_out(pieces, &work);
}

/// Has the team do the work, if it is free.
fn share_out(pieces: usize, work: &(dyn Fn(usize) + Sync)) {
    let threads = threads();
    let mut team = match TEAM.get_or_init(|| Mutex::new(Team::of(0))).try_lock() {
        Ok(team) => team,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        // Another thread of the program is using the team: this one does its work itself.
        Err(TryLockError::WouldBlock) => return (0..pieces).for_each(work),
    };
    if team.workers != threads - 1 {
        *team = Team::of(threads - 1);
    }
    team.run(pieces, work);
}

/// Cuts `out` into chunks of `chunk_len` (the last may be shorter) and calls `work(index, chunk)` for each.
/// A slice of one chunk stays on this thread: choose the length so that a chunk is worth a thread's while.
pub fn for_each_chunk<T: Send>(out: &mut [T], chunk_len: usize, work: impl Fn(usize, &mut [T]) + Sync) {
    let (len, chunk_len) = (out.len(), chunk_len.max(1));
    let out = Shared(out.as_mut_ptr());
    for_each_piece(len.div_ceil(chunk_len), |index| {
        let start = index * chunk_len;
        // SAFETY: the chunk lies inside `out`, which is borrowed for the whole call; chunks of different indices do
        // not overlap, and each index is handed out once.
        let chunk =
            unsafe { std::slice::from_raw_parts_mut(out.get().add(start), chunk_len.min(len - start)) };
        work(index, chunk);
    });
}

/// [`for_each_chunk`] of two slices in step; what has fewer chunks sets their number.
pub fn for_each_pair_of_chunks<T: Send, U: Send>(
    out: &mut [T],
    chunk_len: usize,
    beside: &mut [U],
    beside_len: usize,
    work: impl Fn(usize, &mut [T], &mut [U]) + Sync,
) {
    let (chunk_len, beside_len) = (chunk_len.max(1), beside_len.max(1));
    let (len, len_beside) = (out.len(), beside.len());
    let (out, beside) = (Shared(out.as_mut_ptr()), Shared(beside.as_mut_ptr()));
    for_each_piece(len.div_ceil(chunk_len).min(len_beside.div_ceil(beside_len)), |index| {
        let (start, start_beside) = (index * chunk_len, index * beside_len);
        // SAFETY: as in `for_each_chunk`, for either slice.
        let (chunk, beside) = unsafe {
            (
                std::slice::from_raw_parts_mut(out.get().add(start), chunk_len.min(len - start)),
                std::slice::from_raw_parts_mut(
                    beside.get().add(start_beside),
                    beside_len.min(len_beside - start_beside),
                ),
            )
        };
        work(index, chunk, beside);
    });
}

/// A pointer that pieces share; each promises to touch its own part only.
#[derive(Clone, Copy)]
pub(crate) struct Shared<T>(pub(crate) *mut T);
// SAFETY: it is only a number; what is read or written through it is proven where it is dereferenced.
unsafe impl<T: Send> Send for Shared<T> {}
unsafe impl<T: Send> Sync for Shared<T> {}
impl<T> Shared<T> {
    pub(crate) fn get(&self) -> *mut T {
        self.0
    }
}

/// A job as the workers see it.
#[derive(Clone, Copy)]
struct Job {
    work: *const (dyn Fn(usize) + Sync),
    pieces: usize,
}
// SAFETY: `work` is `Sync`, and is called only while the caller that owns it waits in `Team::run`.
unsafe impl Send for Job {}

/// `state` holds, from the lowest bit: whether the job is open; how many workers are in it (31 bits); its number.
const OPEN: u64 = 1;
const ONE_WORKER: u64 = 2;
const ONE_JOB: u64 = 1 << 32;

struct Board {
    state: AtomicU64,
    job: Mutex<Option<Job>>,
    next: AtomicUsize,
    panicked: AtomicBool,
    closing: AtomicBool,
    sleepers: AtomicUsize,
    bed: Mutex<()>,
    wake: Condvar,
}

struct Team {
    board: Arc<Board>,
    workers: usize,
}

impl Team {
    fn of(workers: usize) -> Team {
        let board = Arc::new(Board {
            state: AtomicU64::new(0),
            job: Mutex::new(None),
            next: AtomicUsize::new(0),
            panicked: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            sleepers: AtomicUsize::new(0),
            bed: Mutex::new(()),
            wake: Condvar::new(),
        });
        for _ in 0..workers {
            let board = Arc::clone(&board);
            let spawned = thread::Builder::new().name("kernels".into()).spawn(move || board.serve());
            if spawned.is_err() {
                break; // the system has no more: the work gets done all the same
            }
        }
        Team { board, workers }
    }

    fn run(&mut self, pieces: usize, work: &(dyn Fn(usize) + Sync)) {
        let board = &*self.board;
        // SAFETY: only the lifetime is forgotten. Workers call `work` only between entering and leaving the job, and
        // `Close` below, dropped at the end of this function on every path, waits until all have left.
        let work: *const (dyn Fn(usize) + Sync) = unsafe { std::mem::transmute(work) };
        *lock(&board.job) = Some(Job { work, pieces });
        board.panicked.store(false, SeqCst); // of a job that ended by a panic of this thread's own
        board.next.store(0, SeqCst);
        board.state.store((board.state.load(SeqCst) & !(ONE_JOB - 1)) + ONE_JOB + OPEN, SeqCst);
        if board.sleepers.load(SeqCst) > 0 {
            let _bed = lock(&board.bed);
            board.wake.notify_all();
        }
        let close = Close(board);
        board.take_pieces(Job { work, pieces });
        drop(close);
        if board.panicked.swap(false, SeqCst) {
            panic!("a piece of a kernel's work panicked on another thread");
        }
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.board.closing.store(true, SeqCst);
        let _bed = lock(&self.board.bed);
        self.board.wake.notify_all();
    }
}

/// Lets no more workers in, and waits for those inside.
struct Close<'a>(&'a Board);
impl Drop for Close<'_> {
    fn drop(&mut self) {
        self.0.state.fetch_and(!OPEN, SeqCst);
        let mut spins = 0;
        while self.0.state.load(SeqCst) & (ONE_JOB - 1) != 0 {
            spins += 1;
            if spins < SPINS { std::hint::spin_loop() } else { thread::yield_now() }
        }
    }
}

impl Board {
    fn take_pieces(&self, job: Job) {
        let was = AT_WORK.replace(true);
        let restore = Restore(was);
        // SAFETY: this thread is inside the job (see `Team::run`), so what `work` borrows is still alive.
        let work = unsafe { &*job.work };
        loop {
            let piece = self.next.fetch_add(1, SeqCst);
            if piece >= job.pieces {
                break;
            }
            work(piece);
        }
        drop(restore);
    }

    /// A worker's life.
    fn serve(&self) {
        let mut served = 0;
        while !self.closing.load(SeqCst) {
            let state = self.state.load(SeqCst);
            if state & OPEN == 0 || state / ONE_JOB == served {
                self.wait(served);
                continue;
            }
            if self.state.compare_exchange(state, state + ONE_WORKER, SeqCst, SeqCst).is_err() {
                continue;
            }
            served = state / ONE_JOB;
            if let Some(job) = *lock(&self.job)
                && catch_unwind(AssertUnwindSafe(|| self.take_pieces(job))).is_err()
            {
                self.panicked.store(true, SeqCst);
            }
            self.state.fetch_sub(ONE_WORKER, SeqCst);
        }
    }

    /// Returns when there may be a job to do.
    fn wait(&self, served: u64) {
        let news = || {
            let state = self.state.load(SeqCst);
            (state & OPEN != 0 && state / ONE_JOB != served) || self.closing.load(SeqCst)
        };
        for _ in 0..SPINS {
            if news() {
                return;
            }
            std::hint::spin_loop();
        }
        let mut bed = lock(&self.bed);
        self.sleepers.fetch_add(1, SeqCst);
        while !news() {
            bed = self.wake.wait(bed).unwrap_or_else(|poisoned| poisoned.into_inner());
        }
        self.sleepers.fetch_sub(1, SeqCst);
    }
}

struct Restore(bool);
impl Drop for Restore {
    fn drop(&mut self) {
        AT_WORK.set(self.0);
    }
}

/// What `f` computes on `n` threads. Tests that ask for a number of them take turns: it is one for the whole program.
#[cfg(test)]
pub(crate) fn on_threads<R>(n: usize, f: impl FnOnce() -> R) -> R {
    static TURN: Mutex<()> = Mutex::new(());
    struct Back(usize);
    impl Drop for Back {
        fn drop(&mut self) {
            set_threads(self.0);
        }
    }
    let _turn = lock(&TURN);
    let _back = Back(threads()); // after a failed test, too
    set_threads(n);
    f()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
