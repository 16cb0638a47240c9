//! Probes: what a model has learnt of the stories, judged on the text that it writes.
//!
//! Each probe asks one thing, and asks it locally, so that a story with a slip in one place can still score in the
//! others:
//!
//! - **stories that parse**: is the whole story one that the grammar tells?
//! - **pronouns that agree**: is it "she" where a girl is meant, "him" where a boy is?
//! - **owners recalled**: does the answer to "Who has …?" name the one who ended up with it?
//! - **sums that are right**: does a count come out as what was had plus what was found?

use super::grammar::{NUMBERS, Person};
use super::{SEPARATOR, log_probability};
use std::fmt::{self, Display};
use std::ops::AddAssign;

/// How often something was right, out of how many times it was asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Score {
    /// How often it was right.
    pub right: usize,
    /// How often it was asked.
    pub asked: usize,
}

impl Score {
    /// The share that was right, between 0 and 1; none if it was never asked.
    pub fn share(self) -> Option<f64> {
        (self.asked > 0).then(|| self.right as f64 / self.asked as f64)
    }

    fn count(&mut self, right: bool) {
        self.right += usize::from(right);
        self.asked += 1;
    }
}

impl AddAssign for Score {
    fn add_assign(&mut self, other: Score) {
        self.right += other.right;
        self.asked += other.asked;
    }
}

impl Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>4} of {:>4}", self.right, self.asked)?;
        match self.share() {
            Some(share) => write!(f, "  ({:>3.0} %)", 100.0 * share),
            None => Ok(()),
        }
    }
}

/// The scores of a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Probes {
    /// Stories that the grammar tells, out of all whole ones.
    pub stories: Score,
    /// Pronouns that agree with the person they stand for.
    pub pronouns: Score,
    /// Answers to "Who has …?" that name the owner.
    pub owners: Score,
    /// Counts that add up.
    pub sums: Score,
}

impl Probes {
    /// Judges the whole stories of a text: those between two separators. What comes before the first separator or
    /// after the last may be cut off, and is left out.
    pub fn of(text: &str) -> Self {
        let mut probes = Probes::default();
        let pieces: Vec<&str> = text.split(SEPARATOR).collect();
        if let [_, whole @ .., _] = pieces.as_slice() {
            whole.iter().for_each(|story| probes.judge(story));
        }
        probes
    }

    /// Judges one story (without separator), which may be broken in any way.
    fn judge(&mut self, story: &str) {
        self.stories.count(log_probability(story).is_ok());

        let words: Vec<&str> =
            story.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()).collect();
        let (mut finder, mut asker, mut owner) = (None, None, None);
        for i in 0..words.len() {
            match words[i..] {
                [name, "had", had, _, "and", "found", found, "more", ref then @ ..] => {
                    let (said, pronoun) = match *then {
                        ["Now", she, "had", said, ..] => (said, she),
                        ["I", "have", said, "now", she, "said", ..] => (said, she),
                        _ => continue,
                    };
                    self.pronoun(pronoun, Person::named(name).map(Person::she));
                    if let (Some(a), Some(b), Some(sum)) = (number(had), number(found), number(said)) {
                        self.sums.count(a + b == sum);
                    }
                }
                [name, "found", "a", ..] => finder = Person::named(name),
                ["asked" | "said", name, ..] => asker = Person::named(name),
                [she, verb @ ("gave" | "lent"), "it", "to", her, ref then @ ..] => {
                    self.pronoun(she, finder.map(Person::she));
                    self.pronoun(her, asker.map(Person::her));
                    if let ("lent", ["and", he, "gave", "it", "back", ..]) = (verb, then) {
                        self.pronoun(he, asker.map(Person::she));
                    }
                    owner = if verb == "gave" { asker } else { finder };
                }
                [she, "kept", "it", ..] => {
                    self.pronoun(she, finder.map(Person::she));
                    owner = finder;
                }
                ["Who", "has", "the", _, "now", name, "has", "it", ..] => {
                    if let (Some(owner), Some(named)) = (owner, Person::named(name)) {
                        self.owners.count(named == owner);
                    }
                }
                _ => {}
            }
        }
    }

    /// Counts a pronoun, if it is one and it is known whom it stands for.
    fn pronoun(&mut self, word: &str, right: Option<&str>) {
        let word = word.to_lowercase();
        if let (Some(right), "she" | "he" | "her" | "him") = (right, word.as_str()) {
            self.pronouns.count(word == right);
        }
    }
}

impl AddAssign for Probes {
    fn add_assign(&mut self, other: Probes) {
        self.stories += other.stories;
        self.pronouns += other.pronouns;
        self.owners += other.owners;
        self.sums += other.sums;
    }
}

impl Display for Probes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "stories that parse   {}", self.stories)?;
        writeln!(f, "pronouns that agree  {}", self.pronouns)?;
        writeln!(f, "owners recalled      {}", self.owners)?;
        write!(f, "sums that are right  {}", self.sums)
    }
}

fn number(word: &str) -> Option<usize> {
    NUMBERS.iter().position(|&known| known == word).map(|index| index + 1)
}
