//! Tables: how runs ended, in what they differ, what a run was told, its first gradients.

use super::curves::class_of;
use super::seen::Seen;
use crate::chart::{escape, number};
use crate::commands::thousands;
use crate::model::Gpt;
use crate::train::layers::FirstGradient;
use serde_json::Value;
use std::collections::BTreeMap;

/// 12345.6 → `12 346`, on one line.
pub fn grouped(number: f64) -> String {
    thousands(number).replace(' ', "\u{a0}")
}

/// How many numbers the run's model learns.
pub fn parameters(run: &Seen) -> usize {
    let shapes = Gpt::shapes(&run.model, usize::MAX).ok();
    let shapes = shapes.as_ref().map(Gpt::parameters).unwrap_or_default();
    shapes.iter().map(|(_, shape)| shape.iter().product::<usize>()).sum()
}

/// A row a run: how it ended.
pub fn ends(runs: &[Seen]) -> String {
    let row = |(i, run): (usize, &Seen)| {
        let step = run.last().map_or(0, |line| line.step);
        let tokens = step * run.state.config.tokens_per_update();
        let loss = |loss: Option<f64>| loss.map_or("–".to_owned(), |loss| format!("{loss:.4}"));
        let cells = [
            grouped(parameters(run) as f64),
            step.to_string(),
            number(tokens as f64),
            loss(run.last().map(|line| line.train_loss)),
            loss(run.last_validation().map(|(_, loss)| loss)),
            run.state.best.map_or("–".to_owned(), |best| format!("{:.4} at {}", best.val_loss, best.step)),
            loss(run.floor()),
            run.speed().map_or("–".to_owned(), grouped),
        ];
        let cells: String = cells.iter().map(|cell| format!("<td class=n>{cell}")).collect();
        format!("<tr><th scope=row><span class={}>■</span> {}{cells}", class_of(i), escape(&run.name))
    };
    let heads = [
        "parameters",
        "updates",
        "tokens",
        "training loss",
        "validation loss",
        "lowest estimate",
        "floor",
        "tokens/s",
    ];
    let heads: String = heads.iter().map(|head| format!("<th class=n scope=col>{head}")).collect();
    let rows: String = runs.iter().enumerate().map(row).collect();
    format!("<div class=scroll tabindex=0><table><tr><th scope=col>run{heads}{rows}</table></div>")
}

/// The fields of the configuration that are not the same in all runs.
pub fn differences(runs: &[Seen]) -> String {
    let told: Vec<BTreeMap<String, String>> = runs.iter().map(configuration).collect();
    let mut fields: Vec<&String> = told.iter().flat_map(BTreeMap::keys).collect();
    fields.sort();
    fields.dedup();
    let rows: String = fields
        .into_iter()
        .filter(|field| told.iter().any(|fields| fields.get(*field) != told[0].get(*field)))
        .map(|field| {
            let value = |fields: &BTreeMap<String, String>| {
                fields.get(field).map_or("–".to_owned(), |value| escape(value))
            };
            let values: String = told.iter().map(|fields| format!("<td class=n>{}", value(fields))).collect();
            format!("<tr><th scope=row>{}{values}", escape(field))
        })
        .collect();
    if rows.is_empty() {
        return "<p>The runs were told the same.</p>".to_owned();
    }
    let names: String =
        runs.iter().map(|run| format!("<th class=n scope=col>{}", escape(&run.name))).collect();
    format!("<div class=scroll tabindex=0><table><tr><th scope=col>flag{names}{rows}</table></div>")
}

/// All fields of the configuration.
pub fn told(run: &Seen) -> String {
    let fields = configuration(run);
    let rows: String = fields
        .iter()
        .map(|(field, value)| format!("<tr><th scope=row>{}<td class=n>{}", escape(field), escape(value)))
        .collect();
    format!(
        "<details><summary>What it was told: {} fields</summary><table>{rows}</table></details>",
        fields.len()
    )
}

/// What a run was told, under the names of the flags.
fn configuration(run: &Seen) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    flatten(&serde_json::to_value(&run.state.config).unwrap_or_default(), &mut fields);
    fields.insert("data".to_owned(), run.state.data.name.clone());
    fields
}

fn flatten(value: &Value, fields: &mut BTreeMap<String, String>) {
    let Value::Object(object) = value else { return };
    for (name, value) in object {
        match value {
            Value::Object(_) => flatten(value, fields),
            Value::String(text) => drop(fields.insert(name.clone(), text.clone())),
            Value::Null => {}
            value => drop(fields.insert(name.clone(), value.to_string())),
        }
    }
}

/// What the first update found: the parameters without a gradient by name, the others in a table.
pub fn first_gradients(run: &Seen) -> String {
    let lines = run.layers.iter().flatten();
    let Some(line) = lines.into_iter().find(|line| !line.first_gradients.is_empty()) else {
        return String::new();
    };
    let without: Vec<String> =
        line.without_gradient().map(|first| format!("<code>{}</code>", escape(&first.name))).collect();
    let verdict = if without.is_empty() {
        format!(
            "<p>At the first update every one of the {} parameters had a gradient.</p>",
            line.first_gradients.len()
        )
    } else {
        format!(
            "<p class=warning><b>Without a gradient at the first update:</b> {}. Every entry was exactly zero: nothing trains \
             them unless that changes.</p>",
            without.join(", ")
        )
    };
    let row = |first: &FirstGradient| {
        let part = |zero: usize, of: usize| if zero == 0 { String::new() } else { format!("{zero} of {of}") };
        let columns = if first.shape.len() < 2 { 0 } else { first.shape[first.shape.len() - 1] };
        format!(
            "<tr><th scope=row>{}<td class=n>{}<td class=n>{}<td class=n>{}<td class=n>{}",
            escape(&first.name),
            first.shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" × "),
            number(f64::from(first.norm)),
            part(first.zero_rows, first.rows()),
            part(first.zero_columns, columns)
        )
    };
    let rows: String = line.first_gradients.iter().map(row).collect();
    format!(
        "<section id=first><h2>The first gradients</h2>{verdict}<details><summary>Parameter by parameter</summary><p \
         class=soft>Rows that are exactly zero: tokens that the first batch did not have, units whose output nobody uses. \
         Columns: units that were off for every token.</p><div class=scroll tabindex=0><table><tr><th \
         scope=col>parameter<th class=n scope=col>shape<th class=n scope=col>norm<th class=n scope=col>zero rows<th class=n \
         scope=col>zero columns{rows}</table></div></details></section>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::tokenizer::{Tokenizer, TokenizerKind};
    use crate::model::ModelConfig;
    use crate::run_dir::metrics::Measurement;
    use crate::train::config::TrainConfig;
    use crate::train::state::Best;
    use serde_json::json;

    /// Batches of 3·5 tokens, two an update.
    fn run(metrics: Vec<Measurement>, best: Option<Best>) -> Seen {
        let model = ModelConfig {
            n_layer: 1,
            n_head: 1,
            n_embd: 4,
            block_size: 5,
            vocab_size: 7,
            ..ModelConfig::default()
        };
        let config = TrainConfig {
            model: model.clone(),
            batch_size: 3,
            gradient_accumulation_steps: 2,
            ..TrainConfig::default()
        };
        let data = json!({"name": "text", "train_tokens": 90, "validation_tokens": 10, "fingerprint": ""});
        let state = json!({"step": 40, "generators": {}, "best": best, "data": data, "config": config});
        Seen {
            name: "a".to_owned(),
            model,
            tokenizer: Tokenizer::for_text(TokenizerKind::Char, "abcdefg"),
            state: serde_json::from_value(state).expect("a trainer.json"),
            metrics,
            layers: None,
            snapshots: None,
        }
    }

    fn cells(html: &str) -> Vec<&str> {
        html.split("<td class=n>").skip(1).map(|cell| cell.split('<').next().unwrap_or_default()).collect()
    }

    #[test]
    fn the_ends_table_holds_the_numbers_of_metrics_jsonl() {
        let line =
            |step: usize, train_loss: f64, val_loss: Option<f64>, tokens_per_second: f64| Measurement {
                step,
                train_loss,
                val_loss,
                lr: 1e-3,
                grad_norm: 1.0,
                tokens_per_second,
                floor: Some(0.25),
            };
        let metrics = vec![
            line(10, 2.5, Some(2.0), 500.0),
            line(20, 1.875, Some(1.5), 100.0),
            line(30, 1.625, Some(1.75), 300.0),
            line(35, 1.125, None, 400.0),
            line(40, 1.25, None, 200.0),
        ];
        // Embeddings 7·4 + 5·4, two norms of 4, 4·12 and 4·4 of attention, twice 4·16 of the MLP, and the last norm.
        let parameters = 28 + 20 + 8 + 48 + 16 + 128 + 4;
        assert_eq!(
            cells(&ends(&[run(metrics, Some(Best { val_loss: 1.4375, step: 20 }))])),
            [
                &*parameters.to_string(),
                "40",
                "1.2 k", // 40 updates of 30 tokens
                "1.2500",
                "1.7500",       // the last one that there is
                "1.4375 at 20", // the lowest estimate, as the run remembers it
                "0.2500",
                "300", // the middle of five
            ]
        );
        assert_eq!(cells(&ends(&[run(vec![], None)]))[1..], ["0", "0", "–", "–", "–", "–", "–"]);
    }
}
