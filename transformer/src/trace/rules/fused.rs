//! The ops that training runs in the place of several: each equal to its composition, value and gradient.

use super::Rule;

/// The rules.
pub const RULES: [Rule; 7] = [
    Rule {
        op: "linear",
        written_in: ("Linear", "autograd/src/ops/linear.rs"),
        asked_by: &[".forward(", ".linear("],
        sentence: "A product and a bias in one: the sums of the product begin with the bias.",
        forward: "Y = X·W + b",
        vjp: &["X̄ = Ȳ·Wᵀ", "W̄ = Xᵀ·Ȳ", "b̄ = Σ_rows Ȳ"],
        words: "The two products of a matrix product, and for the bias the sum over all tokens.",
    },
    Rule {
        op: "linear_gelu",
        written_in: ("LinearGelu", "autograd/src/ops/linear.rs"),
        asked_by: &[".linear_gelu("],
        sentence: "A product, a bias and a gelu in one; what is kept for the way back is the slope of the gelu.",
        forward: "U = X·W + b,  Y = gelu(U)",
        vjp: &["X̄ = Ū·Wᵀ", "W̄ = Xᵀ·Ū", "b̄ = Σ_rows Ū"],
        words: "First through the gelu, Ū = Ȳ·gelu′(U), then as through any linear layer.",
    },
    Rule {
        op: "layer_norm",
        written_in: ("LayerNorm", "autograd/src/ops/norm.rs"),
        asked_by: &[".layer_norm("],
        sentence: "Brings every row to mean 0 and variance 1, then scales it entry by entry.",
        forward: "μ = mean(x),  r = 1/√(var(x) + ε),  x̂ = (x − μ)·r,  y = x̂·w + b",
        vjp: &["x̄ = r·(g − mean(g) − x̂·mean(g·x̂))", "w̄ = Σ ȳ·x̂", "b̄ = Σ ȳ"],
        words: "With g = ȳ·w. Two means are taken off, for what a row cannot change: its own mean and its own size.",
    },
    Rule {
        op: "rms_norm",
        written_in: ("RmsNorm", "autograd/src/ops/norm.rs"),
        asked_by: &[".rms_norm("],
        sentence: "Brings every row to mean square 1, then scales it entry by entry.",
        forward: "r = 1/√(mean(x²) + ε),  x̂ = x·r,  y = x̂·w",
        vjp: &["x̄ = r·(g − x̂·mean(g·x̂))", "w̄ = Σ ȳ·x̂"],
        words: "With g = ȳ·w. A mean is taken off, for what a row cannot change: its own size.",
    },
    Rule {
        op: "rope",
        written_in: ("Rope", "autograd/src/ops/rope.rs"),
        asked_by: &[".rope("],
        sentence: "Turns each pair of numbers of queries and keys by an angle that grows with the position.",
        forward: "y₁ = x₁·cos θ − x₂·sin θ      y₂ = x₂·cos θ + x₁·sin θ",
        vjp: &["x̄₁ = ȳ₁·cos θ + ȳ₂·sin θ      x̄₂ = ȳ₂·cos θ − ȳ₁·sin θ"],
        words: "The cotangent is turned back by the same angle.",
    },
    Rule {
        op: "causal_attention",
        written_in: ("CausalAttention", "autograd/src/ops/attention.rs"),
        asked_by: &[".causal_attention(", ".causal_attention_with("],
        sentence: "All heads of attention in one, without the matrix of weights in memory.",
        forward: "S = Q·Kᵀ    P = softmax(S/√e + mask),  mask = −∞ where the key comes after the query    Y = P·V",
        vjp: &["V̄ = Pᵀ·Ȳ    P̄ = Ȳ·Vᵀ    S̄ = P ⊙ (P̄ − a)/√e,  aᵢ = Σⱼ Ȳᵢⱼ·Yᵢⱼ    Q̄ = S̄·K    K̄ = S̄ᵀ·Q"],
        words: "The weights P come again, from the largest score of each row and its sum of powers, which were kept.",
    },
    Rule {
        op: "cross_entropy",
        written_in: ("CrossEntropy", "autograd/src/ops/loss.rs"),
        asked_by: &[".cross_entropy("],
        sentence: "The mean of −ln p over all targets, from the logits: the one number.",
        forward: "mᵢ = maxⱼ xᵢⱼ    Zᵢ = Σⱼ e^(xᵢⱼ − mᵢ)    loss = 1/N·Σᵢ (mᵢ + ln Zᵢ − xᵢ,tᵢ)",
        vjp: &["x̄ᵢⱼ = ȳ/N·(e^(xᵢⱼ − mᵢ)/Zᵢ − [j = tᵢ])"],
        words: "For each place: the probability, minus 1 at the right token.",
    },
];
