//! `--config FILE.toml`: flags from a file.
//!
//! A key is the name of a flag, its value the flag's: `n_layer = 6`. The file's flags are read as if they stood before
//! those of the command line, of which the last one counts. So there is one list of names and of allowed values.

use crate::error::{Error, Result, line_and_column};
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, ArgAction, Command};
use std::any::TypeId;
use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use toml::de::{DeTable, DeValue};

/// More than any list of flags takes, in bytes.
const LONGEST: u64 = 1 << 20;

/// The flags that the file gives, spelled as on the command line of `command`.
///
/// # Errors
/// If the file cannot be read, is no TOML, or has an unknown key or a value that its flag does not take; the message
/// names the line.
pub(crate) fn flags(path: &Path, command: &Command) -> Result<Vec<OsString>> {
    let text = read(path)?;
    let place = |offset: usize| format!("line {}", line_and_column(text.as_bytes(), offset).0);
    let table = DeTable::parse(&text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        Error::new(format!("this is no TOML: {}", error.message())).at(place(offset))
    });
    let table =
        table.map_err(|error| error.in_file(path).way_out("write a line for each flag: n_layer = 6"))?;
    let mut entries: Vec<_> = table.get_ref().iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    let flags = entries.into_iter().map(|(key, value)| {
        let wrong = |error: Error| error.in_file(path).at(place(key.span().start));
        flag(key.get_ref(), value.get_ref(), command).map_err(wrong)
    });
    Ok(flags.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
}

fn read(path: &Path) -> Result<String> {
    let refused = |error| Error::io("read", path, &error);
    let mut bytes = Vec::new();
    File::open(path).map_err(refused)?.take(LONGEST + 1).read_to_end(&mut bytes).map_err(refused)?;
    let is_text = String::from_utf8(bytes).ok().filter(|text| text.len() as u64 <= LONGEST);
    is_text.ok_or_else(|| {
        Error::new("this is not a list of flags: it is no text in UTF-8, or longer than 1 MB")
            .in_file(path)
            .way_out("name a file such as the config.toml of a run")
    })
}

/// `n_layer = 6` → `--n_layer=6`; of a flag that is there or not, `false` is nothing.
fn flag(key: &str, value: &DeValue, command: &Command) -> Result<Option<OsString>> {
    let name = key.replace('-', "_");
    let arg = command.get_arguments().find(|arg| arg.get_long() == Some(&name) && name != "config");
    let arg = arg.ok_or_else(|| unknown(key, command))?;
    let text = text_of(arg, value).ok_or_else(|| {
        let found = match value.type_str() {
            kind if kind.starts_with(['a', 'i']) => format!("an {kind}"),
            kind => format!("a {kind}"),
        };
        Error::new(format!("`{key}` takes {}, but this is {found}", kind_of(arg).1))
            .way_out(format!("write {key} = {}", kind_of(arg).2))
    })?;
    let flag = match (arg.get_action(), text.as_str()) {
        (ArgAction::SetTrue, "true") => format!("--{name}"),
        (ArgAction::SetTrue, _) => return Ok(None),
        _ => format!("--{name}={text}"),
    };
    let alone = [command.get_name(), &flag];
    match command.clone().try_get_matches_from(alone) {
        Ok(_) => Ok(Some(flag.into())),
        Err(error) => Err(refused(key, &error)),
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Truth,
    Whole,
    Real,
    Text,
}

/// What a flag takes, in words, and an example.
fn kind_of(arg: &Arg) -> (Kind, &'static str, &'static str) {
    let is = |of: TypeId| arg.get_value_parser().type_id() == of;
    if is(TypeId::of::<bool>()) || matches!(arg.get_action(), ArgAction::SetTrue) {
        (Kind::Truth, "true or false", "true")
    } else if is(TypeId::of::<usize>()) || is(TypeId::of::<u64>()) {
        (Kind::Whole, "a whole number", "6")
    } else if is(TypeId::of::<f64>()) {
        (Kind::Real, "a number", "0.1")
    } else {
        (Kind::Text, "text", "\"…\", with quotation marks")
    }
}

/// The value as it is spelled on the command line; `None` if the flag does not take this type.
fn text_of(arg: &Arg, value: &DeValue) -> Option<String> {
    match (kind_of(arg).0, value) {
        (Kind::Truth, DeValue::Boolean(truth)) => Some(truth.to_string()),
        (Kind::Whole | Kind::Real, DeValue::Integer(number)) => {
            Some(i128::from_str_radix(number.as_str(), number.radix()).ok()?.to_string())
        }
        (Kind::Real, DeValue::Float(number)) => Some(number.as_str().to_owned()),
        (Kind::Text, DeValue::String(text)) => Some(text.to_string()),
        _ => None,
    }
}

fn unknown(key: &str, command: &Command) -> Error {
    let found = command.clone().try_get_matches_from([command.get_name(), &format!("--{key}=1")]);
    let nearest = found.err().and_then(|error| match error.get(ContextKind::SuggestedArg) {
        Some(ContextValue::String(flag)) => Some(flag.trim_start_matches('-').to_owned()),
        _ => None,
    });
    let what =
        if key == "config" { "a file of flags cannot name another one" } else { "there is no such flag" };
    Error::new(format!("`{key}`: {what}")).way_out(match nearest {
        Some(nearest) if key != "config" => {
            format!("did you mean `{nearest}`? `transformer {} --help` names them all", command.get_name())
        }
        _ => format!("`transformer {} --help` names all flags", command.get_name()),
    })
}

/// What clap says of a value, in one sentence and a way out.
fn refused(key: &str, error: &clap::Error) -> Error {
    let message = error.to_string();
    let mut lines = message.lines().map(str::trim).take_while(|line| !line.starts_with("For more"));
    let what = lines.next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    let rest: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    let error = Error::new(format!("`{key}`: {what}"));
    if rest.is_empty() { error } else { error.way_out(rest.join("; ")) }
}
