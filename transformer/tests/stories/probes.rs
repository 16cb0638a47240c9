//! The probes: what a told story gets right.

use super::{STORY, with};
use transformer::data::stories::probes::{Probes, Score};
use transformer::data::stories::{self, SEPARATOR};

fn probes_of(stories: &[&str]) -> Probes {
    Probes::of(&format!("{SEPARATOR}{}{SEPARATOR}", stories.join(SEPARATOR)))
}

fn of(right: usize, asked: usize) -> Score {
    Score { right, asked }
}

#[test]
fn true_stories_score_in_full() {
    let probes = Probes::of(&format!("{SEPARATOR}{}", stories::text(9, 100_000)));
    for score in [probes.stories, probes.pronouns, probes.owners, probes.sums] {
        assert!(score.asked > 300, "{probes}");
        assert_eq!(score.share(), Some(1.0), "{probes}");
    }
    assert_eq!(probes.sums.asked, probes.stories.asked, "every story has a sum");
}

#[test]
fn a_planted_error_costs_its_own_score_and_the_parse_but_no_other() {
    let judge = |story: String| probes_of(&[&story]);
    let truth = Probes { stories: of(1, 1), pronouns: of(3, 3), owners: of(1, 1), sums: of(1, 1) };
    let broken = Probes { stories: of(0, 1), ..truth };
    assert_eq!(judge(STORY.to_string()), truth);
    assert_eq!(judge(with("Now he", "Now she")), Probes { pronouns: of(2, 3), ..broken });
    assert_eq!(
        judge(with("She gave it to him", "He gave it to her")),
        Probes { pronouns: of(1, 3), ..broken }
    );
    assert_eq!(judge(with("Tom has it", "Mia has it")), Probes { owners: of(0, 1), ..broken });
    assert_eq!(judge(with("three more", "four more")), Probes { sums: of(0, 1), ..broken });
    assert_eq!(judge(with("by the river", "by teh rivr")), broken);
    assert_eq!(
        judge(with("She gave it to him.", "He lent it to her, and she gave it back.")),
        Probes { pronouns: of(1, 4), owners: of(0, 1), ..broken }
    );
    assert_eq!(judge(with("She gave it to him.", "She kept it.")).owners, of(0, 1));
}

#[test]
fn what_cannot_be_told_is_not_asked() {
    let nonsense = probes_of(&["She gave it to him. Who has the kite now? Tom has it."]);
    assert_eq!(nonsense, Probes { stories: of(0, 1), ..Probes::default() });
    let no_answer = probes_of(&[&with("Tom has it.", "Nobody has it.")]);
    assert_eq!(no_answer.owners, of(0, 0));
}

#[test]
fn stories_cut_off_at_either_end_are_left_out() {
    let cut_in = &STORY[50..];
    let cut_off = &STORY[..50];
    assert_eq!(Probes::of(&[cut_in, STORY, cut_off].join(SEPARATOR)), probes_of(&[STORY]));
    assert_eq!(Probes::of(cut_in), Probes::default());
    assert_eq!(Probes::of(""), Probes::default());
}

#[test]
fn scores_add_up_and_print_on_four_short_lines() {
    let mut probes = probes_of(&[STORY, &with("Tom has it", "Mia has it")]);
    probes += probes_of(&[&with("five", "six")]);
    assert_eq!(
        probes.to_string(),
        "stories that parse      1 of    3  ( 33 %)\n\
         pronouns that agree     9 of    9  (100 %)\n\
         owners recalled         2 of    3  ( 67 %)\n\
         sums that are right     2 of    3  ( 67 %)"
    );
    assert_eq!(Score::default().to_string(), "   0 of    0");
}
