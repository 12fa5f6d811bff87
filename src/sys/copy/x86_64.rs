//! The routine for this processor.

use std::arch::is_x86_feature_detected;

use super::Streams;

// `rep movs` is the fastest for what is short (docs/adr/0014), four streams by AVX for what is long (docs/adr/0021). The state of both is all in
// registers that a call may change. The second begins each round with its first stream and ends it with its last: see `copy_blocks`.
std::arch::global_asm!(
    ".pushsection .text.spindle_copy, \"ax\", @progbits",
    ".balign 16",
    ".globl spindle_copy",
    ".globl spindle_copy_byte",
    ".globl spindle_copy_failed",
    ".globl spindle_copy_streams",
    ".globl spindle_copy_streams_failed",
    ".hidden spindle_copy",
    ".hidden spindle_copy_byte",
    ".hidden spindle_copy_failed",
    ".hidden spindle_copy_streams",
    ".hidden spindle_copy_streams_failed",
    ".type spindle_copy, @function",
    "spindle_copy:",
    ".cfi_startproc",
    "mov rcx, rdx",
    "shr rcx, 3",
    "rep movsq",
    "mov ecx, edx",
    "and ecx, 7",
    "jz 2f",
    "rep movsb",
    "2:",
    "xor eax, eax",
    "ret",
    "spindle_copy_byte:",
    "movzx eax, byte ptr [rdi]",
    "ret",
    "spindle_copy_failed:",
    "mov eax, -1",
    "ret",
    ".cfi_endproc",
    ".size spindle_copy, . - spindle_copy",
    ".balign 32",
    ".type spindle_copy_streams, @function",
    "spindle_copy_streams:",
    ".cfi_startproc",
    "lea r9, [rcx + 2*rcx]",
    "lea r10, [r8 + 2*r8]",
    ".balign 32",
    "2:",
    "vmovdqu ymm0, [rsi]",
    "vmovdqu ymm1, [rsi + 32]",
    "vmovdqu ymm2, [rsi + r8]",
    "vmovdqu ymm3, [rsi + r8 + 32]",
    "vmovdqu ymm4, [rsi + 2*r8]",
    "vmovdqu ymm5, [rsi + 2*r8 + 32]",
    "vmovdqu ymm6, [rsi + r10]",
    "vmovdqu ymm7, [rsi + r10 + 32]",
    "vmovdqu [rdi], ymm0",
    "vmovdqu [rdi + 32], ymm1",
    "vmovdqu [rdi + rcx], ymm2",
    "vmovdqu [rdi + rcx + 32], ymm3",
    "vmovdqu [rdi + 2*rcx], ymm4",
    "vmovdqu [rdi + 2*rcx + 32], ymm5",
    "vmovdqu [rdi + r9], ymm6",
    "vmovdqu [rdi + r9 + 32], ymm7",
    "add rsi, 64",
    "add rdi, 64",
    "sub rdx, 64",
    "jnz 2b",
    "vzeroupper",
    "xor eax, eax",
    "ret",
    "spindle_copy_streams_failed:",
    "vzeroupper",
    "mov eax, -1",
    "ret",
    ".cfi_endproc",
    ".size spindle_copy_streams, . - spindle_copy_streams",
    ".popsection",
);

unsafe extern "C" {
    /// Copies `len` bytes; 0, or all ones after a fault.
    pub(super) fn spindle_copy(to: *mut u8, from: *const u8, len: usize) -> u32;
    /// The byte at an address, or all ones after a fault. For one byte a string instruction does not pay.
    pub(super) fn spindle_copy_byte(at: *const u8) -> u32;
    /// The exit of both after a fault, right behind the instructions that may have one. Not to be called.
    fn spindle_copy_failed();
    /// Copies `len` bytes, a multiple of 64 and not 0, of each of four streams, which begin `to_apart` and `from_apart` bytes apart. As above.
    fn spindle_copy_streams(to: *mut u8, from: *const u8, len: usize, to_apart: usize, from_apart: usize) -> u32;
    /// Its exit after a fault.
    fn spindle_copy_streams_failed();
}

/// Whether there is a routine.
pub const IS_THERE: bool = true;

/// The routine for streams, if this processor has what it takes.
pub(super) fn streams() -> Option<Streams> {
    // SAFETY: as in `in_order`, and the processor has AVX.
    let streams: Streams =
        |to, from, len, to_apart, from_apart| unsafe { spindle_copy_streams(to, from, len, to_apart, from_apart) == 0 };
    is_x86_feature_detected!("avx").then_some(streams)
}

/// Takes a thread that had a fault inside the routine out of it; false when it is somewhere else.
pub(super) fn leave(context: &mut libc::ucontext_t) -> bool {
    let routines = [
        (spindle_copy as *const (), spindle_copy_failed as *const ()),
        (spindle_copy_streams as *const (), spindle_copy_streams_failed as *const ()),
    ];
    let at = &mut context.uc_mcontext.gregs[libc::REG_RIP as usize];
    let here = at.cast_unsigned();
    let Some((_, failed)) =
        routines.into_iter().find(|(first, failed)| (*first as u64..*failed as u64).contains(&here))
    else {
        return false;
    };
    // The routine has nothing on the stack and no register to restore: its other exit is as good a way out.
    *at = (failed as u64).cast_signed();
    true
}
