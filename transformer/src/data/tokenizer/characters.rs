//! One id for each different character: the sorted set of the text's characters *is* the vocabulary.

use crate::error::{Error, Result};
use std::collections::{BTreeSet, HashMap};

/// How many unknown characters an error names before it only counts them.
const NAMED: usize = 8;

/// A vocabulary of characters; the id of a character is its place in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Characters {
    by_id: Vec<char>,
    ids: HashMap<char, usize>,
}

impl Characters {
    /// The vocabulary of a text: its different characters, sorted by code point.
    pub fn of(text: impl IntoIterator<Item = char>) -> Self {
        Self::in_order(text.into_iter().collect::<BTreeSet<char>>().into_iter().collect())
    }

    /// The vocabulary in which character `by_id[i]` has the id `i`; all of them are different.
    pub(super) fn in_order(by_id: Vec<char>) -> Self {
        let ids = by_id.iter().enumerate().map(|(id, &character)| (character, id)).collect();
        Characters { by_id, ids }
    }

    /// The number of different characters.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there is no character at all.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// The character with this id.
    ///
    /// # Panics
    /// If `id` is not below [`len`](Self::len).
    #[track_caller]
    pub fn character(&self, id: usize) -> char {
        self.by_id[id]
    }

    /// All characters, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = char> {
        self.by_id.iter().copied()
    }

    pub(super) fn encode(&self, text: &str) -> Result<Vec<usize>> {
        let ids: Option<Vec<usize>> =
            text.chars().map(|character| self.ids.get(&character).copied()).collect();
        ids.ok_or_else(|| self.unknown_in(text))
    }

    /// The error for a text with unknown characters: which they are, and where each of them is first.
    fn unknown_in(&self, text: &str) -> Error {
        let (mut line, mut column) = (1, 1);
        let mut unknown: Vec<(char, String)> = Vec::new();
        let mut seen = BTreeSet::new();
        for character in text.chars() {
            if !self.ids.contains_key(&character) && seen.insert(character) {
                unknown.push((character, format!("line {line}, character {column}")));
            }
            (line, column) = if character == '\n' { (line + 1, 1) } else { (line, column + 1) };
        }
        let named: Vec<String> = unknown
            .iter()
            .take(NAMED)
            .map(|(character, place)| format!("{character:?} (U+{:04X}) at {place}", u32::from(*character)))
            .collect();
        let more = match unknown.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        Error::new(format!(
            "the vocabulary of {} characters does not have {}{more}",
            self.len(),
            named.join(", ")
        ))
        .way_out("leave these characters out, or train on a text that has them, or with --tokenizer byte")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vocabulary_is_the_sorted_set_of_the_characters() {
        let characters = Characters::of("hello\n글".chars());
        assert_eq!(characters.iter().collect::<String>(), "\nehlo글");
        assert_eq!(characters.encode("hello").unwrap(), [2, 1, 3, 3, 4]);
    }

    #[test]
    fn unknown_characters_are_named_with_their_places() {
        let error = Characters::of("abc\n".chars()).encode("ab\ncéaé한").unwrap_err().to_string();
        assert!(error.contains("'é' (U+00E9) at line 2, character 2"), "{error}");
        assert!(error.contains("'한' (U+D55C) at line 2, character 5"), "{error}");
        assert!(error.contains("vocabulary of 4 characters"), "{error}");
        assert!(error.contains("way out: ") && error.contains("--tokenizer byte"), "{error}");
        assert_eq!(error.matches('é').count(), 1, "each is named once: {error}");
    }

    #[test]
    fn many_unknown_characters_are_counted() {
        let error = Characters::of("0".chars()).encode("abcdefghijkl").unwrap_err().to_string();
        assert!(error.contains("'h'") && !error.contains("'i'") && error.contains("and 4 more"), "{error}");
    }
}
