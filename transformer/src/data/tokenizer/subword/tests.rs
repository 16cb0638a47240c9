use super::super::{Tokenizer, TokenizerKind};
use proptest::prelude::*;
use serde_json::{Value, json};

const TEXT: &str = "the cat sat on the mat, and the rat sat on the hat. 한글은 한국의 글자다.\n";

fn bpe(n: usize) -> Tokenizer {
    Tokenizer::train(n, [TEXT.to_owned(), TEXT.to_owned()].into_iter().map(Ok)).unwrap()
}

fn loaded(value: &Value) -> crate::error::Result<Tokenizer> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokenizer.json");
    std::fs::write(&path, value.to_string()).unwrap();
    Tokenizer::load(&path)
}

/// As sentencepiece has it: a space before the text, and spaces written as ▁.
fn metaspace() -> Value {
    let vocab = json!({ "<unk>": 0, "▁": 1, "▁the": 2, "a": 3, "▁c": 4, "t": 5, "h": 6, "e": 7, "c": 8 });
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": { "type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true },
        "post_processor": null,
        "decoder": { "type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true },
        "model": { "type": "WordPiece", "unk_token": "<unk>", "continuing_subword_prefix": "",
            "max_input_chars_per_word": 100, "vocab": vocab },
    })
}

proptest! {
    #[test]
    fn byte_pairs_give_back_any_text(text in any::<String>()) {
        let tokenizer = bpe(280);
        let ids = tokenizer.encode(&text).unwrap();
        prop_assert!(ids.len() <= text.len());
        prop_assert!(ids.iter().all(|&id| id < tokenizer.vocab_size()));
        prop_assert_eq!(tokenizer.bytes_of(&ids), text.len());
        prop_assert_eq!(tokenizer.decode(&ids), text);
    }

    #[test]
    fn whatever_is_sampled_decodes_as_the_crate_decodes_it(ids in prop::collection::vec(0..280usize, 0..30)) {
        let tokenizer = bpe(280);
        let Tokenizer::Subword(subword) = &tokenizer else { panic!() };
        prop_assert_eq!(tokenizer.decode(&ids), subword.decode(&ids));
    }

    #[test]
    fn token_by_token_the_same_text_is_written_as_at_once(ids in prop::collection::vec(1..9usize, 0..30)) {
        let tokenizer = loaded(&metaspace()).unwrap();
        let mut stream = tokenizer.stream();
        let mut text: String = ids.iter().map(|&id| stream.push(id)).collect();
        text += &stream.finish();
        prop_assert_eq!(text, tokenizer.decode(&ids));
    }
}

#[test]
fn the_most_frequent_pairs_become_tokens() {
    let tokenizer = bpe(280);
    assert_eq!(tokenizer.vocab_size(), 280);
    let words: Vec<String> =
        tokenizer.encode("the cat").unwrap().into_iter().map(|id| tokenizer.token(id)).collect();
    assert_eq!(words.concat(), "the cat");
    assert!(words.len() <= 4, "{words:?}");
    assert_eq!(bpe(280), tokenizer, "the same text has the same pairs");
    assert!(bpe(60_000).vocab_size() < 500, "there are no more pairs in this text");
}

#[test]
fn a_saved_tokenizer_is_read_back_as_it_was() {
    let tokenizer = bpe(290);
    let read = loaded(&tokenizer.to_json()).unwrap();
    assert_eq!(read, tokenizer);
    assert_eq!(read.encode(TEXT).unwrap(), tokenizer.encode(TEXT).unwrap());
    for kind in [TokenizerKind::Char, TokenizerKind::Byte, TokenizerKind::Jamo] {
        let tokenizer = Tokenizer::for_text(kind, TEXT);
        assert_eq!(loaded(&tokenizer.to_json()).unwrap(), tokenizer, "not by the crate");
    }
}

#[test]
fn a_part_of_a_character_is_shown_by_its_bytes() {
    let tokenizer = bpe(257);
    let ids = tokenizer.encode("é").unwrap();
    assert_eq!(ids.iter().map(|&id| tokenizer.token(id)).collect::<Vec<_>>(), ["\\xc3", "\\xa9"]);
}

#[test]
fn a_broken_tokenizer_is_refused_by_its_field() {
    let change = |path: &str, value: Value| {
        let mut whole = metaspace();
        *whole.pointer_mut(path).unwrap() = value;
        loaded(&whole).unwrap_err().to_string()
    };
    for (path, value, field) in [
        ("/model/type", json!("Magic"), "field model"),
        ("/model/vocab", json!({ "a": -1 }), "field model"),
        ("/pre_tokenizer/type", json!("Teeth"), "field pre_tokenizer"),
        ("/decoder", json!({ "type": "Ring" }), "field decoder"),
        ("/model/vocab", json!({}), "field model.vocab: the tokenizer has no tokens"),
        (
            "/model/vocab",
            json!({ "a": 4_000_000_000_u32 }),
            "field model.vocab: the largest id is 4000000000",
        ),
    ] {
        let message = change(path, value);
        assert!(message.contains("tokenizer.json, ") && message.contains(field), "{path}: {message}");
        assert!(message.contains("way out: "), "{message}");
    }
}
