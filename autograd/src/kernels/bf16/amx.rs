//! AMX: eight registers of 16 rows of 64 bytes each, and one instruction that multiplies two of them.
//!
//! ```text
//! tdpbf16ps C, A, B        C[i, j] += Σₚ A[i, 2p]·B[p, 2j] + A[i, 2p+1]·B[p, 2j+1]         i, j, p < 16
//! ```
//!
//! A block of C takes four of the registers, A and B two each, so that four loads serve four multiplications. (Intel,
//! "Intel 64 and IA-32 Architectures Software Developer's Manual", volume 1, chapter 18.)
//!
//! Rust's intrinsics for AMX are not stable in 1.95, so the instructions stand here in assembly. Miri does not run it; the
//! tests hold it against the definition, to the last bit where sums are exact.

use super::pack::{Block, PAIRS_OF_TILE};
use std::arch::asm;
use std::arch::x86_64::__cpuid_count;
use std::marker::PhantomData;

/// Palette 1 with every register whole: 16 rows of 64 bytes.
#[repr(C, align(64))]
struct Configuration {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

const WHOLE: Configuration = Configuration {
    palette: 1,
    start_row: 0,
    reserved: [0; 14],
    row_bytes: [64, 64, 64, 64, 64, 64, 64, 64, 0, 0, 0, 0, 0, 0, 0, 0],
    rows: [16, 16, 16, 16, 16, 16, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0],
};

/// Whether the processor has AMX for bfloat16, and the operating system keeps its registers for this process.
pub(super) fn is_allowed() -> bool {
    const BF16_AND_TILES: u32 = 1 << 22 | 1 << 24;
    // Leaf 7 exists: AVX-512, which was asked for before, is reported there.
    let has = __cpuid_count(7, 0).edx & BF16_AND_TILES == BF16_AND_TILES;
    cfg!(target_os = "linux") && has && permission()
}

/// Linux keeps the 8 KiB of registers only for who asks: `arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA)`.
fn permission() -> bool {
    let answer: i64;
    // SAFETY: a system call that takes two numbers and touches no memory; it overwrites rax, rcx and r11.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") 158_i64 => answer,
            in("rdi") 0x1023_u64, in("rsi") 18_u64,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    answer == 0
}

/// The registers, ready for [`multiply`](Self::multiply) until this is dropped, on this thread alone: it cannot be sent to
/// another.
pub(super) struct Registers(PhantomData<*mut ()>);

impl Registers {
    /// # Safety
    /// [`is_allowed`] must have said yes.
    pub(super) unsafe fn new() -> Self {
        // SAFETY: reads the 64 bytes of a valid configuration, and zeroes the registers, which nothing else uses: this file
        // alone has instructions for them.
        unsafe {
            asm!(
                "ldtilecfg [{}]",
                in(reg) &WHOLE,
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack, readonly),
            );
        }
        Registers(PhantomData)
    }

    /// One block of C.
    ///
    /// # Safety
    /// As [`Block`] says.
    #[inline]
    pub(super) unsafe fn multiply(&self, block: &Block) {
        let below = |p: *const f32, row: usize| p.wrapping_add(16 * row);
        // SAFETY: this thread's tiles are configured, as `self` shows: nothing between `new` and `drop` configures them
        // anew (what packs, and what computes gelu, has no such instructions). They are read and written within this one
        // statement. It reads two tiles of A and of B a step, 16 × 64 bytes each and one after the other, and twice 16 rows
        // of 128 bytes of `start`, if it is not null; it writes as many of C: the caller's promise.
        unsafe {
            asm!(
                "test {start}, {start}",
                "jz 3f",
                "tileloadd tmm0, [{start} + {start_row}]",
                "tileloadd tmm1, [{start} + {start_row} + 64]",
                "tileloadd tmm2, [{start_below} + {start_row}]",
                "tileloadd tmm3, [{start_below} + {start_row} + 64]",
                "jmp 2f",
                "3:",
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                "2:",
                "tileloadd tmm4, [{a} + {row}]",
                "tileloadd tmm6, [{b} + {row}]",
                "tileloadd tmm7, [{b} + {row} + {TILE}]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tileloadd tmm5, [{a} + {row} + {TILE}]",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "add {a}, 2 * {TILE}",
                "add {b}, 2 * {TILE}",
                "dec {steps}",
                "jnz 2b",
                "tilestored [{c} + {c_row}], tmm0",
                "tilestored [{c} + {c_row} + 64], tmm1",
                "tilestored [{c_below} + {c_row}], tmm2",
                "tilestored [{c_below} + {c_row} + 64], tmm3",
                TILE = const 4 * PAIRS_OF_TILE,
                start = in(reg) block.start,
                start_row = in(reg) 4 * block.start_row,
                start_below = in(reg) below(block.start, block.start_row),
                a = inout(reg) block.a => _,
                b = inout(reg) block.b => _,
                row = in(reg) 64_usize,
                steps = inout(reg) block.steps => _,
                c = in(reg) block.c,
                c_row = in(reg) 4 * block.c_row,
                c_below = in(reg) below(block.c, block.c_row),
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack),
            );
        }
    }
}

impl Drop for Registers {
    fn drop(&mut self) {
        // SAFETY: `new` has configured them; afterwards they are as before.
        unsafe {
            asm!(
                "tilerelease",
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nomem, nostack),
            );
        }
    }
}
