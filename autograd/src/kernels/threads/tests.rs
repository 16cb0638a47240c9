//! Every piece once, on any number of threads, and after a panic too.

use super::*;

#[test]
fn every_piece_is_done_exactly_once() {
    let (sizes, rounds) = if cfg!(miri) { (5, 5) } else { (7, 50) };
    for pieces in [0, 1, 2, 3, 7, 64, 1000].into_iter().take(sizes) {
        for _ in 0..rounds {
            let done: Vec<AtomicUsize> = (0..pieces).map(|_| AtomicUsize::new(0)).collect();
            for_each_piece(pieces, |i| {
                done[i].fetch_add(1, SeqCst);
            });
            assert!(done.iter().all(|d| d.load(SeqCst) == 1), "{pieces} pieces: {done:?}");
        }
    }
}

#[test]
fn chunks_cover_the_slice_and_the_last_may_be_shorter() {
    let mut out = vec![0; 103];
    for_each_chunk(&mut out, 10, |index, chunk| chunk.fill(index * 100 + chunk.len()));
    assert_eq!(out[0], 10);
    assert_eq!(out[99], 910);
    assert_eq!(out[100..], [1003; 3]);
}

#[test]
fn a_piece_may_itself_ask_for_pieces() {
    let sum = AtomicUsize::new(0);
    for_each_piece(4, |i| {
        for_each_piece(4, |j| {
            sum.fetch_add(i * 4 + j, SeqCst);
        })
    });
    assert_eq!(sum.into_inner(), 120);
}

#[test]
fn a_panicking_piece_panics_the_caller_and_the_team_survives() {
    let failed = catch_unwind(|| for_each_piece(8, |i| assert!(i != 5, "piece five")));
    assert!(failed.is_err());
    every_piece_is_done_exactly_once();
}

#[test]
fn pieces_that_panic_on_several_threads_at_once_do_not_fail_the_next_job() {
    let mut team = Team::of(3);
    for _ in 0..if cfg!(miri) { 3 } else { 100 } {
        let failed = catch_unwind(AssertUnwindSafe(|| team.run(8, &|_| panic!("every piece"))));
        assert!(failed.is_err());
        team.run(8, &|_| ());
    }
}
