//! What multiplies bfloat16 numbers on this processor.

use super::super::lanes::InstructionSet;
use std::fmt;
use std::sync::OnceLock;

/// A part of the processor that products of bfloat16 numbers run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// The matrix unit of Intel's Xeons since Sapphire Rapids: 16 × 16 sums of 32 products an instruction.
    Amx,
    /// AVX-512's `vdpbf16ps`, of AMD's since Zen 4: 16 sums of 2 products an instruction.
    Avx512Bf16,
    /// None: rounded numbers, multiplied as f32.
    F32,
}

impl fmt::Display for Unit {
    /// As its maker calls it.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Unit::Amx => "AMX",
            Unit::Avx512Bf16 => "AVX512-BF16",
            Unit::F32 => "f32",
        })
    }
}

impl Unit {
    /// Those that this processor has and the operating system lets us use, the fastest first.
    pub fn available() -> &'static [Unit] {
        static AVAILABLE: OnceLock<Vec<Unit>> = OnceLock::new();
        AVAILABLE.get_or_init(Self::found)
    }

    fn found() -> Vec<Unit> {
        let mut list = Vec::new();
        #[cfg(target_arch = "x86_64")]
        if !cfg!(miri)
            && is_x86_feature_detected!("avx512bf16")
            && is_x86_feature_detected!("avx512bw")
            && InstructionSet::available().contains(&InstructionSet::Avx512)
        {
            if super::amx::is_allowed() {
                list.push(Unit::Amx);
            }
            list.push(Unit::Avx512Bf16);
        }
        list.push(Unit::F32);
        list
    }

    /// The one in use: the fastest, unless the environment variable `BACKSTEP_BF16` names another, or `BACKSTEP_ISA` has
    /// chosen narrower registers.
    pub fn current() -> Unit {
        static CURRENT: OnceLock<Unit> = OnceLock::new();
        *CURRENT.get_or_init(|| {
            if InstructionSet::current() != InstructionSet::available()[0] {
                return Unit::F32;
            }
            let wanted = std::env::var("BACKSTEP_BF16").unwrap_or_default().to_lowercase();
            let available = Self::available();
            let named = available.iter().find(|unit| format!("{unit:?}").to_lowercase() == wanted);
            *named.unwrap_or(&available[0])
        })
    }
}
