//! `sample --interactive`: a line is the beginning of a text, an empty one goes on with the last.

use super::pen::Pen;
use crate::commands::out::{read_enough, warn, write};
use crate::error::{Error, Result};
use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;
use std::io::{self, BufRead, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const WELCOME: &str = "\
Type the beginning of a text. Enter alone goes on with the last one;
Ctrl-C stops it, Ctrl-D ends.
";

/// Answers until the input ends, or until nobody reads on.
///
/// # Errors
/// If the terminal or the standard input fails; and, where the input is no terminal, in the end, if a line was refused.
pub(super) fn run(pen: &mut Pen) -> Result<()> {
    match io::stdin().is_terminal() && io::stdout().is_terminal() {
        true => converse(pen),
        false => answer_lines(pen),
    }
}

fn converse(pen: &mut Pen) -> Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&stop);
    ctrlc::set_handler(move || asked.store(true, Ordering::Relaxed))
        .map_err(|error| Error::new(format!("Ctrl-C cannot be caught: {error}")))?;
    let fails = |error| Error::new(format!("the terminal cannot be read: {error}"));
    let mut editor = DefaultEditor::new().map_err(fails)?; // keeps its history in memory only
    let mut text = Vec::new();
    let mut over = read_enough(write(WELCOME))?;
    while !over {
        let line = match editor.readline("> ") {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => continue, // forgets the line
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(fails(error)),
        };
        editor.add_history_entry(line.as_str()).map_err(fails)?;
        stop.store(false, Ordering::Relaxed);
        match answer(pen, &mut text, &line, &stop) {
            Ok(wrote) => over = read_enough(wrote.and_then(|()| write("\n\n")))?,
            Err(error) => warn(error),
        }
    }
    Ok(())
}

fn answer_lines(pen: &mut Pen) -> Result<()> {
    let (mut text, mut refused) = (Vec::new(), 0);
    for (number, line) in (1..).zip(io::stdin().lock().split(b'\n')) {
        let line = line.map_err(|error| Error::io("read", "the standard input", &error))?;
        let line = String::from_utf8(line).map_err(|_| Error::new("this is no text in UTF-8"));
        let line = line
            .and_then(|line| answer(pen, &mut text, line.trim_end_matches('\r'), &AtomicBool::new(false)));
        match line {
            Ok(wrote) => {
                if read_enough(wrote.and_then(|()| write("\n---------------\n")))? {
                    break;
                }
            }
            Err(error) => {
                warn(error.in_file(format!("line {number} of the standard input")));
                refused += 1;
            }
        }
    }
    match refused {
        0 => Ok(()),
        n => Err(Error::new(format!("refused lines of the standard input: {n}"))
            .way_out("mend the lines named above")),
    }
}

/// Writes the text that begins with the line; an empty line goes on with the last text.
///
/// # Errors
/// If the line has a character that the model does not know, or no token.
fn answer(pen: &mut Pen, text: &mut Vec<usize>, line: &str, stop: &AtomicBool) -> Result<io::Result<()>> {
    let mut from = 0;
    match (line.is_empty(), text.is_empty()) {
        (false, _) => *text = pen.beginning(line)?,
        (true, true) => *text = pen.blank(),
        (true, false) => from = text.len(),
    }
    Ok(pen.write(text, from, stop))
}
