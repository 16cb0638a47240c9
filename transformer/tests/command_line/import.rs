//! `import` and `export`: what they write, and what they refuse.

use super::{Place, refused, transformer};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

impl Place {
    /// A checkpoint in Hugging Face's format, exported from a run that was trained with these flags.
    pub(super) fn checkpoint(&self, flags: &[&str]) -> PathBuf {
        let output = self.train(&self.text(), &[&["--max_iters=1", "--overwrite"], flags].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let output = self.export(&["--overwrite"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        self.path("checkpoint")
    }

    fn export(&self, flags: &[&str]) -> Output {
        let (from, out) = (self.path("run"), self.path("checkpoint"));
        let [from, out] = [&from, &out].map(|path| path.to_str().expect("a path in UTF-8"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_transformer"));
        command
            .args(["export", "--from", from, "--out", out])
            .args(flags)
            .output()
            .expect("a program that starts")
    }

    pub(super) fn import(&self, checkpoint: &Path) -> Output {
        let out = self.path("imported");
        let output = transformer(&["import", "--overwrite", "--out", out.to_str().unwrap()], checkpoint);
        assert_eq!(
            out.exists(),
            output.status.success(),
            "a run is made of what is whole, and of nothing else"
        );
        output
    }
}

/// Changes a text file.
pub(super) fn edit(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).expect("a file");
    assert!(text.contains(from), "{from} in {text}");
    fs::write(path, text.replacen(from, to, 1)).expect("a file that can be written");
}

#[test]
fn a_model_that_is_exported_and_imported_writes_what_it_wrote_before() {
    let place = Place::new();
    for flags in
        [&["--bias"][..], &["--design=llama", "--n_kv_head=1"], &["--activation=relu", "--n_inner=40"]]
    {
        let checkpoint = place.checkpoint(flags);
        assert!(place.import(&checkpoint).status.success());
        let wrote = |run: &str| {
            let flags = ["sample", "--temperature=0", "--num_samples=1", "--start", "the ", "--from"];
            let output = transformer(&flags, &place.path(run));
            assert!(output.status.success(), "{output:?}");
            output.stdout
        };
        assert_eq!(wrote("run"), wrote("imported"), "{flags:?}");
        fs::remove_dir_all(place.path("imported")).expect("a directory");
    }
}

#[test]
fn a_header_that_lies_about_sizes_is_refused_before_anything_is_allocated() {
    let place = Place::new();
    let weights = place.checkpoint(&["--bias"]).join("model.safetensors");
    let whole = fs::read(&weights).expect("weights");
    let mut longer_header = whole.clone();
    longer_header[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    for (bytes, what) in [
        (longer_header, "its header would be 18446744073709551615 bytes long"),
        (whole[..whole.len() - 4].to_vec(), "the file is cut off"),
        ([&whole[..], &[0; 4]].concat(), "longer than its header says"),
    ] {
        fs::write(&weights, bytes).expect("a file that can be written");
        refused(place.import(&place.path("checkpoint")), &["model.safetensors", what, "way out:"]);
    }
}

#[test]
fn tensors_that_overlap_or_are_of_another_size_than_their_shape_are_refused() {
    let place = Place::new();
    let checkpoint = place.path("checkpoint");
    let write = |a: &str, b: &str| {
        place.checkpoint(&["--bias"]);
        let header = format!(
            r#"{{"a":{{"dtype":"F32","shape":[2],"data_offsets":{a}}},"b":{{"dtype":"F32","shape":[2],"data_offsets":{b}}}}}"#
        );
        let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0; 16]].concat();
        fs::write(checkpoint.join("model.safetensors"), bytes).expect("a file that can be written");
    };
    for (a, b) in
        [("[0,8]", "[4,12]"), ("[0,8]", "[0,8]"), ("[0,8]", "[8,12]"), ("[0,8]", "[8,800000000000]")]
    {
        write(a, b);
        refused(place.import(&checkpoint), &["model.safetensors", "the header", "way out:"]);
    }
    write("[0,8]", "[8,16]");
    refused(place.import(&checkpoint), &["model.safetensors", "tensor wte.weight", "it is missing"]);
}

#[test]
fn a_config_of_an_unknown_kind_or_without_a_field_is_refused_by_the_field() {
    let place = Place::new();
    let config = place.checkpoint(&["--bias"]).join("config.json");
    edit(&config, "\"gpt2\"", "\"mamba\"");
    refused(
        place.import(&place.path("checkpoint")),
        &["config.json, field model_type", "\"mamba\"", "way out:"],
    );
    edit(&config, "\"mamba\"", "\"gpt2\"");
    edit(&config, "\"n_head\": 2,", "");
    refused(place.import(&place.path("checkpoint")), &["config.json", "missing field `n_head`", "way out:"]);
}

#[test]
fn a_tokenizer_with_more_ids_than_the_model_has_rows_is_refused() {
    let place = Place::new();
    let tokenizer = place.checkpoint(&["--bias"]).join("tokenizer.json");
    edit(&tokenizer, "\"vocab\": {", "\"vocab\": { \"7\": 28,");
    let output = place.import(&place.path("checkpoint"));
    refused(output, &["tokenizer.json", "another vocabulary", "29 tokens", "vocab_size 28", "way out:"]);
    fs::remove_file(tokenizer).expect("a file");
    refused(place.import(&place.path("checkpoint")), &["tokenizer.json", "--tokenizer FILE", "way out:"]);
}

#[test]
fn a_checkpoint_without_weights_or_without_one_of_its_shards_is_refused() {
    let place = Place::new();
    let checkpoint = place.checkpoint(&["--bias"]);
    fs::remove_file(checkpoint.join("model.safetensors")).expect("a file");
    refused(place.import(&checkpoint), &["checkpoint", "no weights here", "save_pretrained", "way out:"]);
    let index = r#"{"weight_map": {"transformer.wte.weight": "model-00001-of-00002.safetensors"}}"#;
    fs::write(checkpoint.join("model.safetensors.index.json"), index).expect("a file that can be written");
    let parts =
        ["model.safetensors.index.json, field weight_map", "model-00001-of-00002.safetensors", "missing"];
    refused(place.import(&checkpoint), &parts);
    for (index, told) in [
        (
            r#"{"weight_map": {"a": "../elsewhere.safetensors"}}"#,
            "field weight_map: a shard is a file beside the index",
        ),
        (r#"{"weight_map": {"a": 3}}"#, "expected a string at line 1"),
        ("{}", "missing field `weight_map`"),
    ] {
        fs::write(checkpoint.join("model.safetensors.index.json"), index)
            .expect("a file that can be written");
        refused(place.import(&checkpoint), &["model.safetensors.index.json", told, "way out:"]);
    }
}

/// With at most 1 GB of memory: a file is not trusted with the size of what is allocated.
#[cfg(target_os = "linux")] // where the shell can limit the memory
#[test]
fn a_shard_that_lies_and_a_config_of_an_absurd_size_are_refused_in_little_memory() {
    let place = Place::new();
    let import = |checkpoint: &Path| {
        let limited = "ulimit -v 1000000 && exec \"$0\" import --out \"$1\" \"$2\"";
        let mut shell = Command::new("sh");
        shell.args(["-c", limited, env!("CARGO_BIN_EXE_transformer")]);
        shell.arg(place.path("imported")).arg(checkpoint).output().expect("a shell")
    };
    let checkpoint = place.checkpoint(&["--bias"]);
    edit(&checkpoint.join("config.json"), "\"n_embd\": 16", "\"n_embd\": 1000000000");
    refused(
        import(&checkpoint),
        &["model.safetensors, tensor transformer.wte.weight", "1000000000", "way out:"],
    );
    edit(&checkpoint.join("config.json"), "\"n_embd\": 1000000000", "\"n_embd\": \"16\"");
    refused(import(&checkpoint), &["config.json, field n_embd", "\"16\"", "way out:"]);
    edit(&checkpoint.join("config.json"), "\"n_embd\": \"16\"", "\"n_embd\": 16");

    let shard = "model-00001-of-00001.safetensors";
    let mut weights = fs::read(checkpoint.join("model.safetensors")).expect("weights");
    fs::remove_file(checkpoint.join("model.safetensors")).expect("a file");
    weights[..8].copy_from_slice(&(1_u64 << 62).to_le_bytes());
    fs::write(checkpoint.join(shard), weights).expect("a file that can be written");
    let index = format!(r#"{{"weight_map": {{"transformer.wte.weight": "{shard}"}}}}"#);
    fs::write(checkpoint.join("model.safetensors.index.json"), index).expect("a file that can be written");
    refused(import(&checkpoint), &[shard, "its header would be 4611686018427387904 bytes long", "way out:"]);
}

#[test]
fn what_transformers_cannot_express_is_not_exported_and_a_model_not_overwritten() {
    let place = Place::new();
    for (flags, field) in [
        (&["--position=rope"][..], "norm"),
        (&["--norm=rms"], "norm"),
        (&["--activation=swiglu"], "activation"),
        (&["--n_kv_head=1"], "n_kv_head"),
        (&["--design=llama", "--activation=relu"], "activation"),
    ] {
        let output = place.train(&place.text(), &[&["--max_iters=1", "--overwrite"], flags].concat());
        assert!(output.status.success(), "{output:?}");
        refused(place.export(&[]), &["run", &format!("field {field}:"), "way out:"]);
    }
    place.checkpoint(&["--bias"]);
    refused(place.export(&[]), &["checkpoint", "already holds a model", "--overwrite"]);
}

#[test]
fn an_imported_model_is_measured_on_a_text_that_is_named() {
    let place = Place::new();
    assert!(place.import(&place.checkpoint(&["--bias"])).status.success());
    let imported = place.path("imported");
    refused(transformer(&["eval", "--from"], &imported), &["--data", "no text of its own", "way out:"]);
    refused(transformer(&["check", "--from"], &imported), &["no text of its own", "give a text by --text"]);
    refused(transformer(&["batch", "--from"], &imported), &["no text of its own", "train --init_from"]);
    let text = place.text();
    let output = transformer(&["eval", "--data", text.to_str().unwrap(), "--from"], &imported);
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("validation loss "), "{output:?}");
}

#[test]
fn an_imported_model_is_stepped_through_on_a_text_that_is_given() {
    let place = Place::new();
    assert!(place.import(&place.checkpoint(&["--design=llama", "--n_kv_head=1"])).status.success());
    let imported = place.path("imported");
    refused(transformer(&["trace", "--from"], &imported), &["no text of its own", "give a text with --text"]);
    let output = transformer(&["trace", "--text", "the end", "--backward", "--from"], &imported);
    let text = String::from_utf8_lossy(&output.stdout);
    let first = text.lines().next().unwrap_or_default();
    assert!(output.status.success() && first.contains("trained elsewhere"), "{output:?}");
    assert!(first.ends_with("at the demo's rate"), "it has learnt something: {first}");
    let refusal = ["on the fused path this model computes no layer_norm", "--plant", "take one of: no-mask"];
    let flags = ["trace", "--text", "the end", "--plant", "fixed-deviation", "--from"];
    refused(transformer(&flags, &imported), &refusal);
}

#[test]
fn a_checkpoint_is_not_imported_onto_itself_nor_a_run_exported_onto_itself() {
    let place = Place::new();
    let checkpoint = place.checkpoint(&[]);
    let here = checkpoint.to_str().expect("a path in UTF-8");
    let weights = fs::read(checkpoint.join("model.safetensors")).expect("a checkpoint");
    let output = transformer(&["import", "--overwrite", "--out", here], &checkpoint);
    refused(output, &[here, "--out"]);
    assert_eq!(fs::read(checkpoint.join("model.safetensors")).ok(), Some(weights));

    assert!(place.import(&checkpoint).status.success());
    let imported = place.path("imported");
    let here = imported.to_str().expect("a path in UTF-8");
    let output = transformer(&["export", "--overwrite", "--out", here, "--from"], &imported);
    refused(output, &[here, "--out"]);
    assert!(
        transformer(&["eval", "--data", place.text().to_str().unwrap(), "--from"], &imported)
            .status
            .success()
    );
}

#[test]
fn the_ids_of_special_tokens_go_out_as_they_came_in() {
    let place = Place::new();
    let checkpoint = place.checkpoint(&["--bias"]);
    edit(&checkpoint.join("config.json"), r#""eos_token_id": null"#, r#""eos_token_id": [0, 2]"#);
    assert!(place.import(&checkpoint).status.success());
    let out = place.path("again");
    let output = transformer(&["export", "--out", out.to_str().unwrap(), "--from"], &place.path("imported"));
    assert!(output.status.success(), "{output:?}");
    let text = fs::read_to_string(out.join("config.json")).expect("a file");
    let config: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(config["eos_token_id"], serde_json::json!([0, 2]), "{text}");
    assert_eq!(config["bos_token_id"], serde_json::Value::Null, "{text}");
}

#[test]
fn no_run_is_replaced_by_an_export_not_even_an_imported_one() {
    let place = Place::new();
    assert!(place.import(&place.checkpoint(&["--bias"])).status.success());
    let imported = place.path("imported");
    let weights = fs::read(imported.join("model.safetensors")).expect("a run");
    let output = transformer(
        &["export", "--overwrite", "--out", imported.to_str().unwrap(), "--from"],
        &place.path("run"),
    );
    refused(output, &["imported", "already holds a model", "a run is never replaced"]);
    assert_eq!(fs::read(imported.join("model.safetensors")).ok(), Some(weights));
}

#[test]
fn an_imported_model_is_never_said_to_be_a_run_that_goes_on() {
    let place = Place::new();
    let checkpoint = place.checkpoint(&["--bias"]);
    assert!(place.import(&checkpoint).status.success());
    let imported = place.path("imported");
    let [name, data] = [&imported, &place.text()].map(|path| path.to_str().expect("UTF-8").to_owned());
    let begin = format!("begin with it by `train --init_from {name} --out_dir OTHER`");
    let again = transformer(&["import", "--out", &name], &checkpoint);
    refused(again, &["already holds a model", &begin]);
    let resumed = transformer(&["train", "--resume", "--out_dir"], &imported);
    let message = String::from_utf8_lossy(&resumed.stderr).into_owned();
    assert!(!message.contains("--overwrite"), "{message}");
    refused(resumed, &["a model, not a run of train", &begin]);
    let onto_itself =
        transformer(&["train", "--data", &data, "--init_from", &name, "--overwrite", "--out_dir"], &imported);
    let message = String::from_utf8_lossy(&onto_itself.stderr).into_owned();
    assert!(!message.contains("--resume"), "{message}");
    refused(onto_itself, &["--init_from", "name another --out_dir"]);
    assert!(imported.join("model.safetensors").exists());
}
