//! Hangul by jamo: one id for each letter of a syllable, and in general for each character of the decomposed text.
//!
//! ```text
//! 한 U+D55C  =  ᄒ U+1112 + ᅡ U+1161 + ᆫ U+11AB         11 172 syllables are made of 19 + 21 + 27 jamo
//! ```
//!
//! A text is decomposed (Unicode's form NFD), which also takes accents off their letters, and what a model writes is
//! composed again (NFC). What comes back is therefore the text in NFC: the text itself if it was in that form, as nearly
//! all text is, and otherwise one that looks the same and is equivalent by Unicode's definition.
//!
//! Reference: Unicode Standard Annex #15; the Unicode Standard, §3.12, "Conjoining Jamo Behavior".

use unicode_normalization::char::canonical_combining_class;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// A text → its letters, decomposed.
pub(super) fn decompose(text: impl Iterator<Item = char>) -> impl Iterator<Item = char> {
    text.nfd()
}

/// Letters → the text that they make.
pub(super) fn compose(letters: &str) -> String {
    letters.nfc().collect()
}

/// Whether nothing before this letter can be changed by it: it is no accent, and no jamo that completes a syllable.
pub(super) fn begins_anew(letter: char) -> bool {
    canonical_combining_class(letter) == 0 && is_nfc_quick(std::iter::once(letter)) == IsNormalized::Yes
}

#[cfg(test)]
mod tests {
    use super::super::{Tokenizer, TokenizerKind};
    use super::*;
    use proptest::prelude::*;

    fn jamo(text: &str) -> Tokenizer {
        Tokenizer::for_text(TokenizerKind::Jamo, text)
    }

    /// Syllables, loose jamo, accents in any order, and whatever else there is.
    const KOREAN_AND_ACCENTS: &str = "([가-힣]|[\u{1100}-\u{1112}]|[\u{1161}-\u{1175}]|[\u{11a8}-\u{11c2}]|[a-zé]|[\u{300}-\u{330}]|\\PC){0,40}";

    proptest! {
        #[test]
        fn jamo_give_back_any_text_in_nfc(text in KOREAN_AND_ACCENTS) {
            let tokenizer = jamo(&text);
            let ids = tokenizer.encode(&text).unwrap();
            prop_assert!(ids.iter().all(|&id| id < tokenizer.vocab_size()));
            let nfc = compose(&text);
            prop_assert_eq!(tokenizer.decode(&ids), nfc.clone());
            prop_assert_eq!(tokenizer.decode(&tokenizer.encode(&nfc).unwrap()), nfc, "NFC comes back as it was");
        }

        #[test]
        fn letter_by_letter_the_same_text_is_written_as_at_once(text in KOREAN_AND_ACCENTS) {
            // As a model samples them: the letters in an order that no text has.
            let tokenizer = jamo(&text);
            let mut ids = tokenizer.encode(&text).unwrap();
            ids.reverse();
            let letters: String = ids.iter().map(|&id| tokenizer.token(id)).collect();
            prop_assert_eq!(tokenizer.decode(&ids), compose(&letters));
        }
    }

    #[test]
    fn all_syllables_have_67_letters() {
        let syllables: String = ('가'..='힣').collect();
        assert_eq!(syllables.chars().count(), 11_172);
        assert_eq!(jamo(&syllables).vocab_size(), 19 + 21 + 27);
    }

    #[test]
    fn a_syllable_appears_when_the_next_one_begins() {
        let tokenizer = jamo("한글");
        let mut stream = tokenizer.stream();
        let ids = tokenizer.encode("한글").unwrap();
        let pieces: Vec<String> = ids.iter().map(|&id| stream.push(id)).collect();
        assert_eq!(pieces, ["", "", "", "한", "", ""]);
        assert_eq!(stream.finish(), "글");
    }
}
