//! The book's chapter on the debugger: its commands are typed into gdb, and gdb answers what the chapter shows. The
//! configurations of VS Code start and stop where they should, and what Windows' debugger is told about the types is true.

use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
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

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Whether there is a gdb; where there is none, that is said, and in CI it is a failure.
fn there_is_a_gdb() -> bool {
    let found = Command::new("gdb").arg("--version").output().is_ok();
    if !found {
        // Past the capture of the test's output: whoever runs the tests should read it.
        let said = "NOT TESTED: there is no gdb on this machine (Debian: apt-get install gdb)\n";
        std::io::stderr().write_all(said.as_bytes()).expect("standard error can be written");
        assert!(!in_ci(), "CI has to have a gdb");
    }
    found
}

fn in_ci() -> bool {
    std::env::var_os("BACKSTEP_NEEDS_GDB").is_some()
}

/// Runs `cargo build` with these flags and whole debug information; the program that it made. It lies in a folder of its own:
/// the other tests go on with the program that was built for them, which is optimised.
fn built(flags: &[&str]) -> PathBuf {
    let build = Command::new(env!("CARGO"))
        .env("CARGO_TARGET_DIR", concat!(env!("CARGO_TARGET_TMPDIR"), "/debugger"))
        .args(["build", "--quiet", "--locked"])
        .args(flags)
        .args(["--message-format=json-render-diagnostics", "--config=profile.dev.debug=\"full\""])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(build.status.success(), "{}", String::from_utf8_lossy(&build.stderr));
    let messages = String::from_utf8_lossy(&build.stdout);
    let mut programs = messages.lines().filter_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        message["executable"].as_str().map(PathBuf::from)
    });
    programs.next_back().expect("cargo names the program")
}

fn neuron() -> PathBuf {
    built(&["-p", "autograd", "--example", "debugger"])
}

/// What a debugger prints: it starts with `flags`, then these commands are typed.
fn typed(
    debugger: &str,
    flags: &[String],
    commands: &[String],
    program: &Path,
    arguments: &[&str],
) -> [String; 2] {
    let mut gdb = Command::new(debugger);
    gdb.args(["-nx", "-batch"]).args(flags);
    gdb.args(["-ex", "set pagination off", "-ex", "set width 0", "-ex", "set disable-randomization off"]);
    for command in commands {
        gdb.args(["-ex", command]);
    }
    gdb.arg("--args").arg(program).args(arguments);
    let output = gdb.current_dir(root()).env("DEBUGINFOD_URLS", "").output().expect("gdb runs");
    [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned())
}

/// gdb may load what rustc has embedded in the program.
fn trusting(folder: &Path) -> Vec<String> {
    vec!["-iex".to_owned(), format!("add-auto-load-safe-path {}", folder.display())]
}

#[test]
fn gdb_shows_tensors_variables_and_a_walk_back_as_the_book_says() {
    if !there_is_a_gdb() {
        return;
    }
    let program = neuron();
    let page = std::fs::read_to_string(root().join("docs/src/debugger.md")).expect("the chapter is there");
    let session = session(&page);
    assert!(session.len() > 10, "the chapter has lost its session");
    let marked = |(i, typed): (usize, &Typed)| [format!("echo \\n@{i}@\\n"), typed.command.clone()];
    let commands: Vec<String> = session.iter().enumerate().flat_map(marked).collect();
    let flags = trusting(program.parent().expect("a directory"));
    let [printed, complaints] = typed("gdb", &flags, &commands, &program, &[]);
    for (i, Typed { command, shown }) in session.iter().enumerate() {
        let (_, answer) = printed.split_once(&format!("\n@{i}@\n")).unwrap_or_else(|| panic!("{printed}"));
        let answer = answer.split("\n@").next().unwrap_or(answer);
        let lines: Vec<&str> = answer.lines().filter(|line| !line.is_empty()).collect();
        assert!(
            fits(shown, &lines),
            "(gdb) {command}\nthe book shows\n{}\nand gdb says\n{answer}\n{}",
            shown.join("\n"),
            complaints
        );
    }
}

#[test]
fn an_answer_fits_only_the_lines_that_are_shown() {
    let shown: Vec<String> = ["…", "b", "…"].map(str::to_owned).to_vec();
    assert!(fits(&shown, &["a", "a", "b"]) && fits(&shown, &["b", "c"]));
    assert!(!fits(&shown, &["a", "c"]) && !fits(&[], &["a"]));
}

/// A file of `.vscode`: JSON with comments on lines of their own.
fn vscode(name: &str) -> Value {
    let text = std::fs::read_to_string(root().join(".vscode").join(name)).expect("the file is there");
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    serde_json::from_str(&lines.join("\n")).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// What F5 does, done in batch mode: the task is run, the debugger is started with the flags of the configuration.
#[test]
fn each_launch_configuration_builds_its_program_and_stops_in_it() {
    if !there_is_a_gdb() {
        return;
    }
    let (launch, tasks) = (vscode("launch.json"), vscode("tasks.json"));
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned();
    let all = launch["configurations"].as_array().expect("configurations");
    let stops = [
        ("debugger.rs:16", "loss = Var %5 Sum %4 [] = [1.22271]"),
        ("transformer::check::run", "derivatives = 4"),
    ];
    assert_eq!(all.len(), stops.len());
    for (configuration, (stop, shown)) in all.iter().zip(stops) {
        // The second builds the whole program without optimisation, which takes a minute: CI does it.
        if configuration != &all[0] && !in_ci() {
            continue;
        }
        let task = tasks["tasks"]
            .as_array()
            .expect("tasks")
            .iter()
            .find(|task| task["label"] == configuration["preLaunchTask"]);
        let command = text(&task.expect("the task that it names")["command"]);
        let flags: Vec<&str> =
            command.strip_prefix("cargo build").expect("a build").split_whitespace().collect();
        let program = built(&flags);

        let target = program.ancestors().find(|folder| folder.ends_with("debug")).and_then(Path::parent);
        let target = target.expect("a target folder").display().to_string();
        let filled = |value: &Value| text(value).replace("${workspaceFolder}/target", &target);
        assert_eq!(
            filled(&configuration["program"]),
            program.display().to_string(),
            "the program is the one that was built"
        );
        let trusted = filled(&configuration["miDebuggerArgs"]);
        let trusted =
            trusted.strip_prefix("-iex \"").and_then(|rest| rest.strip_suffix('"')).expect("-iex \"…\"");
        let setup = configuration["setupCommands"].as_array().expect("commands");
        let mut commands: Vec<String> =
            setup.iter().map(|each| format!("interpreter-exec mi \"{}\"", text(&each["text"]))).collect();
        commands.extend([
            format!("break {stop}"),
            "run".to_owned(),
            "info locals".to_owned(),
            "info args".to_owned(),
        ]);
        let arguments: Vec<String> =
            configuration["args"].as_array().expect("arguments").iter().map(text).collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let flags = ["-iex".to_owned(), trusted.to_owned()];
        let [printed, complaints] =
            typed(&text(&configuration["miDebuggerPath"]), &flags, &commands, &program, &arguments);
        assert!(printed.contains(shown), "{}: no {shown} in\n{printed}\n{complaints}", configuration["name"]);
    }
}

/// The names of the elements of an XML text, in order; panics where one is not closed by its own name.
fn elements(xml: &str) -> Vec<String> {
    let (mut open, mut all) = (Vec::new(), Vec::new());
    let mut rest = xml;
    while let Some((_, after)) = rest.split_once('<') {
        let end = if after.starts_with("!--") { "-->" } else { ">" };
        let (tag, next) = after.split_once(end).unwrap_or_else(|| panic!("<{after} does not end"));
        rest = next;
        if tag.starts_with(['?', '!']) {
            continue;
        }
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name.to_owned()), "</{name}> closes another element");
            continue;
        }
        let name = tag.split_whitespace().next().unwrap_or_default().trim_end_matches('/').to_owned();
        assert_eq!(tag.matches('"').count() % 2, 0, "<{tag}> has an open quotation mark");
        if !tag.ends_with('/') {
            open.push(name.clone());
        }
        all.push(name);
    }
    assert!(open.is_empty(), "{open:?} are not closed");
    assert!(
        xml.split('&')
            .skip(1)
            .all(|entity| ["lt;", "gt;", "amp;"].iter().any(|known| entity.starts_with(known)))
    );
    all
}

/// The ways through fields, such as `tape->nodes.value`, that an expression of the natvis file takes.
fn ways(expression: &str) -> Vec<String> {
    let arrows = expression.replace("->", "→");
    let words = arrows.split(|c: char| !(c.is_alphanumeric() || "_.→".contains(c)));
    words.filter(|word| word.contains('.')).map(|word| word.replace('→', "->")).collect()
}

/// Windows' debugger cannot be run here. What can: the file is well-formed, and gdb follows each way through the fields that
/// it names in a real tensor and a real variable.
#[test]
fn what_natvis_says_of_the_types_is_well_formed_and_every_field_that_it_names_is_there() {
    let path = root().join("autograd/src/debugger/autograd.natvis");
    let text = std::fs::read_to_string(path).expect("the file is there");
    let names = elements(&text);
    assert_eq!(
        (names[0].as_str(), names.iter().filter(|name| *name == "Type").count()),
        ("AutoVisualizer", 2)
    );
    if !there_is_a_gdb() {
        return;
    }
    let program = neuron();
    let mut commands = vec!["break debugger.rs:16".to_owned(), "run".to_owned(), "set language c".to_owned()];
    let mut followed = 0;
    for (of, object) in [("tape::Var", "loss."), ("tensor::Tensor", "at->dy->")] {
        let (_, part) = text.split_once(&format!("<Type Name=\"autograd::{of}")).expect("the type is there");
        let (part, _) = part.split_once("</Type>").expect("and ends");
        if of == "tensor::Tensor" {
            let inside_a_rule = [
                "set language rust",
                "break autograd::ops::matmul::{impl#0}::vjp<f64>",
                "continue",
                "set language c",
            ];
            commands.extend(inside_a_rule.map(str::to_owned));
        }
        for way in ways(part) {
            commands.push(format!("print &({object}{way})"));
            followed += 1;
        }
    }
    assert!(followed >= 5, "the expressions were not found");
    let flags = trusting(program.parent().expect("a directory"));
    let [printed, complaints] = typed("gdb", &flags, &commands, &program, &[]);
    let found = printed.lines().filter(|line| line.starts_with('$')).count();
    assert_eq!(found, followed, "{printed}\n{complaints}");
}

#[test]
fn an_element_that_is_not_closed_is_found_and_a_way_is_read() {
    assert_eq!(elements("<?x?><a b=\"c\"><!-- <d> --><e/></a>"), ["a", "e"]);
    assert!(std::panic::catch_unwind(|| elements("<a><b></a></b>")).is_err());
    assert_eq!(ways("($T1*)storage.ptr.pointer->data.len + 1"), ["storage.ptr.pointer->data.len"]);
}
