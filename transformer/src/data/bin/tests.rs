use super::*;
use proptest::prelude::*;
use tempfile::TempDir;

fn written(format: Format, ids: &[usize]) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("train.bin");
    let mut writer = BinWriter::create(&path, format).unwrap();
    ids.chunks(7).for_each(|ids| writer.write(ids).unwrap());
    assert!(!path.exists(), "not before it is whole");
    assert_eq!(writer.finish().unwrap(), ids.len());
    (directory, path)
}

fn error(bytes: &[u8]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("train.bin");
    fs::write(&path, bytes).unwrap();
    let message = BinFile::open(&path).unwrap_err().to_string();
    assert!(message.contains("train.bin") && message.contains("way out: "), "{message}");
    message
}

fn header(numbers: [i32; 3]) -> Vec<u8> {
    let mut header: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    header.resize(HEADER, 0);
    header
}

proptest! {
    #[test]
    fn ids_are_read_as_they_were_written_in_every_format(
        ids in prop::collection::vec(0..1usize << 16, 1..600), start in 0..600usize, length in 0..600usize,
    ) {
        for format in [Format::Nanogpt, Format::Gpt2, Format::Llama3] {
            let (_directory, path) = written(format, &ids);
            let file = BinFile::open(&path).unwrap();
            prop_assert_eq!(file.len(), ids.len());
            let start = start % ids.len();
            let length = length % (ids.len() - start + 1);
            let mut found = Vec::new();
            file.read(start, length, &mut found).unwrap();
            prop_assert_eq!(&found, &ids[start..start + length]);
        }
    }
}

#[test]
fn the_bytes_are_those_of_nano_gpt_and_of_llm_c() {
    let read = |format, ids: &[usize]| {
        let (_directory, path) = written(format, ids);
        fs::read(path).unwrap()
    };
    assert_eq!(read(Format::Nanogpt, &[1, 0x1234]), [1, 0, 0x34, 0x12]);
    let gpt2 = [header([20_240_520, 1, 2]), vec![1, 0, 0x34, 0x12]].concat();
    assert_eq!(read(Format::Gpt2, &[1, 0x1234]), gpt2);
    let llama3 = [header([20_240_801, 7, 1]), vec![0x78, 0x56, 0x01, 0]].concat();
    assert_eq!(read(Format::Llama3, &[0x15678]), llama3);
}

#[test]
fn a_file_that_is_empty_odd_or_cut_off_is_refused_at_its_place() {
    assert!(error(b"").contains("no ids"));
    assert!(error(&[1, 0, 2]).contains("byte 2: 3 bytes of ids are no whole number of ids of 2 bytes"));
    assert!(error(&header([20_240_520, 1, 0])).contains("no ids"));
    assert!(
        error(&header([20_240_520, 1, 5])[..700]).contains("header: the header of 1024 bytes is cut off")
    );
    let cut_off = [header([20_240_520, 1, 3]), vec![0; 4]].concat();
    let message = error(&cut_off);
    assert!(message.contains("int32 number 2: the header promises 3 ids, but 2 follow it"), "{message}");
    let odd = [header([20_240_801, 7, 1]), vec![0; 6]].concat();
    assert!(error(&odd).contains("byte 1028: 6 bytes of ids are no whole number of ids of 4 bytes"));
}

#[test]
fn a_header_with_another_magic_number_or_version_is_refused_by_its_number() {
    let with = |numbers| error(&[header(numbers), vec![0; 4]].concat());
    let message = with([20_240_520, 2, 2]);
    assert!(message.contains("int32 number 1: version 2 of this format"), "{message}");
    let message = with([20_240_521, 1, 2]);
    assert!(message.contains("int32 number 0: the magic number 20240521 is not one of llm.c's"), "{message}");
    assert!(with([0x0001_0203, 1, 1]).contains("not one of llm.c's"), "one id of four bytes");
}

#[test]
fn a_thousand_line_feeds_at_the_beginning_are_no_header() {
    for (first, zeros) in [(vec![], 1000), (vec![], 512), (vec![7, 8, 9], 600)] {
        let ids = [first, vec![0; zeros], vec![3; 100]].concat();
        let (_directory, path) = written(Format::Nanogpt, &ids);
        for file in [BinFile::open(&path), BinFile::open_as(&path, Format::Nanogpt)] {
            let (file, mut found) = (file.unwrap(), Vec::new());
            file.read(0, ids.len(), &mut found).unwrap();
            assert_eq!(found, ids);
        }
    }
    // Where the format is known, not even ids that look like a header are taken for one.
    let ids = [vec![55_433, 308, 1, 0, 5, 0], vec![0; 506], vec![1; 5]].concat();
    let (_directory, path) = written(Format::Nanogpt, &ids);
    assert!(BinFile::open(&path).is_err());
    assert_eq!(BinFile::open_as(&path, Format::Nanogpt).unwrap().len(), ids.len());
}

#[test]
fn an_id_that_the_tokenizer_does_not_have_is_found_with_its_place() {
    let (_directory, path) = written(Format::Gpt2, &[3, 1, 4, 1, 5, 9, 2, 6]);
    let file = BinFile::open(&path).unwrap();
    file.check(10, &mut Fingerprint::default()).unwrap();
    let message = file.check(9, &mut Fingerprint::default()).unwrap_err().to_string();
    assert!(message.contains("train.bin, id number 5 (byte 1034): the id 9 is not below 9"), "{message}");
    assert!(message.contains("--tokenizer FILE.json"), "{message}");
}

#[test]
fn a_file_that_shrinks_while_it_is_read_is_an_error_and_no_crash() {
    let (_directory, path) = written(Format::Nanogpt, &[7; 100]);
    let file = BinFile::open(&path).unwrap();
    File::options().write(true).open(&path).unwrap().set_len(50).unwrap();
    let message = file.read(20, 10, &mut Vec::new()).unwrap_err().to_string();
    assert!(message.contains("train.bin: the file has become shorter"), "{message}");
}

#[test]
fn an_id_that_does_not_fit_into_16_bits_is_refused_and_nothing_is_left() {
    let directory = tempfile::tempdir().unwrap();
    let mut writer = BinWriter::create(&directory.path().join("train.bin"), Format::Nanogpt).unwrap();
    let message = writer.write(&[65_535, 65_536]).unwrap_err().to_string();
    assert!(
        message.contains("the id 65536 does not fit into 2 bytes") && message.contains("llama3"),
        "{message}"
    );
    drop(writer);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}
