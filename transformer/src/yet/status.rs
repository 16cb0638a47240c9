//! What the ledger says of an experiment: since when it works, or how far it has come.

use super::experiment::Experiment;
use super::ledger::{Ledger, Note, Outcome};

/// The outcomes of one experiment at one rung.
#[derive(Debug, Clone)]
pub struct Cell<'a> {
    /// The rung.
    pub rung: usize,
    /// One outcome a seed; of several with the same seed the last one.
    pub outcomes: Vec<&'a Outcome>,
    /// How many seeds the experiment asks for.
    pub seeds: usize,
}

/// All that is known of an experiment.
#[derive(Debug, Clone)]
pub struct Status<'a> {
    /// The experiment.
    pub experiment: &'a Experiment,
    /// What came out, from the lowest rung tried to the highest.
    pub cells: Vec<Cell<'a>>,
    /// What was learnt from outcomes that had not been expected; of a rung the last note.
    pub notes: Vec<&'a Note>,
}

impl Cell<'_> {
    /// Whether no seed is missing. One alone may have been lucky.
    pub fn is_whole(&self) -> bool {
        self.outcomes.len() >= self.seeds
    }

    /// A rung works if all of its seeds have been tried, and most of them do.
    pub fn works(&self) -> bool {
        self.is_whole()
            && 2 * self.outcomes.iter().filter(|outcome| outcome.works).count() > self.outcomes.len()
    }

    /// The outcome of the middle seed by its share of exact answers (of two middle ones the worse).
    pub fn middle(&self) -> &Outcome {
        let mut outcomes = self.outcomes.clone();
        outcomes.sort_by(|a, b| a.value.total_cmp(&b.value));
        outcomes[(outcomes.len() - 1) / 2]
    }

    /// Its share of exact answers.
    pub fn median(&self) -> f64 {
        self.middle().value
    }

    /// The number of parameters.
    pub fn parameters(&self) -> usize {
        self.outcomes[0].parameters
    }
}

impl<'a> Status<'a> {
    /// Reads from the ledger what it says of an experiment as it is asked now.
    pub fn of(experiment: &'a Experiment, ledger: &'a Ledger) -> Self {
        let mut cells: Vec<Cell> = Vec::new();
        for outcome in ledger.outcomes().filter(|outcome| outcome.answers(experiment)) {
            match cells.iter_mut().find(|cell| cell.rung == outcome.rung) {
                None => {
                    let seeds = experiment.seeds.len();
                    cells.push(Cell { rung: outcome.rung, outcomes: vec![outcome], seeds });
                }
                Some(cell) => {
                    cell.outcomes.retain(|earlier| earlier.seed != outcome.seed);
                    cell.outcomes.push(outcome);
                }
            }
        }
        cells.sort_by_key(|cell| cell.rung);
        let mut notes: Vec<&Note> = Vec::new();
        for note in ledger.notes().filter(|note| note.experiment == experiment.name) {
            notes.retain(|earlier| earlier.rung != note.rung);
            notes.push(note);
        }
        Status { experiment, cells, notes }
    }

    /// The smallest rung that works.
    pub fn works_since(&self) -> Option<&Cell<'a>> {
        self.cells.iter().find(|cell| cell.works())
    }

    /// The rung that came furthest.
    pub fn best(&self) -> Option<&Cell<'a>> {
        self.cells.iter().max_by(|a, b| a.median().total_cmp(&b.median()))
    }

    /// The largest rung that was tried.
    pub fn largest(&self) -> Option<usize> {
        self.cells.last().map(|cell| cell.rung)
    }

    /// The outcome at a rung, if it was tried.
    pub fn at(&self, rung: usize) -> Option<&Cell<'a>> {
        self.cells.iter().find(|cell| cell.rung == rung)
    }

    /// The rungs whose outcome is not what was expected.
    pub fn surprises(&self) -> Vec<usize> {
        let surprising =
            |cell: &&Cell| cell.is_whole() && cell.works() != self.experiment.expected_at(cell.rung);
        self.cells.iter().filter(surprising).map(|cell| cell.rung).collect()
    }

    /// The highest rung whose outcome had not been expected, if nobody has said yet what was learnt from it (or from one
    /// higher up).
    pub fn owes_a_line(&self) -> Option<usize> {
        let noted = self.notes.iter().map(|note| note.rung).max().unwrap_or(0);
        self.surprises().last().copied().filter(|&rung| rung > noted)
    }

    /// In a few words.
    pub fn verdict(&self) -> String {
        match (self.works_since(), self.largest()) {
            (Some(cell), _) => format!("works since rung {}", cell.rung),
            (None, Some(largest)) => format!("not yet, up to rung {largest}"),
            (None, None) => "not tried".to_owned(),
        }
    }
}
