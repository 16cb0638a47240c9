//! The text of the ops and of AdamW, as it was compiled: for those who show a rule beside what it computes.

/// Every file of [`ops`](crate::ops), by its path from the root of the repository.
const OPS: [(&str, &str); 17] = [
    ("autograd/src/ops/arithmetic.rs", include_str!("ops/arithmetic.rs")),
    ("autograd/src/ops/attention.rs", include_str!("ops/attention.rs")),
    ("autograd/src/ops/detach.rs", include_str!("ops/detach.rs")),
    ("autograd/src/ops/dropout.rs", include_str!("ops/dropout.rs")),
    ("autograd/src/ops/gather.rs", include_str!("ops/gather.rs")),
    ("autograd/src/ops/layout.rs", include_str!("ops/layout.rs")),
    ("autograd/src/ops/linear.rs", include_str!("ops/linear.rs")),
    ("autograd/src/ops/loss.rs", include_str!("ops/loss.rs")),
    ("autograd/src/ops/matmul.rs", include_str!("ops/matmul.rs")),
    ("autograd/src/ops/mod.rs", include_str!("ops/mod.rs")),
    ("autograd/src/ops/norm.rs", include_str!("ops/norm.rs")),
    ("autograd/src/ops/operators.rs", include_str!("ops/operators.rs")),
    ("autograd/src/ops/pointwise.rs", include_str!("ops/pointwise.rs")),
    ("autograd/src/ops/reduce.rs", include_str!("ops/reduce.rs")),
    ("autograd/src/ops/rope.rs", include_str!("ops/rope.rs")),
    ("autograd/src/ops/select.rs", include_str!("ops/select.rs")),
    ("autograd/src/ops/softmax.rs", include_str!("ops/softmax.rs")),
];

/// The path and text of [`AdamW`](crate::kernels::adamw::AdamW).
const ADAMW: (&str, &str) = ("autograd/src/kernels/adamw.rs", include_str!("kernels/adamw.rs"));

/// The text of an op's file, such as `autograd/src/ops/softmax.rs`, or of AdamW's; `None` for any other path.
pub fn source(file: &str) -> Option<&'static str> {
    OPS.iter().chain([&ADAMW]).find(|(path, _)| *path == file).map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn every_file_of_ops_is_there_as_it_is_on_disk() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ops");
        let files = std::fs::read_dir(&folder).expect("a folder that can be listed");
        let mut number = 0;
        for file in files.map(|entry| entry.expect("an entry").path()) {
            let name = file.file_name().expect("a name").to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&file).expect("a text");
            assert_eq!(source(&format!("autograd/src/ops/{name}")), Some(text.as_str()), "{name}");
            number += 1;
        }
        assert_eq!(number, OPS.len());
        assert_eq!(source("autograd/src/ops"), None);
        assert!(source("autograd/src/kernels/adamw.rs").is_some_and(|text| text.contains("fn piece(")));
    }
}
