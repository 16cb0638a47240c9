//! Bad input: a message that names the file, the place and a way out, the exit code 2, and nothing lost.

use super::{Place, refused, transformer};
use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn a_missing_file_is_named() {
    let place = Place::new();
    refused(place.train(&place.path("no.txt"), &[]), &["no.txt", "there is no such file", "way out:"]);
    assert!(!place.path("run").exists(), "nothing is made for a run that cannot begin");
}

#[test]
fn an_empty_a_binary_and_a_latin_1_file_are_no_texts() {
    let place = Place::new();
    refused(place.train(&place.file("empty.txt", ""), &[]), &["empty.txt", "empty", "way out:"]);
    refused(
        place.train(&place.file("photo.jpg", [0u8, 255, 216, 0, 1, 2, 3]), &[]),
        &["photo.jpg", "way out:"],
    );
    refused(
        place.train(&place.file("latin.txt", b"caf\xe9 au lait".repeat(99)), &[]),
        &["latin.txt", "UTF-8", "way out:"],
    );
}

#[test]
fn a_text_shorter_than_a_window_in_either_part_is_refused_with_the_lengths() {
    let place = Place::new();
    let parts = ["short.txt", "is too short", "block_size 16", "way out:"];
    refused(place.train(&place.file("short.txt", "abcdefghij".repeat(10)), &[]), &parts);
}

#[test]
fn sizes_that_do_not_fit_one_another_or_are_no_sizes_are_refused_by_name() {
    let place = Place::new();
    let text = place.text();
    refused(place.train(&text, &["--n_embd=17"]), &["n_embd", "n_head", "17", "way out:"]);
    for value in ["0", "-4", "many"] {
        refused(place.train(&text, &[&format!("--batch_size={value}")]), &["--batch_size", "from 1 on"]);
    }
    refused(place.train(&text, &["--threads=1000000000"]), &["--threads", "from 1 to 1024"]);
    refused(place.train(&text, &["--seed=-1"]), &["--seed", "from 0 on"]);
    refused(place.train(&text, &["--dropout=1.5"]), &["dropout", "1.5", "way out:"]);
    refused(place.train(&text, &["--learning_rate=-1"]), &["learning_rate", "way out:"]);
}

#[cfg(target_os = "linux")] // where the system tells how much memory there is
#[test]
fn a_run_that_no_memory_holds_is_refused_before_anything_is_made() {
    let place = Place::new();
    for size in
        ["--n_embd=1000000000", "--batch_size=99999999999", "--gradient_accumulation_steps=99999999999"]
    {
        refused(place.train(&place.text(), &[size]), &["of memory, and this machine has", "way out:"]);
    }
    assert!(!place.path("run").exists());
}

#[test]
fn an_unknown_flag_preset_or_command_is_answered_with_a_suggestion() {
    let place = Place::new();
    refused(place.train(&place.text(), &["--n-layers=2"]), &["--n-layers", "--n-layer"]);
    refused(
        transformer(&["train", "--preset", "chars", "--out_dir"], &place.path("x")),
        &["'chars'", "'char'"],
    );
    refused(transformer(&["smaple", "--from"], &place.path("x")), &["'smaple'", "'sample'"]);
}

#[test]
fn a_directory_that_cannot_be_written_is_found_before_training() {
    let place = Place::new();
    let file = place.file("file", "not a directory");
    let out_dir = format!("--out_dir={}", file.join("run").display());
    refused(place.train(&place.text(), &[&out_dir]), &["file/run", "way out:"]);
}

#[test]
fn a_truncated_checkpoint_is_refused_and_named() {
    let place = Place::new();
    let run = place.trained();
    let weights = run.join("model.safetensors");
    let whole = fs::read(&weights).expect("weights");
    fs::write(&weights, &whole[..whole.len() / 2]).expect("a file that can be written");
    refused(transformer(&["sample", "--from"], &run), &["model.safetensors", "way out:"]);
    refused(transformer(&["train", "--resume", "--out_dir"], &run), &["model.safetensors", "way out:"]);
}

#[test]
fn a_checkpoint_of_another_shape_is_refused_with_both_shapes() {
    let place = Place::new();
    let run = place.trained();
    let path = run.join("config.json");
    let config = fs::read_to_string(&path).expect("config.json");
    assert!(config.contains("\"n_embd\": 16"), "{config}");
    fs::write(&path, config.replace("\"n_embd\": 16", "\"n_embd\": 32")).expect("a file that can be written");
    refused(transformer(&["sample", "--from"], &run), &["model.safetensors", "16", "32", "way out:"]);
    refused(transformer(&["train", "--resume", "--out_dir"], &run), &["way out:"]);
}

/// A config.json may have been edited by hand: it is not trusted with the size of what is allocated. (At most 1 GB here.)
#[cfg(target_os = "linux")] // where the shell can limit the memory
#[test]
fn a_config_of_an_absurd_size_is_refused_before_anything_is_allocated() {
    let place = Place::new();
    let sample = |run: &Path| {
        let limited =
            "ulimit -v 1000000 && exec \"$0\" sample --num_samples=1 --max_new_tokens=20 --from \"$1\"";
        let mut shell = Command::new("sh");
        shell.args(["-c", limited, env!("CARGO_BIN_EXE_transformer")]).arg(run).output().expect("a shell")
    };
    let edit = |field: &str, from: usize| {
        let path = place.path("run").join("config.json");
        let config = fs::read_to_string(&path).expect("config.json");
        let (from, to) = (format!("\"{field}\": {from}"), format!("\"{field}\": 1000000000"));
        assert!(config.contains(&from), "{config}");
        fs::write(&path, config.replace(&from, &to)).expect("a file that can be written");
    };
    for (field, size, told) in [
        ("n_embd", 16, "model.safetensors, tensor transformer.wte.weight"),
        ("n_layer", 1, "config.json tells of 1000000000 layers"),
        ("n_positions", 16, "model.safetensors, tensor transformer.wpe.weight"),
        ("vocab_size", 28, "tokenizer.json"),
        ("n_head", 2, "config.json, n_embd"),
    ] {
        assert!(place.train(&place.text(), &["--max_iters=1", "--overwrite"]).status.success());
        edit(field, size);
        refused(sample(&place.path("run")), &[told, "1000000000", "way out:"]);
    }
    assert!(place.train(&place.text(), &["--max_iters=1", "--overwrite", "--design=llama"]).status.success());
    edit("block_size", 16);
    let output = sample(&place.path("run"));
    assert!(output.status.success(), "with RoPE nothing is as long as the context: {output:?}");
}

#[test]
fn a_checkpoint_of_another_vocabulary_is_refused() {
    let place = Place::new();
    let run = place.trained();
    let other = Place::new();
    let data = other.file("other.txt", "0123456789 abcdefgh\n".repeat(60));
    assert!(other.train(&data, &[]).status.success());
    fs::copy(other.path("run/tokenizer.json"), run.join("tokenizer.json")).expect("a copy");
    refused(transformer(&["sample", "--from"], &run), &["tokenizer.json", "another vocabulary", "way out:"]);
}

#[test]
fn a_run_is_resumed_only_with_its_own_text_and_shape() {
    let place = Place::new();
    let run = place.trained();
    let other = place.file("other.txt", "the quick brown fox sleeps under the lazy dog\n".repeat(30));
    let out_dir = format!("--out_dir={}", run.display());
    let resume = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_transformer"));
        command.args(["train", "--resume", "--max_iters=20", &out_dir]).args(more);
        command.output().expect("a program that starts")
    };
    let data = format!("--data={}", other.display());
    refused(resume(&[&data]), &["other.txt", "not the text that the run was trained on", "way out:"]);
    refused(resume(&["--n_layer=2"]), &["another shape", "way out:"]);
    refused(resume(&["--tokenizer=byte"]), &["another tokenizer", "way out:"]);
    assert!(resume(&[]).status.success());
}

#[test]
fn an_unknown_character_in_a_prompt_is_named() {
    let place = Place::new();
    let run = place.trained();
    refused(transformer(&["sample", "--start", "fox 漢", "--from"], &run), &["'漢'", "U+6F22", "--start"]);
    let prompt = place.file("prompt.txt", "the lazy ");
    let start = format!("FILE:{}", prompt.display());
    let output = transformer(&["sample", "--num_samples=1", "--start", &start, "--from"], &run);
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("the lazy "), "{output:?}");
    refused(transformer(&["sample", "--start", "FILE:no.txt", "--from"], &run), &["no.txt", "no such file"]);
    refused(transformer(&["sample", "--temperature=-1", "--from"], &run), &["--temperature", "way out:"]);
    refused(transformer(&["sample", "--top_p=0", "--from"], &run), &["--top_p", "way out:"]);
}

#[test]
fn a_loss_that_is_no_number_stops_training_names_the_first_op_and_keeps_the_checkpoint() {
    let place = Place::new();
    let text = place.text();
    // So large a step makes the next loss infinite; a smaller one leaves it finite, but not its gradient.
    for rate in ["--learning_rate=1e38", "--learning_rate=1e30"] {
        let more =
            [rate, "--min_lr=0", "--warmup_iters=0", "--grad_clip=0", "--eval_interval=1", "--overwrite"];
        let parts =
            ["update ", "first value that is not finite", " in ", "model/", "is intact", "--learning_rate"];
        let output = place.train(&text, &more);
        assert!(!String::from_utf8_lossy(&output.stdout).contains("NaN"), "{output:?}");
        refused(output, &parts);
        let output = transformer(&["eval", "--from"], &place.path("run"));
        assert!(output.status.success(), "the last checkpoint is whole: {output:?}");
        let output = transformer(&["report"], &place.path("run"));
        assert!(output.status.success(), "how it blew up can be seen: {output:?}");
    }
}

#[test]
fn weights_and_a_tokenizer_of_two_runs_do_not_mix_even_if_they_are_of_one_size() {
    let (place, other) = (Place::new(), Place::new());
    let run = place.trained();
    let shouted = fs::read_to_string(place.text()).expect("a text").to_uppercase();
    let output = other.train(&other.file("text.txt", shouted), &[]);
    assert!(output.status.success(), "{output:?}");
    for file in ["tokenizer.json", "model.safetensors"] {
        let kept = fs::read(run.join(file)).expect("a file");
        fs::copy(other.path("run").join(file), run.join(file)).expect("a file that can be written");
        for command in [&["sample", "--from"][..], &["eval", "--from"], &["train", "--resume", "--out_dir"]] {
            refused(transformer(command, &run), &["way out:"]);
        }
        let output = transformer(&["sample", "--from"], &run);
        refused(output, &["model.safetensors", "another vocabulary", "tokenizer.json"]);
        fs::write(run.join(file), kept).expect("a file that can be written");
    }
    assert!(transformer(&["eval", "--from"], &run).status.success(), "each is back in its place");
}

#[test]
fn a_validation_loss_that_is_no_number_replaces_no_good_checkpoint() {
    let place = Place::new();
    let run = place.trained();
    let weights = || fs::read(run.join("model.safetensors")).expect("weights");
    let before = weights();
    let blown_up =
        ["train", "--resume", "--max_iters=20", "--eval_interval=1", "--learning_rate=1e38", "--grad_clip=0"];
    let output =
        transformer(&[&blown_up[..], &["--min_lr=0", "--decay_lr=false", "--out_dir"]].concat(), &run);
    refused(output, &["the checkpoint of step 10 is intact"]);
    assert!(weights() == before, "the good weights are still there");
    let output =
        transformer(&["train", "--resume", "--max_iters=12", "--learning_rate=1e-3", "--out_dir"], &run);
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn weights_that_are_no_numbers_are_refused_by_their_name() {
    let place = Place::new();
    let weights = place.trained().join("model.safetensors");
    let mut bytes = fs::read(&weights).expect("weights");
    let end = bytes.len();
    bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::write(&weights, bytes).expect("a file that can be written");
    for command in ["sample", "eval"] {
        let output = transformer(&[command, "--from"], &place.path("run"));
        refused(output, &["model.safetensors, tensor ", " of it is NaN", "way out:"]);
    }
}

#[cfg(unix)]
#[test]
fn a_full_disk_stops_training_and_leaves_the_last_checkpoint_intact() {
    let place = Place::new();
    let run = place.trained();
    let before = fs::read(run.join("model.safetensors")).expect("weights");
    // A limit on the size of files (in blocks of 512 bytes) refuses what a full disk would refuse.
    let script = format!(
        "trap '' XFSZ; ulimit -f 8; exec {} train --resume --max_iters=20 --out_dir {}",
        env!("CARGO_BIN_EXE_transformer"),
        run.display()
    );
    let output = Command::new("sh").args(["-c", &script]).output().expect("a shell");
    refused(output, &["run", "way out:"]);
    assert_eq!(fs::read(run.join("model.safetensors")).expect("weights"), before);
    assert!(transformer(&["eval", "--from"], &run).status.success());
    assert!(transformer(&["train", "--resume", "--max_iters=20", "--out_dir"], &run).status.success());
}

#[cfg(not(feature = "mpi"))]
#[test]
fn several_processes_of_a_program_without_mpi_are_refused_instead_of_training_side_by_side() {
    let place = Place::new();
    let run = |size: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_transformer"));
        command.arg("train").args(super::SMALL).arg("--data").arg(place.text());
        command.arg("--out_dir").arg(place.path("run")).env("OMPI_COMM_WORLD_SIZE", size).output()
    };
    refused(run("2").expect("a program"), &["was built without MPI", "--features mpi"]);
    assert!(!place.path("run").exists());
    assert!(run("1").expect("a program").status.success(), "one process trains");
}
