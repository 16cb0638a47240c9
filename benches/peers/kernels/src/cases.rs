//! The products of a training step, by the role they play: forward, and both backward shapes.

/// C = op(A)·op(B): m × k times k × n.
pub struct Case {
    pub config: &'static str,
    pub role: &'static str,
    pub direction: &'static str,
    pub m: usize,
    pub k: usize,
    pub n: usize,
    /// A is stored as `[k, m]`.
    pub transpose_a: bool,
    /// B is stored as `[n, k]`.
    pub transpose_b: bool,
}

impl Case {
    pub fn flops(&self) -> f64 {
        (2 * self.m * self.k * self.n) as f64
    }

    pub fn name(&self) -> String {
        format!("{} {} {}", self.config, self.role, self.direction)
    }
}

/// Name, rows of a batch, width, context, heads, vocabulary.
const CONFIGS: [(&str, usize, usize, usize, usize, usize); 4] = [
    ("tiny", 256, 64, 32, 2, 65),
    ("char", 768, 128, 64, 4, 65),
    ("baby", 1024, 384, 256, 6, 65),
    ("gpt2", 256, 768, 64, 12, 50257),
];

pub fn cases() -> Vec<Case> {
    let mut cases = vec![];
    for (config, rows, d, context, heads, v) in CONFIGS {
        // Y = X·W         X̄ = Ȳ·Wᵀ        W̄ = Xᵀ·Ȳ
        for (role, d_in, d_out) in
            [("qkv", d, 3 * d), ("projection", d, d), ("up", d, 4 * d), ("down", 4 * d, d)]
        {
            cases.extend([
                case(config, role, "forward", [rows, d_in, d_out], false, false),
                case(config, role, "backward to x", [rows, d_out, d_in], false, true),
                case(config, role, "backward to W", [d_in, rows, d_out], true, false),
            ]);
        }
        // The tied head: Y = X·Eᵀ         X̄ = Ȳ·E         Ē = Ȳᵀ·X
        cases.extend([
            case(config, "head", "forward", [rows, d, v], false, true),
            case(config, "head", "backward to x", [rows, v, d], false, false),
            case(config, "head", "backward to W", [v, rows, d], true, false),
        ]);
        // One head's scores: S = Q·Kᵀ         Q̄ = S̄·K         K̄ = S̄ᵀ·Q
        let e = d / heads;
        cases.extend([
            case(config, "scores", "forward", [context, e, context], false, true),
            case(config, "scores", "backward to q", [context, context, e], false, false),
            case(config, "scores", "backward to k", [context, context, e], true, false),
        ]);
    }
    for (name, n) in [("64", 64), ("256", 256), ("1024", 1024)] {
        cases.push(case("cube", name, "forward", [n; 3], false, false));
    }
    cases
}

fn case(
    config: &'static str,
    role: &'static str,
    direction: &'static str,
    [m, k, n]: [usize; 3],
    transpose_a: bool,
    transpose_b: bool,
) -> Case {
    Case { config, role, direction, m, k, n, transpose_a, transpose_b }
}
