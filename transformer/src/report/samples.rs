//! What the model wrote, from its first day on.

use super::seen::Seen;
use crate::chart::escape;
use crate::train::snapshot::Snapshot;

/// No more samples than this on a page.
const MOST: usize = 60;

/// A slider over the samples. Without a script, all of them, one below the other.
pub fn html(run: &Seen) -> String {
    let Some(snapshots) = run.snapshots.as_ref().filter(|snapshots| !snapshots.is_empty()) else {
        return String::new();
    };
    let frames: String = evenly(snapshots.len(), MOST)
        .into_iter()
        .map(|i| {
            let Snapshot { step, sample, .. } = &snapshots[i];
            let text = escape(&run.text(sample));
            format!(
                "<figure class=frame data-step={step}><figcaption>{}</figcaption><pre>{text}</pre></figure>",
                after(*step)
            )
        })
        .collect();
    format!(
        "<section id=samples><h2>What it writes</h2><p>The same beginning and the same random numbers at every evaluation: \
         what changes is the model.</p>{}<div class=frames>{frames}</div></section>",
        slider("sample-at", "Which evaluation")
    )
}

/// A slider, which the page's script shows and fills.
pub fn slider(id: &str, label: &str) -> String {
    format!(
        "<p class=\"slider scripted\"><label for={id}>{label}</label> <input type=range id={id} min=0 value=0> \
         <output for={id}></output></p>"
    )
}

/// `after 500 updates`
pub fn after(step: usize) -> String {
    match step {
        0 => "before the first update".to_owned(),
        1 => "after 1 update".to_owned(),
        step => format!("after {step} updates"),
    }
}

/// At most `most` of the numbers 0 to `number` − 1, the first and the last among them, evenly spaced.
pub fn evenly(number: usize, most: usize) -> Vec<usize> {
    match most {
        _ if number <= most => (0..number).collect(),
        0 | 1 => vec![number - 1],
        most => (0..most).map(|i| i * (number - 1) / (most - 1)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_the_first_and_the_last_are_shown_and_some_between() {
        assert_eq!(evenly(3, 5), [0, 1, 2]);
        assert_eq!(evenly(9, 3), [0, 4, 8]);
        assert_eq!(evenly(9, 1), [8]);
    }
}
