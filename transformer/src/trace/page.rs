//! The page of `trace --html`: one file with everything in it, which works from a disk without a network.
//!
//! ```text
//! shell.html          what stands on the page before anything is drawn
//! style/*.css         its looks, light and dark, narrow and on paper
//! script/*.js         one idea a file; together one inline script
//! formulas/           the rules as MathML, written at development time
//! ```
//!
//! The files are put together here. A policy in the page forbids it to load anything and to run any script or style but
//! these, which it names by their hash. The trace stands last, as data that no text of the reader's can break out of.

use super::schema::{Node, Trace};
use crate::error::{Error, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

const SHELL: &str = include_str!("page/shell.html");
const FORMULAS: &str = include_str!("page/formulas/formulas.json");

const STYLE: [&str; 5] = [
    include_str!("page/style/theme.css"),
    include_str!("page/style/frame.css"),
    include_str!("page/style/card.css"),
    include_str!("page/style/sides.css"),
    include_str!("page/style/small.css"),
];

/// In the order of reading: from what the page knows to what it shows.
const SCRIPT: [&str; 29] = [
    include_str!("page/script/dom.js"),
    include_str!("page/script/numbers.js"),
    include_str!("page/script/decode.js"),
    include_str!("page/script/trace.js"),
    include_str!("page/script/state.js"),
    include_str!("page/script/colour.js"),
    include_str!("page/script/layout.js"),
    include_str!("page/script/heatmap.js"),
    include_str!("page/script/reading.js"),
    include_str!("page/script/refer.js"),
    include_str!("page/script/forward.js"),
    include_str!("page/script/backward.js"),
    include_str!("page/script/arithmetic.js"),
    include_str!("page/script/entry.js"),
    include_str!("page/script/formula.js"),
    include_str!("page/script/attention.js"),
    include_str!("page/script/card.js"),
    include_str!("page/script/update.js"),
    include_str!("page/script/tokens.js"),
    include_str!("page/script/checks.js"),
    include_str!("page/script/predict.js"),
    include_str!("page/script/tape.js"),
    include_str!("page/script/ribbon.js"),
    include_str!("page/script/source.js"),
    include_str!("page/script/announce.js"),
    include_str!("page/script/keyboard.js"),
    include_str!("page/script/find.js"),
    include_str!("page/script/print.js"),
    include_str!("page/script/main.js"),
];

/// A page that is larger is slow to open, and no mail takes it.
pub const LARGEST: usize = 3_000_000;

/// The whole page.
///
/// # Errors
/// If it would be larger than [`LARGEST`].
pub fn page(trace: &Trace) -> Result<String> {
    let style = STYLE.concat();
    let script = format!("(() => {{\n\"use strict\";\n{}}})();\n", SCRIPT.concat());
    let policy = format!("default-src 'none'; script-src '{}'; style-src '{}'", hash(&script), hash(&style));
    let json = serde_json::to_string(trace).map_err(|error| Error::new(error.to_string()))?;
    let page = fill(&[
        ("policy", &policy),
        ("title", &escaped(&format!("Backstep: {}", trace.run.text))),
        ("style", &style),
        ("noscript", &shapes(trace)),
        ("script", &script),
        ("formulas", &inert(FORMULAS)),
        ("data", &inert(&json)),
    ]);
    match page.len() <= LARGEST {
        true => Ok(page),
        false => Err(Error::new(format!(
            "the page would have {:.1} MB, and at most {} are promised",
            page.len() as f64 / 1e6,
            LARGEST / 1_000_000
        ))
        .at("--html")
        .way_out("give a shorter --text or a smaller model, or take everything as data with --json")),
    }
}

/// The shell with each `{{name}}` replaced, once and from left to right: what is put in is never searched.
fn fill(parts: &[(&str, &str)]) -> String {
    let mut page =
        String::with_capacity(SHELL.len() + parts.iter().map(|(_, text)| text.len()).sum::<usize>());
    let mut rest = SHELL;
    for (name, text) in parts {
        let place = format!("{{{{{name}}}}}");
        let (before, after) =
            rest.split_once(&place).unwrap_or_else(|| panic!("shell.html: no {place} here"));
        page += before;
        page += text;
        rest = after;
    }
    page + rest
}

/// A script's or a style's name in the policy.
fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

/// JSON in which nothing ends a script element or opens a comment.
fn inert(json: &str) -> String {
    json.replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

/// Text as HTML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// For a reader without JavaScript: the tape as a table of shapes.
fn shapes(trace: &Trace) -> String {
    let row = |(index, node): (usize, &Node)| {
        let inputs: Vec<String> = node.inputs.iter().map(|input| format!("%{input}")).collect();
        let name = if node.name.is_empty() { &node.op } else { &node.name };
        let cells = [
            format!("%{index}"),
            format!("{name} {}", inputs.join(" ")),
            node.axes.clone(),
            format!("{:?}", node.shape),
            trace.scopes[node.scope].clone(),
            format!("{}:{}", node.call.file, node.call.line),
        ];
        format!("<tr>{}</tr>", cells.map(|cell| format!("<td>{}</td>", escaped(&cell))).concat())
    };
    let head = ["", "op", "axes", "shape", "scope", "line"]
        .map(|name| format!("<th scope=\"col\">{name}</th>"))
        .concat();
    let rows: String = trace.nodes.iter().enumerate().map(row).collect();
    format!(
        "<p>This page draws with JavaScript, which is off. The tape, op by op:</p>\
         <table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::rules::rules;

    #[test]
    fn every_rule_has_its_formulas_forward_and_for_each_input() {
        let formulas: serde_json::Value = serde_json::from_str(FORMULAS).expect("JSON");
        for rule in rules() {
            let found = &formulas[rule.op];
            let markup =
                |text: &serde_json::Value| text.as_str().is_some_and(|text| text.starts_with("<math"));
            assert!(markup(&found["forward"]), "{} has no forward formula: formulas/tex.json", rule.op);
            let backward = found["vjp"].as_array().expect("a list");
            assert_eq!(backward.len(), rule.vjp.len(), "{}: one vjp an input", rule.op);
            assert!(backward.iter().all(markup), "{}", rule.op);
        }
    }

    #[test]
    fn the_formulas_are_made_from_the_tex_beside_them() {
        let tex: serde_json::Value =
            serde_json::from_str(include_str!("page/formulas/tex.json")).expect("JSON");
        let formulas: serde_json::Value = serde_json::from_str(FORMULAS).expect("JSON");
        let names =
            |of: &serde_json::Value| of.as_object().map(|object| object.keys().cloned().collect::<Vec<_>>());
        assert_eq!(names(&tex), names(&formulas));
    }

    #[test]
    fn no_text_ends_the_element_that_the_data_stands_in() {
        let text = inert(&serde_json::to_string("</script><!--\u{2028}").expect("JSON"));
        assert!(!text.contains('<'), "{text}");
        assert_eq!(serde_json::from_str::<String>(&text).expect("JSON"), "</script><!--\u{2028}");
        assert_eq!(escaped("<b title=\"&\">"), "&lt;b title=&quot;&amp;&quot;&gt;");
    }

    #[test]
    fn the_style_and_the_script_cannot_end_their_own_elements() {
        assert!(!STYLE.concat().contains("</"));
        assert!(!SCRIPT.concat().to_lowercase().contains("</script") && !SCRIPT.concat().contains("<!--"));
    }
}
