//! Each bug of the museum is found, and at its place; and without one all holds.

use super::*;
use crate::data::batches::Batch;
use crate::data::dataset::Tokens;
use crate::model::{Design, Gpt, ModelConfig, NormKind, every_design};
use crate::random::{Purpose, generator, unit};
use autograd::Tensor;

/// A small model with numbers of ordinary size everywhere, so that no bug hides behind a weight of 1 or a bias of 0.
fn subject(bias: bool, plant: Option<&'static Plant>) -> Subject {
    let config = ModelConfig {
        n_layer: 2,
        n_head: 2,
        n_embd: 8,
        block_size: 6,
        vocab_size: 9,
        bias,
        ..ModelConfig::default()
    };
    subject_of(&config, plant)
}

fn subject_of(config: &ModelConfig, plant: Option<&'static Plant>) -> Subject {
    let mut random = generator(1, Purpose::Initialisation);
    let mut model = Gpt::init(config, 4);
    for parameter in model.parameters_mut() {
        *parameter = Tensor::from_fn(parameter.shape(), |_| 1.4 * unit(&mut random) - 0.5);
    }
    let tokens: Vec<usize> = (0..20).map(|i| (i * i + 3 * i) % 9).collect();
    Subject { model, batch: Batch::cut(&Tokens::new(&tokens), [0, 9], 6).unwrap(), plant }
}

fn checked(bias: bool, name: Option<&str>) -> Report {
    run(&subject(bias, name.map(|name| plant(name).expect("a bug of the museum"))), 8, 2)
}

#[test]
fn without_a_bug_all_of_it_holds_with_biases_and_without() {
    for bias in [false, true] {
        let report = checked(bias, None);
        assert!(report.ok, "{report:#?}");
        assert_eq!(report.causality.worst, 0.0);
        assert_eq!(report.causality.pairs, 2 * 15);
    }
}

#[test]
fn whatever_the_design_every_step_has_the_value_of_its_formula_and_every_op_its_vjp() {
    for config in every_design(8, 6, 9) {
        let report = run(&subject_of(&config, None), 2, 2);
        for claim in
            [&report.values, &report.rules, &report.fused, &report.decoder, &report.norms, &report.dropout]
        {
            assert!(claim.ok, "{:?}: {}", config.design, claim.words);
        }
        assert!(report.causality.ok, "{:?}", config.design);
    }
}

#[test]
fn fused_ops_that_drop_otherwise_than_the_textbook_are_noticed() {
    let subject = subject(true, None);
    let dropouts = Tapes::of(&subject).dropout.1;
    let (textbook, fused, without) = (Tape::new(), Tape::new(), Tape::new());
    let textbook = subject.record(&textbook, Path::Dropout);
    let fused = claims::fused(&textbook, &subject.record_fused_with_dropout(&fused));
    let without = claims::fused(&textbook, &subject.record(&without, Path::Fused));
    assert!(claims::dropout(&dropouts, Some(fused)).ok);
    let claim = claims::dropout(&dropouts, Some(without));
    assert!(!claim.ok && claim.words.starts_with("with dropout"), "{}", claim.words);
}

#[test]
fn every_bug_of_the_museum_is_found_at_its_place() {
    for bug in MUSEUM {
        for bias in [false, true] {
            let broken = Tapes::of(&subject(bias, Some(bug))).first_broken();
            let broken = broken.unwrap_or_else(|| panic!("{} is not found", bug.name));
            assert_eq!(
                (broken.op.as_str(), broken.scope.as_str()),
                (bug.op, bug.scope),
                "{}: {broken:?}",
                bug.name
            );
            assert!(broken.line.contains(".rs:"), "{}: {broken:?}", bug.name);
        }
    }
}

#[test]
fn a_wrong_function_with_its_own_right_gradient_passes_the_gradient_check_and_is_found_by_its_value() {
    for name in ["no-root", "unbiased-variance", "off-by-one"] {
        let report = checked(false, Some(name));
        assert!(!report.ok, "{name} is not found");
        assert!(report.rules.ok, "{name}: {}", report.rules.words);
        assert!(report.parameters.iter().all(|parameter| parameter.ok), "{name}");
        assert!(report.second_order.iter().all(|hessian| hessian.ok), "{name}: {:?}", report.second_order);
        assert!(!report.values.ok && !report.fused.ok, "{name}");
    }
}

#[test]
fn a_wrong_vjp_leaves_every_value_right_and_is_found_in_the_gradient() {
    for name in ["softmax-without-sum", "no-transpose", "factor-two", "overwrite", "tied-once", "other-gelu"]
    {
        let report = checked(false, Some(name));
        assert!(!report.ok, "{name} is not found");
        assert!(report.values.ok && !report.rules.ok, "{name}");
        assert!(report.parameters.iter().any(|parameter| !parameter.ok), "{name}");
    }
}

#[test]
fn the_certificate_of_causality_names_who_sees_whom() {
    for name in ["no-mask", "late-mask"] {
        let Causality { ok, worst, path, query, key, .. } = checked(false, Some(name)).causality;
        assert!(!ok && worst > 1e-3, "{name}: {worst}");
        assert_eq!(path, Some(Path::Textbook), "the fused path has no mask to lose");
        assert!(key > query, "{name}: {query:?} sees {key:?}");
    }
}

#[test]
fn a_step_that_was_left_out_of_the_model_is_named() {
    let subject = subject(false, None);
    let (tape, duals) = (Tape::new(), Tape::new());
    subject.record(&tape, Path::Textbook);
    subject.record(&duals, Path::Textbook);
    let mut expected = subject.reference();
    let at = expected.iter().position(|step| step.op == "masked_fill").expect("attention has a mask");
    expected.insert(at, reference::Expected { op: "clamp", nth: 0, ..expected[at].clone() });
    let nodes = nodes::check_nodes(&tape, &duals, &expected, |_| true);
    let broken = left_out(&tape, &nodes, &expected).expect("there is no clamp");
    assert_eq!((broken.op.as_str(), broken.scope.as_str()), ("clamp", "blocks.0.attention"));
    assert!(broken.what.contains("missing") && broken.line.contains("attention.rs"), "{broken:?}");
    assert!(!claims::values(&tape, &nodes, &expected).ok);
}

#[test]
fn targets_that_are_not_moved_by_one_are_found() {
    let mut batch = subject(false, None).batch;
    assert!(claims::targets(&batch).ok);
    batch.y = batch.x.clone();
    assert!(!claims::targets(&batch).ok);
}

#[test]
fn the_result_does_not_depend_on_the_threads() {
    let json = |threads| serde_json::to_string(&run(&subject(true, None), 8, threads)).expect("JSON");
    assert_eq!(json(1), json(3));
}

#[test]
fn the_museum_has_no_two_bugs_of_one_name_and_refuses_others_with_a_list() {
    assert!(MUSEUM.len() >= 12);
    for bug in MUSEUM {
        assert_eq!(plant(bug.name).expect("it is there").name, bug.name);
        assert!(!bug.story.contains("blocks.") && !bug.story.contains('\n'), "{}", bug.name);
    }
    let message = plant("no-such").unwrap_err().to_string();
    assert!(message.contains("--plant") && message.contains("no-mask, late-mask"), "{message}");
}

#[test]
fn in_a_model_of_another_design_every_bug_is_found_or_refused_for_lack_of_a_place() {
    let of = |design: &Design| {
        let mut designs = every_design(8, 6, 9).into_iter();
        designs.find(|config| config.bias && config.design == *design).expect("one of them")
    };
    let mut refused = Vec::new();
    for design in
        [Design { n_kv_head: Some(1), ..Design::llama() }, Design { n_kv_head: Some(2), ..Design::default() }]
    {
        let config = of(&design);
        let model = subject_of(&config, None).model;
        for plant in MUSEUM {
            match plant_in(plant, &model, plant.path()) {
                Ok(plant) => {
                    assert!(!run(&subject_of(&config, Some(plant)), 2, 2).ok, "{} is not found", plant.name)
                }
                Err(error) => {
                    assert!(error.to_string().contains("take one of: no-mask"), "{error}");
                    refused.push((plant.name, design.norm));
                }
            }
        }
    }
    assert!(refused.contains(&("unbiased-variance", NormKind::Rms)), "{refused:?}");
    let fused_only = plant("fixed-deviation").expect("it is there");
    let gpt2 = subject(true, None).model;
    let message = plant_in(fused_only, &gpt2, Path::Textbook).unwrap_err().to_string();
    assert!(message.contains("on the textbook path this model computes no layer_norm"), "{message}");
    assert!(refused.iter().all(|(_, norm)| *norm == NormKind::Rms), "GPT-2 has a place for all: {refused:?}");
}
