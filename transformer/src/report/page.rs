//! The page: put together, with a policy that lets it load nothing and run no script but its own.

use super::attention::AttentionData;
use super::plot::{Plot, PlotData};
use super::seen::Seen;
use super::tables::grouped;
use super::{curves, samples, tables};
use crate::chart::escape;
use crate::error::{Error, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use sha2::{Digest, Sha256};

const STYLE: &str = concat!(include_str!("../page.css"), include_str!("report.css"));
const SCRIPT: &str = include_str!("report.js");

/// What the script is given.
#[derive(Serialize)]
struct Data {
    plots: Vec<PlotData>,
    attention: Option<AttentionData>,
}

/// The page of one run, or of several.
///
/// # Errors
/// If a number cannot be written as JSON.
pub fn page(runs: &[Seen]) -> Result<String> {
    let (title, head, plots) = match runs {
        [run] => (format!("Run {}", run.name), introduction(run), curves::of_one(run)),
        runs => (format!("{} runs", runs.len()), comparison(runs), curves::of_several(runs)),
    };
    let alone = if let [run] = runs { Some(run) } else { None };
    let attention = alone.and_then(AttentionData::of);
    let rest = alone.map_or(String::new(), |run| {
        let maps = attention.as_ref().map_or(String::new(), |data| data.html(run));
        [samples::html(run), maps, tables::first_gradients(run), tables::told(run)].concat()
    });
    let charts: String = plots.iter().map(Plot::html).collect();
    let data = Data { plots: plots.iter().map(Plot::data).collect(), attention };
    let data = serde_json::to_string(&data).map_err(|error| Error::new(error.to_string()))?;
    let hash = |text: &str| format!("sha256-{}", STANDARD.encode(Sha256::digest(text)));
    Ok(format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; script-src '{}'; style-src '{}'\"><meta name=\"viewport\" \
         content=\"width=device-width,initial-scale=1\"><title>{title}</title><style>{STYLE}</style></head><body><main>\
         <h1>{title}</h1>{head}<section class=charts>{charts}</section>{rest}</main><script type=\"application/json\" \
         id=data>{}</script><script>{SCRIPT}</script></body></html>\n",
        hash(SCRIPT),
        hash(STYLE),
        data.replace('<', "\\u003c"),
        title = escape(&title),
    ))
}

/// What was trained on what, how far it has come, and what the run has not written.
fn introduction(run: &Seen) -> String {
    let (config, data) = (&run.state.config, &run.state.data);
    let unit = escape(run.tokenizer.unit());
    let step = run.last().map_or(0, |line| line.step);
    let mut out = format!(
        "<p>{} parameters: {} layers, {} heads, {} wide, context {}, vocabulary {}. Trained on {} ({} tokens). {step} of {} \
         updates are done.",
        grouped(tables::parameters(run) as f64),
        run.model.n_layer,
        run.model.n_head,
        run.model.n_embd,
        run.model.block_size,
        run.model.vocab_size,
        escape(&data.name),
        grouped(data.train_tokens as f64),
        config.max_iters,
    );
    if let Some((at, loss)) = run.last_validation() {
        out += &format!(" Validation loss after {at}: <b>{loss:.4}</b> nats a {unit}");
        out += &run.floor().map_or(".".to_owned(), |floor| format!(", {:.4} above the floor.", loss - floor));
    }
    out += "</p>";
    let missing = [
        (run.layers.is_none(), "layers.jsonl", "gradients and updates by layer, and the first gradients"),
        (run.snapshots.is_none(), "snapshots.jsonl", "samples and attention"),
    ];
    for (_, file, what) in missing.iter().filter(|(missing, ..)| *missing) {
        out += &format!(
            "<p class=missing>This run has no <code>{file}</code>: it was trained by an older version. {what} are not \
             shown; <code>train --resume</code> writes them from here on.</p>"
        );
    }
    if run.metrics.is_empty() {
        out += "<p class=missing>Nothing has been measured yet: the first update is not done.</p>";
    }
    out + "<h2>On the way</h2>"
}

/// How the runs ended, and in what they differ.
fn comparison(runs: &[Seen]) -> String {
    let first = &runs[0].state;
    let same = runs.iter().all(|run| {
        run.state.data.fingerprint == first.data.fingerprint && run.tokenizer == runs[0].tokenizer
    });
    let note = match same {
        true => "",
        false => {
            "<p class=missing>These runs do not share text and tokenizer: their losses per token measure different \
             things.</p>"
        }
    };
    format!(
        "{note}<h2>How they ended</h2>{}<h2>In what they differ</h2>{}<h2>On the way</h2>",
        tables::ends(runs),
        tables::differences(runs)
    )
}
