//! The questions: how each is drawn, and what its answer is.

use super::{Example, Kind, Task};
use crate::data::stories::{ALPHABET, SEPARATOR, Stories};
use crate::random::below;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

const LETTERS: &str = "abcdefghijklmnopqrstuvwxyz>";
const DIGITS: &str = "0123456789+=";
const BITS: &str = "01>";
const BRACKETS: &str = "()[]>ny";
const ASKED: &str = "abcdefghijklmnopqrstuvwxyz?>";

/// How many letters lead to one another in a question of [`Kind::MultiHop`].
const CIRCLE: usize = 8;

/// What each token stands for.
pub fn symbols(task: Task) -> Vec<String> {
    let alphabet = match task.kind {
        Kind::Copy | Kind::Reverse | Kind::Sort => LETTERS,
        Kind::Addition | Kind::AdditionReversed => DIGITS,
        Kind::Parity | Kind::ParitySteps => BITS,
        Kind::Brackets => BRACKETS,
        Kind::Induction | Kind::MultiHop => ASKED,
        Kind::Pronoun | Kind::Sum | Kind::Owner => ALPHABET,
        Kind::ModularAddition => {
            let numbers = (0..task.size).map(|number| number.to_string());
            return numbers.chain(["+".to_owned(), "=".to_owned()]).collect();
        }
    };
    alphabet.chars().map(String::from).collect()
}

/// Any question, from either side, with its key.
pub fn draw(task: Task, random: &mut ChaCha8Rng) -> (Example, Vec<usize>) {
    let Task { kind, size } = task;
    match kind {
        Kind::Copy => letters(size, random, |_| {}),
        Kind::Reverse => letters(size, random, |word| word.reverse()),
        Kind::Sort => letters(size, random, |word| word.sort_unstable()),
        Kind::Addition => addition(size, random, |digits| digits.reverse()),
        Kind::AdditionReversed => addition(size, random, |_| {}),
        Kind::ModularAddition => modular_addition(size, random),
        Kind::Parity => parity(size, random, false),
        Kind::ParitySteps => parity(size, random, true),
        Kind::Brackets => brackets(size, random),
        Kind::Induction => induction(size, random),
        Kind::MultiHop => multi_hop(size, random),
        Kind::Pronoun | Kind::Sum | Kind::Owner => in_a_story(kind, random),
    }
}

fn plain(question: Vec<usize>, answer: Vec<usize>) -> (Example, Vec<usize>) {
    let key = question.clone();
    (Example { question, answer, after: vec![] }, key)
}

/// `word>` → what `change` makes of the word.
fn letters(n: usize, random: &mut ChaCha8Rng, change: impl Fn(&mut Vec<usize>)) -> (Example, Vec<usize>) {
    let word: Vec<usize> = (0..n).map(|_| below(random, 26)).collect();
    let mut answer = word.clone();
    change(&mut answer);
    plain([word, vec![26]].concat(), answer)
}

/// `a+b=` → n + 1 digits of the sum, which `order` gets with the ones first. The key is {a, b}.
fn addition(n: usize, random: &mut ChaCha8Rng, order: impl Fn(&mut Vec<usize>)) -> (Example, Vec<usize>) {
    let mut summand = || (0..n).map(|_| below(random, 10)).collect::<Vec<usize>>(); // ones first
    let (a, b) = (summand(), summand());
    let (mut sum, mut carry) = (Vec::new(), 0);
    for (a, b) in a.iter().zip(&b) {
        sum.push((a + b + carry) % 10);
        carry = (a + b + carry) / 10;
    }
    sum.push(carry);
    order(&mut sum);
    let written = |digits: &[usize]| digits.iter().rev().copied().collect::<Vec<_>>();
    let question = [written(&a), vec![10], written(&b), vec![11]].concat();
    let key = if a < b { [a, b] } else { [b, a] }.concat();
    (Example { question, answer: sum, after: vec![] }, key)
}

/// `a + b =` → (a + b) mod p, a token a number. The key is {a, b}.
fn modular_addition(p: usize, random: &mut ChaCha8Rng) -> (Example, Vec<usize>) {
    let (a, b) = (below(random, p), below(random, p));
    let example = Example { question: vec![a, p, b, p + 1], answer: vec![(a + b) % p], after: vec![] };
    (example, vec![a.min(b), a.max(b)])
}

/// `bits>` → whether the number of ones is odd; with `steps`, each bit and whether it is odd so far.
fn parity(n: usize, random: &mut ChaCha8Rng, steps: bool) -> (Example, Vec<usize>) {
    let bits: Vec<usize> = (0..n).map(|_| below(random, 2)).collect();
    let mut odd = 0;
    let written: Vec<usize> = bits
        .iter()
        .flat_map(|bit| {
            odd ^= bit;
            [*bit, odd]
        })
        .collect();
    let answer = if steps { written } else { vec![odd] };
    plain([bits, vec![2]].concat(), answer)
}

/// `brackets>` → `y` if each closes what was opened last, else `n`: half of them, where one bracket is another.
fn brackets(n: usize, random: &mut ChaCha8Rng) -> (Example, Vec<usize>) {
    const CLOSED: usize = 6;
    const BROKEN: usize = 5;
    let (mut text, mut open) = (Vec::with_capacity(n + 1), Vec::new());
    while text.len() < n {
        let must_close = open.len() == n - text.len();
        if !must_close && (open.is_empty() || below(random, 2) == 0) {
            let bracket = 2 * below(random, 2);
            open.push(bracket + 1);
            text.push(bracket);
        } else {
            text.extend(open.pop());
        }
    }
    let broken = below(random, 2) == 0;
    if broken {
        let at = below(random, n);
        text[at] = (text[at] + 1 + below(random, 3)) % 4;
    }
    text.push(4);
    plain(text, vec![if broken { BROKEN } else { CLOSED }])
}

/// `kqzdf?z` → `dfkq`: n different letters in a circle, one of them again, and what comes after it, all around. Where the
/// answer begins is another place each time, so that looking back by a fixed distance does not help.
fn induction(n: usize, random: &mut ChaCha8Rng) -> (Example, Vec<usize>) {
    let circle = some_of(26, n, random);
    let from = below(random, n);
    let after = (1..n).map(|i| circle[(from + i) % n]).collect();
    plain([&circle[..], &[26, circle[from]]].concat(), after)
}

/// `bcadcb…?a>` → where `hops` steps lead from a: letters in a circle, each pair said once, in any order.
fn multi_hop(hops: usize, random: &mut ChaCha8Rng) -> (Example, Vec<usize>) {
    let circle = some_of(26, CIRCLE, random);
    let order = some_of(CIRCLE, CIRCLE, random);
    let from = below(random, CIRCLE);
    let pairs = order.iter().flat_map(|&i| [circle[i], circle[(i + 1) % CIRCLE]]);
    plain(pairs.chain([26, circle[from], 27]).collect(), vec![circle[(from + hops) % CIRCLE]])
}

/// `number` of the numbers below n, each once, in random order (the first steps of a Fisher–Yates shuffle).
fn some_of(n: usize, number: usize, random: &mut ChaCha8Rng) -> Vec<usize> {
    let mut all: Vec<usize> = (0..n).collect();
    for i in 0..number {
        let j = i + below(random, n - i);
        all.swap(i, j);
    }
    all.truncate(number);
    all
}

/// A story up to the word that is asked for, the word, and the rest. The key is the story up to the word.
fn in_a_story(kind: Kind, random: &mut ChaCha8Rng) -> (Example, Vec<usize>) {
    loop {
        let Some(story) = Stories::new(random.next_u64()).next() else { continue };
        let Some(at) = asked_at(kind, &story) else { continue };
        let text = format!("\n{story}{SEPARATOR}"); // a story begins where the one before has ended
        let at = at + 1;
        let length = text[at..].find(|c: char| !c.is_alphabetic()).unwrap_or(0);
        let ids = |part: &str| part.chars().filter_map(|c| ALPHABET.find(c)).collect::<Vec<usize>>();
        let (question, answer) = (ids(&text[..at]), ids(&text[at..at + length]));
        let key = question.clone();
        return (Example { question, answer, after: ids(&text[at + length..]) }, key);
    }
}

/// Where in a story the word stands that is asked for, if the story has it.
fn asked_at(kind: Kind, story: &str) -> Option<usize> {
    let marks: &[&str] = match kind {
        Kind::Pronoun => &[" it to "],
        Kind::Sum => &["Now she had ", "Now he had ", "\"I have "],
        _ => &[" now? "],
    };
    marks.iter().find_map(|mark| Some(story.find(mark)? + mark.len()))
}
