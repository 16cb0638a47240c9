//! What a trace promises: it is what the engine did, all of it adds up, and every step is tied to its lines of code.

use super::build::build;
use super::record::{Recording, Subject};
use super::schema::{Step, Trace};
use super::{blob, checks, rules, sources};
use crate::check::Path;
use crate::data::tokenizer::{Tokenizer, TokenizerKind};
use crate::model::{Design, Gpt, ModelConfig, Pass, every_design};
use crate::train::config::TrainConfig;
use crate::train::gradient::gradient;
use crate::train::optimizer::Moments;
use autograd::Tensor;
use autograd::kernels::threads::set_threads;
use std::collections::BTreeSet;

/// A model with biases, so that every op is there, of which every token is used twice.
fn subject() -> Subject {
    subject_of(ModelConfig {
        n_layer: 2,
        n_head: 2,
        n_embd: 8,
        block_size: 9,
        vocab_size: 5,
        bias: true,
        ..ModelConfig::default()
    })
}

pub(super) fn subject_of(model: ModelConfig) -> Subject {
    let config = TrainConfig { model, learning_rate: 1e-2, warmup_iters: 0, ..TrainConfig::default() };
    let random: Gpt<Tensor<f64>> = Gpt::init(&config.model, 7);
    // Larger than at the beginning of a training, so that nothing is nearly linear.
    let model = random
        .map(&mut |_, parameter: &Tensor<f64>| parameter.map(|x| if x == 1.0 { 0.9 } else { 20.0 * x }));
    let moments = Moments::zeros(model.parameters().into_iter().map(|(_, parameter)| parameter));
    Subject {
        source: "a test".to_owned(),
        model,
        moments,
        config,
        tokenizer: Tokenizer::for_text(TokenizerKind::Char, "abcde"),
        text: "abacdbec".to_owned(),
        path: Path::Textbook,
        plant: None,
    }
}

fn traced(most: usize) -> (Subject, Recording, Trace) {
    traced_of(subject(), most)
}

fn traced_of(subject: Subject, most: usize) -> (Subject, Recording, Trace) {
    let recording = subject.record().expect("a step");
    let found = (most > 0).then(|| checks::run(&subject, &recording, most));
    let trace = build(&subject, &recording, found.as_ref(), "transformer trace");
    (subject, recording, trace)
}

#[test]
fn every_entry_of_a_sampled_weight_s_gradient_finds_the_terms_of_every_token_in_the_trace() {
    for (design, expected) in [(Design::default(), 4), (Design { n_kv_head: Some(1), ..Design::llama() }, 5)]
    {
        // As wide as the demo, and a text so long that every tensor has to be sampled.
        let text: String = (0..65).map(|i| char::from(b'a' + (i * i + i / 3) as u8 % 5)).collect();
        let model = ModelConfig {
            n_layer: 1,
            n_head: 4,
            n_embd: 80,
            block_size: 64,
            vocab_size: 5,
            design,
            ..ModelConfig::default()
        };
        let (_, _, trace) = traced_of(Subject { text, ..subject_of(model) }, 0);
        let holds = |node: usize, axis: usize| {
            let value = &trace.nodes[node].value;
            value.indices.as_ref().map_or((0..value.shape[axis]).collect(), |indices| indices[axis].clone())
        };
        let mut products = 0;
        for (y, node) in trace.nodes.iter().enumerate().filter(|(_, node)| node.op == "matmul") {
            let [x, w] = node.inputs[..] else { unreachable!("a product has two factors") };
            if trace.nodes[w].name.is_empty() {
                continue;
            }
            products += 1;
            let name = &trace.nodes[w].name;
            assert!(trace.nodes[w].value.indices.is_some(), "{name} is small enough to be whole");
            for of in [x, y] {
                assert_eq!(holds(of, 1), (0..64).collect::<Vec<_>>(), "all tokens of {name} in %{of}");
            }
            for (axis, of) in [(0, x), (1, y)] {
                let there = holds(of, 2);
                let missing: Vec<usize> =
                    holds(w, axis).into_iter().filter(|index| !there.contains(index)).collect();
                assert!(missing.is_empty(), "{name}, axis {axis}: %{of} lacks {missing:?}");
            }
        }
        assert_eq!(products, expected, "qkv, its projection, and what the MLP has");
    }
}

#[test]
fn the_page_has_the_working_of_every_op_that_a_textbook_pass_of_any_design_computes() {
    let (forward, backward) =
        (include_str!("page/script/forward.js"), include_str!("page/script/backward.js"));
    for path in [Path::Textbook, Path::Dropout] {
        for model in every_design(8, 9, 5) {
            let (_, _, trace) = traced_of(Subject { path, ..subject_of(model) }, 0);
            for op in trace.nodes.iter().map(|node| node.op.as_str()).filter(|op| *op != "leaf") {
                let op = if op.starts_with("matmul") { "matmul" } else { op };
                let (key, pointwise) = (format!("\n  {op}: "), format!("\n  {op}: {{ sign:"));
                assert!(forward.contains(&key), "forward.js has no words for {op}");
                let written = forward.contains(&pointwise) || backward.contains(&key);
                assert!(
                    written || backward.contains(&format!("op === \"{op}\"")),
                    "backward.js has none for {op}"
                );
            }
        }
    }
}

#[test]
fn the_gradients_of_a_trace_are_the_engines_by_the_textbook_and_by_the_fused_ops() {
    let (subject, recording, _) = traced(0);
    let batches = [subject.batch().unwrap()];
    let textbook = gradient(&subject.model, &batches, |_| Pass::evaluation().textbook()).unwrap();
    let fused = gradient(&subject.model, &batches, |_| Pass::evaluation()).unwrap();
    for (i, &node) in recording.parameters.iter().enumerate() {
        let traced = recording.gradients.of(recording.tape.var(node));
        let others = textbook.of[i].data().iter().zip(fused.of[i].data());
        for (traced, (textbook, fused)) in traced.data().iter().zip(others) {
            // A walk that is not watched adds products where the sum lies: the same terms, rounded in another order.
            approx::assert_relative_eq!(traced, textbook, epsilon = 1e-14, max_relative = 1e-13);
            approx::assert_relative_eq!(traced, fused, epsilon = 1e-12, max_relative = 1e-10);
        }
    }
}

#[test]
fn the_contributions_to_a_node_add_up_to_its_cotangent_in_the_trace_too() {
    let (_, recording, trace) = traced(0);
    let numbers = |data: usize| blob::decode(&trace.data[data]);
    for (index, node) in trace.nodes.iter().enumerate().filter(|(index, _)| *index != recording.loss) {
        let arrived: Vec<_> = trace
            .steps
            .iter()
            .filter_map(|step| match step {
                Step::Backward(step) if step.to == index => Some(step),
                _ => None,
            })
            .collect();
        let Some(gradient) = &node.gradient else {
            assert!(arrived.is_empty() && !node.requires_gradient, "%{index}");
            continue;
        };
        let accumulated: Vec<bool> = arrived.iter().map(|step| step.accumulate).collect();
        assert_eq!(accumulated, (0..arrived.len()).map(|i| i > 0).collect::<Vec<_>>(), "%{index}");
        let mut sum = vec![0.0; numbers(gradient.data).len()];
        for step in &arrived {
            assert_eq!(step.delta.indices, gradient.indices);
            sum.iter_mut().zip(numbers(step.delta.data)).for_each(|(sum, x)| *sum += f64::from(x));
        }
        let scale = gradient.stats.norm;
        for (sum, whole) in sum.iter().zip(numbers(gradient.data)) {
            assert!((sum - f64::from(whole)).abs() <= 1e-6 * scale, "%{index}: {sum} and {whole}");
        }
    }
    let uses: Vec<&str> = trace
        .steps
        .iter()
        .filter_map(|step| match step {
            Step::Backward(step) if step.to == 0 => Some(trace.nodes[step.node].op.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(uses, ["matmul_tb", "gather"], "the tied weight is used twice");
}

/// The numbers are those that `subject` is told: a rate of 10⁻² that has not begun to decay, and nanoGPT's β, λ, ε and clip.
#[test]
fn the_update_of_a_trace_is_what_adamw_makes_of_its_gradient() {
    let (_, recording, trace) = traced(0);
    let gradients = recording.parameters.iter().map(|&node| recording.gradients.of(recording.tape.var(node)));
    let norm = gradients.map(|g| g.data().iter().map(|x| x * x).sum::<f64>()).sum::<f64>().sqrt();
    assert!(norm > 1.0, "a gradient of norm {norm} is not clipped");
    let clip = 1.0 / (norm + 1e-6);
    approx::assert_relative_eq!(trace.adamw.clip, clip, max_relative = 1e-9);
    let mut moved = 0;
    for step in &trace.steps {
        let Step::Update(update) = step else { continue };
        let numbers = |data: usize| blob::decode(&trace.data[data]);
        let (before, after) = (numbers(update.before), numbers(update.after));
        let (gradient, m, v) = (numbers(update.gradient), numbers(update.m), numbers(update.v));
        let node = &trace.nodes[update.node];
        let decay = if node.value.shape.len() >= 2 { 0.1 } else { 0.0 };
        assert_eq!(update.decay, decay, "of {}", node.name);
        for i in 0..before.len() {
            let [p, g] = [before[i], gradient[i]].map(f64::from);
            let g = g * clip;
            let (mean, square) = (0.1 * g, 0.05 * g * g); // β₁ = 0.9, β₂ = 0.95
            approx::assert_relative_eq!(f64::from(m[i]), mean, epsilon = 1e-9, max_relative = 1e-5);
            approx::assert_relative_eq!(f64::from(v[i]), square, epsilon = 1e-9, max_relative = 1e-5);
            // A gradient of nearly 0 is divided by nearly 0: there the rounding of f32 shows.
            if g.abs() > 1e-6 {
                // In the first update m̂ is g, and v̂ its square.
                let expected = p - 1e-2 * decay * p - 1e-2 * g / (g.abs() + 1e-8);
                approx::assert_relative_eq!(f64::from(after[i]), expected, epsilon = 1e-6);
            }
        }
        moved += 1;
    }
    assert_eq!(moved, recording.parameters.len());
}

#[test]
fn the_same_step_gives_the_same_bytes_on_any_number_of_threads_and_comes_back_from_them() {
    let bytes = |threads: usize| {
        set_threads(threads);
        serde_json::to_string(&traced(5).2).expect("JSON")
    };
    let (one, other) = (bytes(1), bytes(3));
    assert_eq!(one, other);
    let back: Trace = serde_json::from_str(&one).expect("a trace");
    assert_eq!(back, traced(5).2);
}

#[test]
fn every_cotangent_of_the_model_is_right_three_ways_and_every_contribution_by_itself() {
    let (_, _, trace) = traced(12);
    assert!(trace.ok && trace.first_broken.is_none());
    assert!(trace.run.checked > 700, "{} entries", trace.run.checked);
    for checks in &trace.checks {
        let values = blob::decode_wide(&trace.data[checks.values]);
        assert_eq!(values.len(), 3 * checks.entries.len());
        let whole: usize = trace.nodes[checks.node].shape.iter().product();
        assert!(checks.entries.len() >= whole.min(12) - trace.nodes[checks.node].value.stats.inf.min(12));
        assert!(
            checks.verdicts.iter().all(|&verdict| trace.verdicts[verdict] == "agree"),
            "%{}",
            checks.node
        );
    }
    for step in &trace.steps {
        if let Step::Backward(step) = step {
            let check = step.check.as_ref().expect("it was asked for");
            assert!(check.relative_error < 1e-12, "%{} for input {}", step.node, step.slot);
        }
    }
}

/// A trace of every design on every path.
fn every_trace() -> Vec<Trace> {
    let designs = every_design(16, 9, 5).into_iter();
    let subjects = designs.flat_map(|config| {
        [Path::Textbook, Path::Fused, Path::Dropout]
            .map(|path| Subject { path, ..subject_of(config.clone()) })
    });
    subjects.map(|subject| traced_of(subject, 0).2).collect()
}

#[test]
fn every_op_of_every_design_has_a_rule_with_a_formula_for_each_input_and_axes_are_called_what_they_are() {
    let mut ops = BTreeSet::new();
    for trace in every_trace() {
        for (index, node) in trace.nodes.iter().enumerate() {
            let names = node.axes.split_whitespace();
            assert!(
                [0, node.shape.len()].contains(&names.clone().count()),
                "%{index} {}: {:?}",
                node.op,
                node.axes
            );
            for (name, size) in names.zip(&node.shape) {
                let known = trace.dims.iter().find(|dim| dim.name == name).map(|dim| dim.size);
                assert_eq!(known.unwrap_or(1), *size, "axis {name} of %{index} {}", node.op);
            }
            if node.op != "leaf" {
                let rule = trace.rules.get(&node.op).unwrap_or_else(|| panic!("{} has no rule", node.op));
                assert!(rule.vjp.len() >= node.inputs.len(), "{}", node.op);
                ops.insert(node.op.clone());
            }
        }
    }
    let known: BTreeSet<String> = rules::rules().map(|rule| rule.op.to_owned()).collect();
    assert_eq!(ops, known, "every rule is that of an op which some model uses");
}

#[test]
fn every_axis_of_the_textbooks_gpt2_has_a_name() {
    for (index, node) in traced(0).2.nodes.iter().enumerate() {
        assert_eq!(
            node.axes.split_whitespace().count(),
            node.shape.len(),
            "%{index} {}: {:?}",
            node.op,
            node.axes
        );
    }
}

/// What is wrong with the places that a trace names: lines that do not ask for their op, or that no excerpt has.
fn drifted(trace: &Trace) -> Vec<String> {
    let mut found = Vec::new();
    let excerpt = |file: &str, line: usize| {
        let excerpts = trace.sources.get(file)?;
        let holds = |e: &&super::schema::Excerpt| {
            (e.first_line..e.first_line + e.text.lines().count()).contains(&line)
        };
        let excerpt = excerpts.iter().find(holds)?;
        excerpt.text.lines().nth(line - excerpt.first_line)
    };
    for (index, node) in trace.nodes.iter().enumerate().filter(|(_, node)| node.op != "leaf") {
        let rule = rules::rule(&node.op).expect("a rule");
        let line = excerpt(&node.call.file, node.call.line).unwrap_or_default();
        if line.trim() != sources::line(&node.call.file, node.call.line).unwrap_or("?") {
            found.push(format!("%{index}: the excerpt is not the source"));
        }
        if !rule.asked_by.iter().any(|asked| line.contains(asked)) {
            found.push(format!("%{index}: {} is not asked for in {line:?}", node.op));
        }
    }
    for (op, rule) in &trace.rules {
        for (lines, starts) in
            [(rule.source.forward, ["fn forward(", "fn f("]), (rule.source.vjp, ["fn vjp(", "fn df("])]
        {
            let line = excerpt(&rule.source.file, lines.line).unwrap_or_default().trim();
            if !starts.iter().any(|start| line.starts_with(start)) {
                found.push(format!("the rule of {op} begins with {line:?}"));
            }
        }
    }
    let update = excerpt(&trace.update.file, trace.update.lines.line).unwrap_or_default().trim();
    if !update.starts_with("fn piece(") {
        found.push(format!("the update begins with {update:?}"));
    }
    found
}

#[test]
fn every_step_is_tied_to_its_lines_of_code_and_a_line_that_has_drifted_is_noticed() {
    for trace in every_trace() {
        assert_eq!(drifted(&trace), Vec::<String>::new());
    }
    let (_, _, mut trace) = traced(0);
    let mut moved = trace.clone();
    moved.update.lines.line += 1;
    assert!(
        drifted(&moved).iter().any(|line| line.starts_with("the update ")),
        "the update, a line further down"
    );
    for op in trace.rules.keys().cloned().collect::<Vec<_>>() {
        let mut moved = trace.clone();
        moved.nodes.iter_mut().filter(|node| node.op == op).for_each(|node| node.call.line += 2);
        assert!(!drifted(&moved).is_empty(), "calls of {op}, two lines further down");
        let rule = moved.rules.get_mut(&op).expect("it is there");
        rule.source.vjp.line += 1;
        assert!(drifted(&moved).iter().any(|line| line.starts_with(&format!("the rule of {op} "))), "{op}");
    }
    trace.sources.clear();
    assert!(!drifted(&trace).is_empty());
}

#[test]
fn a_text_that_does_not_fit_is_refused_with_a_way_out() {
    let refused = |text: &str| {
        let subject = Subject { text: text.to_owned(), ..subject() };
        subject.record().map(|_| ()).unwrap_err().to_string()
    };
    assert!(
        refused("abz").contains("--text: the vocabulary of 5 characters does not have 'z'"),
        "{}",
        refused("abz")
    );
    assert!(refused("a").contains("--text: 1 characters are too few"), "{}", refused("a"));
    let long = refused("abcdeabcdea");
    assert!(long.contains("--text: 11 characters are too many") && long.contains("at most 10"), "{long}");
}

#[test]
fn every_bug_of_the_museum_turns_the_trace_red_at_its_own_op_first() {
    for plant in crate::check::MUSEUM {
        let subject = Subject { plant: Some(plant), path: plant.path(), ..subject() };
        let recording = subject.record().unwrap_or_else(|error| panic!("{}: {error}", plant.name));
        let found = checks::run(&subject, &recording, 2);
        let trace = build(&subject, &recording, Some(&found), "transformer trace");
        let broken = trace.first_broken.as_ref().unwrap_or_else(|| panic!("{} is not found", plant.name));
        let node = &trace.nodes[broken.node];
        assert_eq!(node.op, plant.op, "{}: {}", plant.name, broken.why);
        assert!(trace.faults.iter().any(|fault| fault.node == broken.node), "{}", plant.name);
        assert!(!trace.ok && trace.run.planted.as_deref() == Some(plant.name));
        // Where it is planted in many places, the walk back meets the last of them first.
        let scope =
            |name: &str| name.split('.').rfind(|part| part.parse::<usize>().is_err()).map(str::to_owned);
        assert_eq!(scope(&trace.scopes[node.scope]), scope(plant.scope), "{}", plant.name);
    }
}
