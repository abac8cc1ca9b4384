//! The entry of every program here: the counter is read by its first instruction, then `main` runs.

use core::arch::global_asm;

unsafe extern "C" {
    /// Of each program: the counter's value at its first instruction, and the stack as the kernel made it.
    safe fn main(counter: u64, stack: *const usize) -> !;
}

// rdtsc leaves the counter in edx and eax. The stack has argc, argv and the environment (System V AMD64 ABI 3.4.1).
global_asm!(
    ".section .text._start,\"ax\",@progbits",
    ".globl _start",
    "_start:",
    "rdtsc",
    "shl $32, %rdx",
    "or %rdx, %rax",
    "mov %rax, %rdi",
    "mov %rsp, %rsi",
    "xor %ebp, %ebp",
    "and $-16, %rsp",
    "call {main}",
    main = sym main,
    options(att_syntax)
);

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    crate::exit(134)
}

/// In an unoptimised build core's unwinding tables refer to it; with panic=abort nothing calls it.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

/// As above.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    crate::exit(134)
}
