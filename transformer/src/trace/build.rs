//! From a recording to the trace.

use super::axes;
use super::blob::{Data, WHOLE, crossings, sample};
use super::checks::{Found, Verdict};
use super::record::{Recording, Subject};
use super::rules::rule;
use super::schema::{
    Checks, Contribution, Node, Place, Run, SCHEMA, Step, Token, Trace, Update, UpdateSource,
};
use super::sources::{self, Excerpts, from_root};
use crate::data::tokenizer::Tokenizer;
use crate::model::ModelConfig;
use crate::train::optimizer::decays;
use autograd::{Tape, Tensor};
use std::collections::BTreeMap;

/// How many entries of a parameter an update shows.
const UPDATED: usize = 256;
/// How many characters the numbers of a trace may take, so that a page of it stays below 3 MB.
const ROOM: usize = 2_300_000;
/// However large the model is, tensors with so many entries are whole.
const LEAST: usize = 64;

/// Puts together what was recorded and what was found; without checks, `found` is `None`. Tensors are sampled the more
/// sparsely the more of them there are.
pub fn build(subject: &Subject, recording: &Recording, found: Option<&Found>, command: &str) -> Trace {
    let mut whole = WHOLE;
    loop {
        let trace = sampled(subject, recording, found, command, whole);
        if whole <= LEAST || trace.data.iter().map(String::len).sum::<usize>() <= ROOM {
            return trace;
        }
        whole /= 2;
    }
}

/// The trace with at most `whole` entries of each tensor.
fn sampled(
    subject: &Subject,
    recording: &Recording,
    found: Option<&Found>,
    command: &str,
    whole: usize,
) -> Trace {
    let mut data = Data::default();
    let mut excerpts = Excerpts::default();
    let samples = samples(recording, whole);
    let (scopes, nodes) = nodes(recording, &samples, &mut data, &mut excerpts);
    let mut steps: Vec<Step> = (0..nodes.len()).map(|node| Step::Forward { node }).collect();
    steps.push(Step::Seed { node: recording.loss });
    steps.extend(backward(recording, found, &samples, &mut data));
    steps.extend(updates(subject, recording, &mut data));
    let rules: BTreeMap<_, _> =
        nodes.iter().filter_map(|node| Some((node.op.clone(), rule(&node.op)?.in_full()))).collect();
    for rule in rules.values() {
        excerpts.lines(&rule.source.file, rule.source.forward);
        excerpts.lines(&rule.source.file, rule.source.vjp);
    }
    let (file, lines) = sources::update().expect("a test finds AdamW in its file");
    excerpts.lines(file, lines);
    let checks = found.map_or(Vec::new(), |found| checks(found, &mut data));
    let wrong = Verdict::ALL.iter().position(|verdict| *verdict == Verdict::Wrong);
    let broken = found.and_then(|found| found.broken.clone());
    let faults = found.map_or(Vec::new(), |found| found.faults.clone());
    let agrees = |check: &Checks| !check.verdicts.iter().any(|verdict| Some(*verdict) == wrong);
    let ok = broken.is_none() && faults.is_empty() && checks.iter().all(agrees);
    Trace {
        schema: SCHEMA,
        run: run(subject, recording, &nodes, &checks, command.to_owned()),
        adamw: recording.adamw,
        update: UpdateSource { file: file.to_owned(), lines },
        dims: axes::dims(&subject.model.config, recording.batch.length),
        tokens: tokens(&subject.tokenizer, &recording.batch.x),
        targets: tokens(&subject.tokenizer, &recording.batch.y),
        scopes,
        rules,
        sources: excerpts.texts(),
        nodes,
        steps,
        checks,
        verdicts: Verdict::ALL.iter().map(|verdict| verdict.word().to_owned()).collect(),
        ok,
        first_broken: broken,
        faults,
        data: data.into_entries(),
    }
}

fn run(subject: &Subject, recording: &Recording, nodes: &[Node], checks: &[Checks], command: String) -> Run {
    let entries = |node: &&Node| node.shape.iter().product::<usize>();
    Run {
        command,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        seed: subject.config.seed,
        dtype: "f64".to_owned(),
        source: subject.source.clone(),
        path: subject.path.to_string(),
        text: subject.text.clone(),
        updates: subject.moments.updates,
        parameters: subject.model.numel(),
        flops: nodes.iter().map(|node| node.flops).sum(),
        bytes: nodes.iter().map(|node| entries(&node) * size_of::<f64>()).sum(),
        loss: recording.tape.var(recording.loss).value().item(),
        learning_rate: recording.adamw.learning_rate,
        gradient_norm: recording.gradient_norm,
        planted: subject.plant.map(|plant| plant.name.to_owned()),
        checked: checks.iter().map(|check| check.entries.len()).sum(),
        checkable: nodes.iter().filter(|node| node.gradient.is_some()).map(|node| entries(&node)).sum(),
    }
}

fn tokens(tokenizer: &Tokenizer, ids: &[usize]) -> Vec<Token> {
    ids.iter().map(|&id| Token { id, text: tokenizer.token(id) }).collect()
}

/// Which entries of each node are in the trace, and in every contribution to it. The axis of the text is kept whole as
/// long as it can be, and has the same indices in all tensors that have room for equally many. And a weight that is sampled
/// takes the indices of the tensors that its axes meet in its product: so each entry of W̄ that is in the sample finds the
/// terms of its sum in theirs.
fn samples(recording: &Recording, whole: usize) -> Vec<Option<Vec<Vec<usize>>>> {
    let nodes = recording.tape.nodes();
    let axes = axes::of(&nodes);
    let of = |(index, node): (usize, &autograd::Node<f64>)| {
        let names: Vec<&str> = axes[index].split_whitespace().collect();
        let is_text = |axis: usize| ["n", "m"].contains(names.get(axis).unwrap_or(&""));
        let gradient = recording.gradients.get(recording.tape.var(index));
        let kept = |axis: usize| names.get(axis) == Some(&"n");
        let mut indices = sample(&node.value, gradient, whole, kept)?;
        for axis in (0..indices.len()).filter(|&axis| is_text(axis)) {
            let all: Vec<usize> = (0..node.value.shape()[axis]).collect();
            indices[axis] = evenly(&all, indices[axis].len());
        }
        Some(indices)
    };
    let mut samples: Vec<_> = nodes.iter().enumerate().map(of).collect();
    for (index, node) in nodes.iter().enumerate() {
        let [x, w] = node.inputs[..] else { continue };
        let (rows, columns) = match node.op_name() {
            "matmul" => (0, 1),
            "matmul_tb" => (1, 0), // W is stored transposed
            _ => continue,
        };
        if !nodes[w as usize].name.is_empty() {
            follow(&mut samples, (w as usize, rows), x as usize);
            follow(&mut samples, (w as usize, columns), index);
        }
    }
    samples
}

/// Gives an axis of a sampled weight indices of the last axis of another sample.
fn follow(samples: &mut [Option<Vec<Vec<usize>>>], (w, axis): (usize, usize), other: usize) {
    let Some(there) = samples[other].as_ref().and_then(|indices| indices.last().cloned()) else { return };
    if let Some(of_w) = &mut samples[w] {
        of_w[axis] = evenly(&there, of_w[axis].len().min(there.len()));
    }
}

/// So many of a list, evenly spaced, with the first and the last.
fn evenly(list: &[usize], number: usize) -> Vec<usize> {
    (0..number).map(|i| list[i * (list.len() - 1) / (number - 1).max(1)]).collect()
}

/// The names of the scopes in the order in which they are entered, and the nodes.
fn nodes(
    recording: &Recording,
    samples: &[Option<Vec<Vec<usize>>>],
    data: &mut Data,
    excerpts: &mut Excerpts,
) -> (Vec<String>, Vec<Node>) {
    let tape: &Tape<f64> = &recording.tape;
    let on_tape = tape.nodes();
    let axes = axes::of(&on_tape);
    let mut scopes = vec![String::new()];
    let mut nodes = Vec::new();
    for (index, node) in on_tape.iter().enumerate() {
        let name = tape.scope_name(node.scope);
        let scope = scopes.iter().position(|known| *known == name).unwrap_or_else(|| {
            scopes.push(name);
            scopes.len() - 1
        });
        let call = Place { file: from_root(node.location.file()), line: node.location.line() as usize };
        excerpts.call(&call.file, call.line);
        let indices = samples[index].as_deref();
        let x: Vec<&Tensor<f64>> = node.inputs.iter().map(|&input| &on_tape[input as usize].value).collect();
        nodes.push(Node {
            op: node.op_name().to_owned(),
            details: node.op.as_ref().map_or(String::new(), |op| op.details()),
            inputs: node.inputs.iter().map(|&input| input as usize).collect(),
            scope,
            name: node.name.clone(),
            axes: axes[index].clone(),
            shape: node.value.shape().to_vec(),
            value: data.blob(&node.value, indices),
            call,
            requires_gradient: node.requires_gradient,
            gradient: recording.gradients.get(tape.var(index)).map(|gradient| data.blob(gradient, indices)),
            flops: node.op.as_ref().map_or(0, |op| op.flops(&x, &node.value)),
        });
    }
    (scopes, nodes)
}

fn backward(
    recording: &Recording,
    found: Option<&Found>,
    samples: &[Option<Vec<Vec<usize>>>],
    data: &mut Data,
) -> Vec<Step> {
    let step = |(i, step): (usize, &super::record::Contribution)| {
        let delta = data.blob(&step.delta, samples[step.to].as_deref());
        Step::Backward(Contribution {
            node: step.from,
            slot: step.slot,
            to: step.to,
            norm: delta.stats.norm,
            delta,
            accumulate: step.accumulate,
            check: found.map(|found| found.along[i].clone()),
        })
    };
    recording.contributions.iter().enumerate().map(step).collect()
}

fn updates(subject: &Subject, recording: &Recording, data: &mut Data) -> Vec<Step> {
    let mut steps = Vec::new();
    for (i, &node) in recording.parameters.iter().enumerate() {
        let var = recording.tape.var(node);
        let (before, after) = (var.value(), &recording.after[i]);
        let zeros = Tensor::zeros(var.shape());
        let gradient = recording.gradients.get(var).unwrap_or(&zeros);
        let all = || before.shape().iter().map(|&size| (0..size).collect()).collect();
        let indices: Vec<Vec<usize>> =
            sample(&before, Some(gradient), UPDATED, |_| false).unwrap_or_else(all);
        let places = crossings(before.shape(), &indices);
        let mut at = |x: &Tensor<f64>| data.numbers(places.iter().map(|&place| x.data()[place]));
        steps.push(Step::Update(Update {
            node,
            before: at(&before),
            gradient: at(gradient),
            m: at(&recording.moments.mean[i]),
            v: at(&recording.moments.square[i]),
            after: at(after),
            indices,
            decay: if decays(&before) { subject.config.weight_decay } else { 0.0 },
            norm: after
                .zip(&before, |after, before| (after - before).powi(2))
                .data()
                .iter()
                .sum::<f64>()
                .sqrt(),
        }));
    }
    steps
}

fn checks(found: &Found, data: &mut Data) -> Vec<Checks> {
    let number =
        |verdict: Verdict| Verdict::ALL.iter().position(|other| *other == verdict).expect("it is one");
    let of = |(&node, entries): (&usize, &Vec<super::checks::Entry>)| Checks {
        node,
        entries: entries.iter().map(|entry| entry.at).collect(),
        values: data.wide_numbers(entries.iter().flat_map(|e| [e.reverse, e.forward, e.difference])),
        relative_error: entries.iter().map(|entry| two_digits(entry.relative_error)).collect(),
        verdicts: entries.iter().map(|entry| number(entry.verdict)).collect(),
    };
    found.entries.iter().map(of).collect()
}

/// An error to two significant digits: more of them say nothing.
fn two_digits(x: f64) -> f64 {
    format!("{x:.1e}").parse().expect("a number that was just printed")
}

/// A model's shape in words.
pub fn shape_of(config: &ModelConfig) -> String {
    let ModelConfig { n_layer, n_head, n_embd, block_size, vocab_size, .. } = config;
    format!("{n_layer} layers, {n_head} heads, {n_embd} wide, context {block_size}, vocabulary {vocab_size}")
}
