//! What holds of every task.

use super::score::Score;
use super::{Example, Kind, Side, Task};
use crate::data::batches::{Batch, IGNORE};
use crate::data::stories::log_probability;
use crate::model::Pass;
use crate::random::{Purpose, generator};
use crate::sample::{Sampling, generate};
use crate::scale::ladder;
use crate::train::stream::StreamTrainer;
use autograd::Tape;
use std::collections::HashSet;

/// A task of each kind, small.
fn every_task() -> Vec<Task> {
    let small = |kind: Kind| *kind.sizes().1.start();
    Kind::ALL.into_iter().map(|kind| Task::new(kind, small(kind)).unwrap()).collect()
}

fn drawn(task: Task, side: Side, number: usize) -> Vec<Example> {
    let mut random = generator(9, Purpose::Batches);
    (0..number).map(|_| task.draw(&mut random, side)).collect()
}

/// The answer as somebody works it out who reads the question.
fn by_hand(task: Task, question: &str) -> String {
    let word = question.trim_end_matches('>');
    let letters: Vec<char> = word.chars().collect();
    match task.kind() {
        Kind::Copy => word.to_owned(),
        Kind::Reverse => letters.iter().rev().collect(),
        Kind::Sort => {
            let mut sorted = letters;
            sorted.sort_unstable();
            sorted.into_iter().collect()
        }
        Kind::Addition | Kind::AdditionReversed => {
            let (a, b) = question.trim_end_matches('=').split_once('+').unwrap();
            let sum = a.parse::<u64>().unwrap() + b.parse::<u64>().unwrap();
            let digits = format!("{sum:0width$}", width = task.size() + 1);
            if task.kind() == Kind::Addition { digits } else { digits.chars().rev().collect() }
        }
        Kind::ModularAddition => {
            let numbers: Vec<usize> = question.split(' ').filter_map(|word| word.parse().ok()).collect();
            ((numbers[0] + numbers[1]) % task.size()).to_string()
        }
        Kind::Parity => (word.matches('1').count() % 2).to_string(),
        Kind::ParitySteps => {
            let step = |n: usize| format!("{}{}", letters[n - 1], word[..n].matches('1').count() % 2);
            (1..=letters.len()).map(step).collect()
        }
        Kind::Brackets => {
            let mut left = word.to_owned();
            while left.contains("()") || left.contains("[]") {
                left = left.replace("()", "").replace("[]", "");
            }
            if left.is_empty() { "y" } else { "n" }.to_owned()
        }
        Kind::Induction => {
            let (circle, asked) = question.split_once('?').unwrap();
            let (before, after) = circle.split_once(asked).unwrap();
            format!("{after}{before}")
        }
        Kind::MultiHop => {
            let (pairs, asked) = word.split_once('?').unwrap();
            let pairs: Vec<char> = pairs.chars().collect();
            let follow = |from: char| pairs.chunks(2).find(|pair| pair[0] == from).unwrap()[1];
            (0..task.size()).fold(asked.chars().next().unwrap(), |at, _| follow(at)).to_string()
        }
        Kind::Pronoun | Kind::Sum | Kind::Owner => unreachable!("stories are judged by their grammar"),
    }
}

#[test]
fn every_answer_is_the_one_that_is_worked_out_by_hand() {
    for task in every_task().into_iter().filter(|task| !task.kind().in_story()) {
        for example in drawn(task, Side::Training, 200) {
            let (question, answer) = (task.show(&example.question), task.show(&example.answer));
            assert_eq!(answer, by_hand(task, &question), "{}: {question}", task.kind().name());
        }
    }
}

#[test]
fn a_question_in_a_story_has_one_answer_that_the_grammar_would_tell() {
    for kind in [Kind::Pronoun, Kind::Sum, Kind::Owner] {
        let task = Task::new(kind, 1).unwrap();
        let words: HashSet<String> = drawn(task, Side::Training, 200)
            .iter()
            .map(|example| {
                let [question, answer, after] =
                    [&example.question, &example.answer, &example.after].map(|part| task.show(part));
                let story = |answer: &str| format!("{question}{answer}{after}").trim().to_owned();
                assert!(log_probability(&story(&answer)).is_ok(), "{}", story(&answer));
                answer
            })
            .collect();
        for example in drawn(task, Side::Training, 20) {
            let [question, answer, after] =
                [&example.question, &example.answer, &example.after].map(|part| task.show(part));
            for other in words.iter().filter(|word| **word != answer) {
                let told = format!("{question}{other}{after}");
                assert!(log_probability(told.trim()).is_err(), "two answers: {told}");
            }
        }
    }
}

#[test]
fn no_question_that_is_learnt_from_is_ever_asked() {
    for task in every_task() {
        let learnt: HashSet<Vec<usize>> =
            drawn(task, Side::Training, 3000).into_iter().map(|example| example.question).collect();
        let asked = task.held_out(300);
        assert!(asked.iter().all(|example| !learnt.contains(&example.question)), "{}", task.kind().name());
    }
}

#[test]
fn summands_are_held_out_in_both_orders() {
    for (kind, size, plus) in [(Kind::Addition, 2, 10), (Kind::ModularAddition, 11, 11)] {
        let task = Task::new(kind, size).unwrap();
        let turned = |question: &[usize]| {
            let (a, rest) = question.split_at(question.iter().position(|&token| token == plus).unwrap());
            let (b, equals) = rest[1..].split_at(rest.len() - 2);
            [b, &[plus], a, equals].concat()
        };
        let learnt: HashSet<Vec<usize>> =
            drawn(task, Side::Training, 4000).into_iter().map(|example| example.question).collect();
        assert!(task.held_out(200).iter().all(|example| !learnt.contains(&turned(&example.question))));
    }
}

#[test]
fn every_answer_of_a_yes_or_no_is_on_both_sides_about_equally_often() {
    // The lowest bit of a plain hash is the parity of its input: split by that, training would see one answer only.
    for (kind, size) in [(Kind::Parity, 12), (Kind::Brackets, 12)] {
        let task = Task::new(kind, size).unwrap();
        for side in [Side::Training, Side::HeldOut] {
            let examples = drawn(task, side, 1000);
            let ones = examples.iter().filter(|example| example.answer == examples[0].answer).count();
            assert!((400..600).contains(&ones), "{ones} of 1000 on {side:?} for {}", kind.name());
        }
    }
}

#[test]
fn every_size_from_the_smallest_to_the_largest_can_be_drawn() {
    for kind in Kind::ALL {
        let (_, sizes) = kind.sizes();
        for size in [*sizes.start(), *sizes.end()] {
            let task = Task::new(kind, size).unwrap();
            let example = &task.held_out(1)[0];
            assert!(example.text().len() - 1 <= task.context());
            assert!(example.text().iter().all(|&token| token < task.vocab_size()));
        }
        assert!(Task::new(kind, sizes.end() + 1).is_err());
    }
}

#[test]
fn only_the_answer_counts_and_what_fills_a_row_up_changes_nothing() {
    let copy = Task::new(Kind::Copy, 5).unwrap();
    let batch = copy.batch(&drawn(copy, Side::Training, 4));
    assert_eq!((batch.shape(), batch.targets()), ([4, 10], 4 * 5));
    let first: Vec<usize> = batch.y[..10].to_vec();
    assert_eq!((first[..5].to_vec(), first[5..].to_vec()), (vec![IGNORE; 5], batch.x[..5].to_vec()));

    let stories = Task::new(Kind::Owner, 1).unwrap();
    let batch = stories.batch(&drawn(stories, Side::Training, 3));
    assert!(batch.y.contains(&IGNORE), "three stories of one length: draw others");
    let filled: Vec<usize> =
        batch.x.iter().zip(&batch.y).map(|(&x, &y)| if y == IGNORE { 7 } else { x }).collect();
    let model = StreamTrainer::new(ladder::recipe(ladder::model(1, 41, 256), 3, 1, 1)).unwrap().model;
    let loss = |batch: &Batch| {
        let tape = Tape::new();
        model.on(&tape).loss(batch, &Pass::evaluation()).value().item()
    };
    assert_eq!(loss(&batch).to_bits(), loss(&Batch { x: filled, ..batch.clone() }).to_bits());
}

#[test]
fn an_answer_is_right_exactly_if_it_is_what_the_model_writes_at_temperature_zero() {
    let task = Task::new(Kind::Copy, 4).unwrap();
    let model = ladder::model(2, task.vocab_size(), task.context());
    let mut trainer = StreamTrainer::new(ladder::recipe(model, 32, 150, 1)).unwrap();
    let mut random = generator(1, Purpose::Batches);
    let examples = task.held_out(60);
    let mut shares = Vec::new();
    for _ in 0..5 {
        for _ in 0..30 {
            trainer.update(task.training_batch(&mut random, 32)).unwrap();
        }
        let mut texts: Vec<Vec<usize>> = examples.iter().map(|example| example.question.clone()).collect();
        let coldest = Sampling { temperature: 0.0, ..Sampling::default() };
        generate(&trainer.model, &mut texts, 4, &coldest, &mut random, |_, _| {});
        let written = texts.iter().zip(&examples).filter(|(text, example)| **text == example.text()).count();
        let score = Score::of(&trainer.model, &task, &examples);
        assert_eq!(score.right, written);
        shares.push(score.exact_match());
    }
    assert!(shares.iter().any(|&share| share > 0.1 && share < 0.9), "never in between: {shares:?}");
}

#[test]
fn the_interval_is_wilsons() {
    let interval = |right, asked| Score { asked, right, log_likelihood: 0.0 }.interval();
    // Agresti & Coull 1998 give 0.490 to 0.943 for 8 of 10.
    for (found, expected) in [
        (interval(8, 10), [0.490, 0.943]),
        (interval(0, 10), [0.0, 0.278]),
        (interval(10, 10), [0.722, 1.0]),
        (interval(50, 100), [0.404, 0.596]),
    ] {
        assert!(found.iter().zip(expected).all(|(x, y)| (x - y).abs() < 5e-4), "{found:?}, not {expected:?}");
    }
}

#[test]
fn a_fresh_model_finds_every_answer_about_equally_likely() {
    let task = Task::new(Kind::MultiHop, 1).unwrap();
    let model = ladder::model(1, task.vocab_size(), task.context());
    let trainer = StreamTrainer::new(ladder::recipe(model, 1, 1, 1)).unwrap();
    let score = Score::of(&trainer.model, &task, &task.held_out(100));
    approx::assert_relative_eq!(score.log_likelihood, -(28f64.ln()), epsilon = 0.05);
}

#[test]
fn an_unknown_task_or_size_is_told_what_there_is() {
    let error = Task::named("multiply", 3).unwrap_err().to_string();
    assert!(error.contains("\"multiply\"") && error.contains("induction, multi_hop"), "{error}");
    let error = Task::named("brackets", 7).unwrap_err().to_string();
    assert!(error.starts_with("size: ") && error.contains("an even number"), "{error}");
}
