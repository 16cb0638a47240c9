//! The book's chapter on the debugger: its commands are typed into gdb, and gdb answers what the chapter shows.

use std::io::Write;
use std::path::Path;
use std::process::Command;

/// A command of the chapter, and the lines that it shows as the answer.
struct Typed {
    command: String,
    shown: Vec<String>,
}

fn session(page: &str) -> Vec<Typed> {
    let mut session: Vec<Typed> = Vec::new();
    let mut in_sample = false;
    for line in page.lines() {
        if line.starts_with("```") {
            in_sample = line == "```text";
        } else if let (true, Some(command)) = (in_sample, line.strip_prefix("(gdb) ")) {
            session.push(Typed { command: command.to_owned(), shown: Vec::new() });
        } else if let (true, Some(last)) = (in_sample && !line.starts_with("cargo "), session.last_mut()) {
            last.shown.push(line.to_owned());
        }
    }
    session
}

/// Whether the lines are those that are shown, where `…` stands for any number of lines.
fn fits(shown: &[String], printed: &[&str]) -> bool {
    match (shown.split_first(), printed.split_first()) {
        (None, None) => true,
        (Some((line, rest)), _) if line == "…" => {
            (0..=printed.len()).any(|skip| fits(rest, &printed[skip..]))
        }
        (Some((line, shown)), Some((other, printed))) => line == other && fits(shown, printed),
        _ => false,
    }
}

#[test]
fn gdb_shows_tensors_variables_and_a_walk_back_as_the_book_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    if Command::new("gdb").arg("--version").output().is_err() {
        // Past the capture of the test's output: whoever runs the tests should read it.
        let said = "NOT TESTED: there is no gdb on this machine (Debian: apt-get install gdb)\n";
        std::io::stderr().write_all(said.as_bytes()).expect("standard error can be written");
        assert!(std::env::var_os("BACKSTEP_NEEDS_GDB").is_none(), "CI has to have a gdb");
        return;
    }
    let build = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--locked", "-p", "autograd", "--example", "debugger"])
        .args(["--message-format=json-render-diagnostics", "--config=profile.dev.debug=\"full\""])
        .current_dir(root)
        .output()
        .expect("cargo runs");
    assert!(build.status.success(), "{}", String::from_utf8_lossy(&build.stderr));
    let messages = String::from_utf8_lossy(&build.stdout);
    let program = messages.lines().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        message["executable"].as_str().map(str::to_owned)
    });
    let program = program.expect("cargo names the program");

    let page = std::fs::read_to_string(root.join("docs/src/debugger.md")).expect("the chapter is there");
    let session = session(&page);
    assert!(session.len() > 10, "the chapter has lost its session");
    let trusted = Path::new(&program).parent().expect("a directory").display().to_string();
    let mut gdb = Command::new("gdb");
    gdb.args(["-nx", "-batch", "-iex", &format!("add-auto-load-safe-path {trusted}")]);
    gdb.args(["-ex", "set pagination off", "-ex", "set width 0", "-ex", "set disable-randomization off"]);
    for (i, typed) in session.iter().enumerate() {
        gdb.args(["-ex", &format!("echo \\n@{i}@\\n"), "-ex", &typed.command]);
    }
    let output = gdb.arg(&program).current_dir(root).env("DEBUGINFOD_URLS", "").output().expect("gdb runs");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    for (i, Typed { command, shown }) in session.iter().enumerate() {
        let (_, answer) = printed.split_once(&format!("\n@{i}@\n")).unwrap_or_else(|| panic!("{printed}"));
        let answer = answer.split("\n@").next().unwrap_or(answer);
        let lines: Vec<&str> = answer.lines().filter(|line| !line.is_empty()).collect();
        assert!(
            fits(shown, &lines),
            "(gdb) {command}\nthe book shows\n{}\nand gdb says\n{answer}\n{}",
            shown.join("\n"),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn an_answer_fits_only_the_lines_that_are_shown() {
    let shown: Vec<String> = ["…", "b", "…"].map(str::to_owned).to_vec();
    assert!(fits(&shown, &["a", "a", "b"]) && fits(&shown, &["b", "c"]));
    assert!(!fits(&shown, &["a", "c"]) && !fits(&[], &["a"]));
}
