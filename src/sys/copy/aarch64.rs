//! The routine for this processor.

use super::Streams;

std::arch::global_asm!(
    ".pushsection .text.spindle_copy, \"ax\", @progbits",
    ".balign 16",
    ".globl spindle_copy",
    ".globl spindle_copy_byte",
    ".globl spindle_copy_failed",
    ".hidden spindle_copy",
    ".hidden spindle_copy_byte",
    ".hidden spindle_copy_failed",
    ".type spindle_copy, @function",
    "spindle_copy:",
    ".cfi_startproc",
    "subs x2, x2, #64",
    "b.lo 3f",
    "2:",
    "ldp q0, q1, [x1], #32",
    "ldp q2, q3, [x1], #32",
    "stp q0, q1, [x0], #32",
    "stp q2, q3, [x0], #32",
    "subs x2, x2, #64",
    "b.hs 2b",
    "3:",
    "add x2, x2, #64",
    "4:",
    "cbz x2, 5f",
    "ldrb w3, [x1], #1",
    "strb w3, [x0], #1",
    "sub x2, x2, #1",
    "b 4b",
    "5:",
    "mov w0, #0",
    "ret",
    "spindle_copy_byte:",
    "ldrb w0, [x0]",
    "ret",
    "spindle_copy_failed:",
    "mov w0, #-1",
    "ret",
    ".cfi_endproc",
    ".size spindle_copy, . - spindle_copy",
    ".popsection",
);

unsafe extern "C" {
    /// Copies `len` bytes; 0, or all ones after a fault.
    pub(super) fn spindle_copy(to: *mut u8, from: *const u8, len: usize) -> u32;
    /// The byte at an address, or all ones after a fault.
    pub(super) fn spindle_copy_byte(at: *const u8) -> u32;
    /// The exit after a fault, right behind the instructions that may have one. Not to be called.
    fn spindle_copy_failed();
}

/// Whether there is a routine.
pub const IS_THERE: bool = true;

/// None: whether it would be faster here has not been measured.
pub(super) fn streams() -> Option<Streams> {
    None
}

/// Takes a thread that had a fault inside the routine out of it; false when it is somewhere else.
pub(super) fn leave(context: &mut libc::ucontext_t) -> bool {
    let at = &mut context.uc_mcontext.pc;
    if !(spindle_copy as *const () as u64..spindle_copy_failed as *const () as u64).contains(at) {
        return false;
    }
    // The routine has nothing on the stack and no register to restore: its other exit is as good a way out.
    *at = spindle_copy_failed as *const () as u64;
    true
}
