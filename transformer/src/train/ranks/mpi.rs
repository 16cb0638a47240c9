//! Ranks that `mpirun` has started, and that talk by MPI.

use super::Ranks;
use crate::error::{Error, Result};
use mpi::Threading;
use mpi::collective::SystemOperation;
use mpi::datatype::{Buffer, BufferMut};
use mpi::environment::Universe;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator, CommunicatorCollectives};

/// Numbers that are summed in one message.
const PIECE: usize = 1 << 20;

/// A process of an MPI job; when it is dropped, MPI is finalised.
pub(super) struct Mpi {
    world: SimpleCommunicator,
    on_this_machine: usize,
    _universe: Universe,
}

impl Mpi {
    /// Joins the job. The kernels' threads never call MPI.
    ///
    /// # Errors
    /// If the process has joined before.
    pub(super) fn start() -> Result<Self> {
        let (universe, _) = mpi::initialize_with_threading(Threading::Funneled)
            .ok_or_else(|| Error::new("MPI has been initialised already: one run a process"))?;
        let world = universe.world();
        let on_this_machine = world.split_shared(0).size() as usize;
        Ok(Mpi { world, on_this_machine, _universe: universe })
    }

    fn all_reduce<T: Copy + Default>(&self, numbers: &mut [T])
    where
        [T]: Buffer + BufferMut,
    {
        let mut sums = vec![T::default(); numbers.len().min(PIECE)];
        for piece in numbers.chunks_mut(PIECE) {
            let sums = &mut sums[..piece.len()];
            self.world.all_reduce_into(&*piece, sums, SystemOperation::sum());
            piece.copy_from_slice(sums);
        }
    }
}

impl Ranks for Mpi {
    fn rank(&self) -> usize {
        self.world.rank() as usize
    }
    fn size(&self) -> usize {
        self.world.size() as usize
    }
    fn on_this_machine(&self) -> usize {
        self.on_this_machine
    }
    fn sum(&self, numbers: &mut [f32]) {
        self.all_reduce(numbers);
    }
    fn sum_f64(&self, numbers: &mut [f64]) {
        self.all_reduce(numbers);
    }
}

impl Drop for Mpi {
    /// A rank that panics takes the others with it: they would wait for it for ever.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.world.abort(101);
        }
    }
}
