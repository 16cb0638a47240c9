//! The names of the axes: `b n d` where the model has said so, and what follows from it elsewhere.

use super::schema::Dim;
use crate::model::ModelConfig;
use autograd::{Float, Node};

/// The names of every node's axes, separated by spaces; "" where they are not known.
pub fn of<T: Float>(nodes: &[Node<T>]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for node in nodes {
        let named = match (node.axes, &node.op) {
            ("", None) => of_parameter(&node.name).to_owned(),
            ("", Some(_)) => follows(node, nodes, &names).join(" "),
            (axes, _) => axes.to_owned(),
        };
        let fits = named.split_whitespace().count() == node.value.shape().len();
        names.push(if fits { named } else { String::new() });
    }
    name_constants(nodes, &mut names);
    names
}

/// The names of a parameter's axes.
fn of_parameter(name: &str) -> &'static str {
    let ends = |end: &str| name.ends_with(end);
    match name {
        _ if ends("wte.weight") || ends("head.weight") => "v d",
        _ if ends("wpe.weight") => "c d",
        _ if ends("c_attn.weight") => "d 3d",
        _ if ends("attn.c_proj.weight") => "d d",
        _ if ends("c_fc.weight") || ends("c_gate.weight") => "d 4d",
        _ if ends("mlp.c_proj.weight") => "4d d",
        _ if ends("c_attn.bias") => "3d",
        _ if ends("c_fc.bias") || ends("c_gate.bias") => "4d",
        "" => "",
        _ => "d",
    }
}

/// The names that an op's result has because its inputs have theirs.
fn follows<T: Float>(node: &Node<T>, nodes: &[Node<T>], known: &[String]) -> Vec<String> {
    let of = |slot: usize| -> Vec<String> {
        known[node.inputs[slot] as usize].split_whitespace().map(str::to_owned).collect()
    };
    let shape = |slot: usize| nodes[node.inputs[slot] as usize].value.shape();
    let details = node.op.as_ref().map_or(String::new(), |op| op.details());
    let numbers = || details.split_whitespace().filter_map(|word| word.parse::<usize>().ok());
    let (out, first) = (node.value.shape(), of(0));
    match node.op_name() {
        "matmul" | "linear" | "linear_gelu" => {
            first.iter().take(out.len() - 1).chain(of(1).last()).cloned().collect()
        }
        "matmul_tb" => {
            let rows = of(1);
            let last = rows.len().checked_sub(2).map(|axis| rows[axis].clone());
            first.iter().take(out.len() - 1).cloned().chain(last).collect()
        }
        "sum" | "mean" | "var" | "max" | "logsumexp" => {
            let gone: Vec<usize> = numbers().collect();
            first
                .into_iter()
                .enumerate()
                .filter(|(axis, _)| !gone.contains(axis))
                .map(|(_, name)| name)
                .collect()
        }
        "permute" => numbers().filter_map(|axis| first.get(axis).cloned()).collect(),
        "reshape" => with_ones(first, out),
        "add" | "sub" | "mul" | "div" if shape(0) != out => of(1),
        _ if shape(0) == out => first,
        _ => Vec::new(),
    }
}

/// The same names with a 1 for each new axis of size 1.
fn with_ones(names: Vec<String>, out: &[usize]) -> Vec<String> {
    let new = out.len().saturating_sub(names.len());
    let mut names = names.into_iter();
    let mut left = new;
    out.iter()
        .rev()
        .map(|&size| match size {
            1 if left > 0 => {
                left -= 1;
                "1".to_owned()
            }
            _ => names.next_back().unwrap_or_default(),
        })
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
        .collect()
}

/// A constant that is combined entry by entry with something named is named alike.
fn name_constants<T: Float>(nodes: &[Node<T>], names: &mut [String]) {
    for (index, node) in nodes.iter().enumerate() {
        for &input in &node.inputs {
            let input = input as usize;
            let alike = nodes[input].value.shape() == node.value.shape();
            if names[input].is_empty() && nodes[input].op.is_none() && alike {
                names[input] = names[index].clone();
            }
        }
    }
}

/// What each name means and how long such an axis is, for a text of `n` tokens.
pub fn dims(config: &ModelConfig, n: usize) -> Vec<Dim> {
    let (d, e, shared) = (config.n_embd, config.head_size(), config.n_kv_head());
    let mut dims = vec![
        ("b", 1, "texts side by side"),
        ("n", n, "places in the text; in attention, the one that asks"),
        ("m", n, "in attention, the places that are looked at"),
        ("d", d, "width of the vectors that run through the model"),
        ("h", config.n_head, "heads of attention"),
        ("e", e, "width of one head"),
        ("3d", d + 2 * shared * e, "queries, keys and values side by side"),
        ("4d", config.n_inner(), "width of the MLP in the middle"),
        ("v", config.vocab_size, "tokens of the vocabulary"),
        ("c", config.block_size, "places of the longest context"),
    ];
    if shared != config.n_head {
        dims.push(("k", shared, "heads of keys and values, which queries share"));
        dims.push(("ke", shared * e, "the keys of all heads side by side, or the values"));
    }
    let dim =
        |(name, size, meaning): (&str, usize, &str)| Dim { name: name.into(), size, meaning: meaning.into() };
    dims.into_iter().map(dim).collect()
}
