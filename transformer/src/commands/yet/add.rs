//! Writing down an experiment: a question a line.

use super::program;
use crate::commands::out::{print, say};
use crate::error::{Error, Result};
use crate::scale::ladder;
use crate::tasks::{Kind, Task};
use crate::yet::experiment::{Experiment, Recipe};
use std::io::{BufRead, IsTerminal};
use std::path::Path;

/// Asks, and writes `NAME.toml`.
pub fn ask(directory: &Path) -> Result<()> {
    say("An experiment is a question with a threshold, asked again whenever there is a more capable model.");
    let name = answer("its name (letters, digits, _)", "", |name: &str| {
        let fits = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let path = directory.join(format!("{name}.toml"));
        match (fits, path.exists()) {
            (false, _) => Err("letters, digits and _ only".to_owned()),
            (_, true) => Err(format!("{} is there already", path.display())),
            _ => Ok(name.to_owned()),
        }
    })?;
    let some =
        |text: &str| if text.is_empty() { Err("say it in a sentence".into()) } else { Ok(text.to_owned()) };
    let question = answer("the question", "", some)?;
    say(format!("  tasks: {}", Kind::ALL.map(Kind::name).join(", ")));
    let kind = answer("the task", "", |name| {
        let found = Kind::ALL.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| "none of these".to_owned())
    })?;
    let (unit, sizes) = kind.sizes();
    let size = answer(
        &format!("how large: {unit}, {} to {}", sizes.start(), sizes.end()),
        &sizes.start().to_string(),
        |text| {
            let size = text.parse().map_err(|_| "a whole number".to_owned())?;
            Task::new(kind, size).map(|_| size).map_err(|error| error.to_string())
        },
    )?;
    let threshold = answer("the share of right answers that counts as \"works\"", "0.9", |text| {
        text.parse()
            .ok()
            .filter(|&x: &f64| x > 0.0 && x <= 1.0)
            .ok_or_else(|| "above 0, at most 1".to_owned())
    })?;
    let expected_rung =
        answer("from which rung on you expect it to work (none: never)", "none", |text| match text {
            "none" => Ok(None),
            text => {
                let rung = text.parse().ok().filter(|rung| (ladder::LOWEST..=ladder::HIGHEST).contains(rung));
                let range = || format!("a rung from {} to {}, or none", ladder::LOWEST, ladder::HIGHEST);
                rung.map(Some).ok_or_else(range)
            }
        })?;
    let why = answer("why", "", some)?;
    let whole =
        |text: &str| text.parse().ok().filter(|&n: &usize| n > 0).ok_or_else(|| "from 1 on".to_owned());
    let updates = answer("updates", "1000", whole)?;
    let experiment = Experiment {
        name: name.clone(),
        question,
        task: kind.name().to_owned(),
        size,
        threshold,
        expected_rung,
        why,
        recipe: Recipe {
            rows: if kind.in_story() { 6 } else { 32 },
            updates,
            learning_rate: None,
            weight_decay: None,
            stop_when_solved: true,
        },
        rungs: vec![1, 2, 4],
        seeds: vec![1, 2, 3],
    };
    experiment.check()?;
    let path = directory.join(format!("{name}.toml"));
    let text = toml::to_string(&experiment).map_err(|error| Error::new(error.to_string()))?;
    std::fs::create_dir_all(directory).map_err(|error| Error::io("make", directory, &error))?;
    crate::files::write_atomically(&path, |file| file.write_all(text.as_bytes()))?;
    say(format!("written: {}\nrun it: {} yet run {name}", path.display(), program()));
    Ok(())
}

/// Asks until the answer fits; an empty one is the default. Where nobody sits at a terminal, a wrong answer is an error.
fn answer<T>(question: &str, default: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<T> {
    loop {
        let shown = if default.is_empty() { String::new() } else { format!(" [{default}]") };
        print(&format!("{question}{shown}: "));
        let mut line = String::new();
        let got = std::io::stdin()
            .lock()
            .read_line(&mut line)
            .map_err(|error| Error::new(format!("the answer cannot be read: {error}")).at(question))?;
        let text = if line.trim().is_empty() { default } else { line.trim() };
        match read(text) {
            Ok(value) => return Ok(value),
            Err(what) if got > 0 && std::io::stdin().is_terminal() => say(format!("  {what}")),
            Err(what) => {
                return Err(Error::new(format!("{text:?} will not do: {what}"))
                    .at(question)
                    .way_out("answer at a terminal, or write the file by hand like the other experiments"));
            }
        }
    }
}
