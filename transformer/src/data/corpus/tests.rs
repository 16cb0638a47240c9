use super::*;
use tempfile::TempDir;

const TEXT: &str = "the quick brown fox jumps over the lazy dog\n";

/// A directory with the `train.bin`, `val.bin` and `tokenizer.json` of a text.
fn prepared(kind: TokenizerKind, format: Format) -> (TempDir, Text, Tokenizer) {
    let directory = tempfile::tempdir().unwrap();
    let text = Text::new("corpus.txt", TEXT.repeat(20));
    let tokenizer = Tokenizer::for_text(kind, text.content());
    let [train, validation] = ["train.bin", "val.bin"].map(|name| directory.path().join(name));
    Corpus::Text(text.clone()).write(&tokenizer, format, [&train, &validation]).unwrap();
    tokenizer.save(&directory.path().join("tokenizer.json")).unwrap();
    (directory, text, tokenizer)
}

fn ids(tokens: &Tokens) -> Vec<usize> {
    let mut ids = Vec::new();
    tokens.copy(0, tokens.len(), &mut ids).unwrap();
    ids
}

fn nowhere() -> Keep<'static> {
    Keep::Of(Path::new("nowhere"))
}

#[test]
fn what_is_prepared_is_what_the_text_is_in_memory() {
    for (kind, format) in [
        (TokenizerKind::Char, Format::Nanogpt),
        (TokenizerKind::Byte, Format::Gpt2),
        (TokenizerKind::Jamo, Format::Llama3),
    ] {
        let (directory, text, tokenizer) = prepared(kind, format);
        let in_memory = Dataset::new(&text, &tokenizer, 4).unwrap();
        for path in [directory.path().to_path_buf(), directory.path().join("train.bin")] {
            let corpus = Corpus::open(&path).unwrap();
            assert_eq!(corpus.tokenizer(&Choice::default()).unwrap(), tokenizer, "the one that lies beside");
            let dataset = corpus.dataset(&tokenizer, 4, nowhere()).unwrap();
            assert_eq!(ids(&dataset.train), ids(&in_memory.train));
            assert_eq!(ids(&dataset.validation), ids(&in_memory.validation));
            assert_eq!(corpus.beginning(10, &tokenizer).unwrap(), text.validation()[..10]);
            // The bits per byte of ids are those of their text.
            let bits = |dataset: &Dataset| dataset.bits_per_byte(1.5, &tokenizer).unwrap();
            assert_eq!(bits(&dataset), bits(&in_memory));
        }
    }
}

#[test]
fn without_a_val_bin_the_last_tenth_is_for_validation() {
    let (directory, _, tokenizer) = prepared(TokenizerKind::Byte, Format::Nanogpt);
    std::fs::remove_file(directory.path().join("val.bin")).unwrap();
    let dataset = Corpus::open(directory.path()).unwrap().dataset(&tokenizer, 4, nowhere()).unwrap();
    let train = TEXT.len() * 18 * 9 / 10;
    assert_eq!((dataset.train.len(), dataset.validation.len()), (train, TEXT.len() * 18 - train));
    let text = TEXT.repeat(18);
    assert_eq!(tokenizer.decode(&ids(&dataset.validation)), text[train..]);
}

#[test]
fn a_byte_of_two_is_half_the_bits_per_byte() {
    let text = Text::new("corpus.txt", "é".repeat(100)); // two bytes each
    let characters = Tokenizer::for_text(TokenizerKind::Char, text.content());
    let bits = |tokenizer: &Tokenizer, loss| {
        Dataset::new(&text, tokenizer, 4).unwrap().bits_per_byte(loss, tokenizer).unwrap()
    };
    let ln_2 = std::f64::consts::LN_2;
    assert_eq!(bits(&characters, ln_2), 0.5, "one bit a character of two bytes");
    assert_eq!(bits(&Tokenizer::Bytes, ln_2), 1.0, "one bit a byte");
}

#[test]
fn ids_have_no_tokenizer_but_the_one_that_they_were_written_with() {
    let (directory, ..) = prepared(TokenizerKind::Char, Format::Nanogpt);
    let corpus = Corpus::open(directory.path()).unwrap();
    for choice in ["jamo", "bpe:300"] {
        let message = corpus.tokenizer(&choice.parse().unwrap()).unwrap_err().to_string();
        assert!(message.contains("train.bin, --tokenizer: these are ids"), "{message}");
    }
    std::fs::remove_file(directory.path().join("tokenizer.json")).unwrap();
    let message =
        Corpus::open(directory.path()).unwrap().tokenizer(&Choice::default()).unwrap_err().to_string();
    assert!(message.contains("`char`") && message.contains("--tokenizer FILE.json"), "{message}");
    assert!(message.contains("the text itself") && message.contains("prepare"), "{message}");
}

#[test]
fn ids_are_read_with_the_tokenizer_beside_them_and_with_no_other() {
    let (directory, text, tokenizer) = prepared(TokenizerKind::Char, Format::Nanogpt);
    let corpus = Corpus::open(directory.path()).unwrap();
    assert!(corpus.dataset(&tokenizer, 4, nowhere()).is_ok());
    let shouted = Tokenizer::for_text(TokenizerKind::Char, &text.content().to_uppercase());
    for other in [shouted, Tokenizer::Bytes] {
        let message = corpus.dataset(&other, 4, nowhere()).unwrap_err().to_string();
        assert!(message.contains("tokenizer.json: the ids were written with this tokenizer"), "{message}");
    }
}

#[test]
fn a_text_with_an_empty_part_and_ids_cannot_be_written() {
    let (directory, text, _) = prepared(TokenizerKind::Char, Format::Nanogpt);
    assert!(Corpus::Text(text).can_be_written().is_ok());
    let of_two = |content: &str| Corpus::Text(Text::new("short.txt", content.into())).can_be_written();
    assert!(of_two("한글").is_ok());
    let message = of_two("한").unwrap_err().to_string();
    assert!(message.contains("short.txt: this text is too short"), "{message}");
    assert!(Corpus::open(directory.path()).unwrap().can_be_written().is_err());
}

#[test]
fn a_directory_without_ids_or_with_several_is_refused() {
    let (directory, ..) = prepared(TokenizerKind::Char, Format::Nanogpt);
    let path = directory.path();
    std::fs::copy(path.join("train.bin"), path.join("other_train.bin")).unwrap();
    let message = Corpus::open(path).unwrap_err().to_string();
    assert!(message.contains("has 2 files …train.bin"), "{message}");
    let message = Corpus::open(tempfile::tempdir().unwrap().path()).unwrap_err().to_string();
    assert!(message.contains("a directory without a train.bin") && message.contains("prepare"), "{message}");
}
