//! `check`: is this model, at these weights, what it claims to be, and is its gradient right?
//!
//! ```text
//! values      each step of the textbook's path is what the formulas say       [`reference`]
//! rules       each op's vjp is the derivative of its own forward rule         [`nodes`]
//! gradient    of every parameter, three ways; the Hessian is symmetric        [`parameters`]
//! causality   no token sees a later one, to the last bit                      [`causality`]
//! claims      fused = textbook, writer = reader, targets, dropout, norms      [`claims`]
//! ```
//!
//! The first three answer different questions. A gradient check cannot see a wrong function whose gradient is right, a
//! comparison of values cannot see a wrong vjp, and a wrong gradient of a parameter does not say which op made it. That
//! each of them finds what it is there for is shown by bugs that are planted on purpose: [`plant`](mod@plant).

pub mod causality;
pub mod claims;
pub mod nodes;
pub mod parameters;
pub mod plant;
pub mod reference;
pub mod subject;
mod wrong;

pub use plant::{MUSEUM, Plant, plant, plant_in};
pub use subject::{Path, Subject};

use autograd::{Dual, Tape};
use causality::Causality;
use claims::Claim;
use nodes::{NodeReport, check_nodes, missing};
use parameters::{Hessian, Parameter};
use serde::Serialize;

/// Everything that was checked.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Whether all of it holds.
    pub ok: bool,
    /// The bug that was planted, if one was.
    pub planted: Option<&'static str>,
    /// The loss of the batch, in nats per token.
    pub loss: f64,
    /// The windows of the batch and their length.
    pub tokens: [usize; 2],
    /// The op that is wrong first, if one is.
    pub first_broken: Option<Broken>,
    /// Each step of the textbook's path, held against the formulas.
    pub values: Claim,
    /// Each op's vjp, by itself.
    pub rules: Claim,
    /// Each parameter's gradient.
    pub parameters: Vec<Parameter>,
    /// The Hessian, on both paths.
    pub second_order: Vec<Hessian>,
    /// That no token sees a later one.
    pub causality: Causality,
    /// That the fused ops compute what the textbook's compute.
    pub fused: Claim,
    /// That the writer, which keeps keys and values, computes what training computes.
    pub decoder: Claim,
    /// That the targets are the inputs moved by one.
    pub targets: Claim,
    /// That attention's weights are probabilities.
    pub attention: Claim,
    /// That a norm's output has the mean and the variance that it is there for.
    pub norms: Claim,
    /// That dropout keeps the expectation, and that the fused ops with it have the textbook's gradients.
    pub dropout: Claim,
}

/// The op that is wrong first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Broken {
    /// On which path it was found.
    pub path: Path,
    /// Its scope.
    pub scope: String,
    /// Its name.
    pub op: String,
    /// Its number on that path's tape; null if it is missing there.
    pub node: Option<usize>,
    /// The line of code that applied it.
    pub line: String,
    /// What is wrong with it.
    pub what: String,
}

/// Every op on the tapes of a subject, checked by itself.
pub struct Tapes {
    /// What the formulas say of the textbook's path.
    pub expected: Vec<reference::Expected>,
    /// The textbook's path, and every op of it.
    pub textbook: (Tape<f64>, Vec<NodeReport>),
    /// The fused one.
    pub fused: (Tape<f64>, Vec<NodeReport>),
    /// The dropouts of the path with dropout.
    pub dropout: (Tape<f64>, Vec<NodeReport>),
}

impl Tapes {
    /// Records and checks the three paths.
    pub fn of(subject: &Subject) -> Self {
        let expected = subject.reference();
        let path = |path, expected: &[reference::Expected], which: fn(&str) -> bool| {
            let (tape, duals) = (Tape::new(), Tape::<Dual<f64>>::new());
            subject.record(&tape, path);
            subject.record(&duals, path);
            let nodes = check_nodes(&tape, &duals, expected, which);
            (tape, nodes)
        };
        Tapes {
            textbook: path(Path::Textbook, &expected, |_| true),
            fused: path(Path::Fused, &[], |_| true),
            dropout: path(Path::Dropout, &[], |op| op == "dropout"),
            expected,
        }
    }

    /// The op that is wrong first, on the first path that has one.
    pub fn first_broken(&self) -> Option<Broken> {
        left_out(&self.textbook.0, &self.textbook.1, &self.expected)
            .or_else(|| first(Path::Textbook, &self.textbook.1))
            .or_else(|| first(Path::Fused, &self.fused.1))
            .or_else(|| first(Path::Dropout, &self.dropout.1))
    }
}

/// Checks everything, with about `derivatives` derivatives of each parameter, on `threads` threads.
pub fn run(subject: &Subject, derivatives: usize, threads: usize) -> Report {
    let tapes = Tapes::of(subject);
    let (on_textbook, on_fused) = (Tape::new(), Tape::new());
    let on_textbook = subject.record(&on_textbook, Path::Textbook);
    let on_fused = subject.record(&on_fused, Path::Fused);
    let (by_textbook, by_fused) = (Tape::new(), Tape::new());
    let by_textbook = subject.record(&by_textbook, Path::Dropout);
    let by_fused = subject.record_fused_with_dropout(&by_fused);
    let fused = claims::fused(&on_textbook, &on_fused);
    let (textbook, textbook_nodes) = &tapes.textbook;
    let mut report = Report {
        ok: false,
        planted: subject.plant.map(|plant| plant.name),
        loss: on_fused.loss.value().item(),
        tokens: subject.batch.shape(),
        values: claims::values(textbook, textbook_nodes, &tapes.expected),
        rules: claims::rules(&[textbook_nodes, &tapes.fused.1]),
        parameters: parameters::parameters(subject, derivatives, threads),
        second_order: Path::BOTH.map(|path| parameters::hessian(subject, path)).to_vec(),
        causality: causality::causality(subject),
        dropout: claims::dropout(&tapes.dropout.1, fused.ok.then(|| claims::fused(&by_textbook, &by_fused))),
        fused,
        decoder: claims::decoder(subject, &on_fused),
        targets: claims::targets(&subject.batch),
        attention: claims::attention(textbook),
        norms: claims::norms(textbook, &subject.model.config),
        first_broken: tapes.first_broken(),
    };
    report.ok = report.first_broken.is_none()
        && report.claims().iter().all(|(_, claim)| claim.ok)
        && report.parameters.iter().all(|parameter| parameter.ok)
        && report.second_order.iter().all(|hessian| hessian.ok)
        && report.causality.ok;
    report
}

impl Report {
    /// The claims that are told in a sentence each, by name.
    pub fn claims(&self) -> [(&'static str, &Claim); 8] {
        [
            ("values", &self.values),
            ("rules", &self.rules),
            ("fused", &self.fused),
            ("decoder", &self.decoder),
            ("targets", &self.targets),
            ("attention", &self.attention),
            ("norms", &self.norms),
            ("dropout", &self.dropout),
        ]
    }
}

/// The first op of a path that has a fault.
fn first(path: Path, nodes: &[NodeReport]) -> Option<Broken> {
    nodes.iter().find_map(|report| {
        Some(Broken {
            path,
            scope: report.scope.clone(),
            op: report.op.to_owned(),
            node: Some(report.node),
            line: report.line.clone(),
            what: report.fault()?,
        })
    })
}

/// A step that the formulas have and the tape has not, if no op before it is wrong.
fn left_out(tape: &Tape<f64>, nodes: &[NodeReport], expected: &[reference::Expected]) -> Option<Broken> {
    let (step, before) = missing(tape, expected)?;
    if nodes.iter().any(|report| report.node <= before && report.fault().is_some()) {
        return None;
    }
    let line = nodes.iter().find(|report| report.node == before).map_or(String::new(), |it| it.line.clone());
    Some(Broken {
        path: Path::Textbook,
        scope: step.scope.clone(),
        op: step.op.to_owned(),
        node: None,
        line,
        what: "it is missing: after the op of this line the formula applies it, and the tape does not"
            .to_owned(),
    })
}

#[cfg(test)]
mod tests;
