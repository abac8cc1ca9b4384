//! What a C runtime would do: `_start`, exit, and a panic handler that nothing reaches (a test reads the symbols of the release
//! program).
#![allow(unsafe_code)] // Entry code cannot be written without it.

use core::arch::{asm, global_asm};
use dockerlaunch::Strings;
use linux_raw_sys::general::{__NR_exit_group, __NR_write};

// The kernel puts argc, argv and the environment on the stack (System V AMD64 ABI 3.4.1); a call needs the stack aligned.
global_asm!(
    ".section .text._start,\"ax\",@progbits",
    ".globl _start",
    "_start:",
    "xor %ebp, %ebp",
    "mov %rsp, %rdi",
    "and $-16, %rsp",
    "call {begin}",
    begin = sym begin,
    options(att_syntax)
);

/// # Safety
/// Called by `_start` only, with the stack as the kernel made it: argc, argc pointers, null, the environment's pointers, null.
unsafe extern "C" fn begin(stack: *const usize) -> ! {
    // SAFETY: argc is at the top, the arrays follow it, and both stay as long as the process.
    let (mut arguments, environment) = unsafe {
        let arguments = stack.add(1);
        let environment = arguments.add(*stack + 1);
        (
            Strings::from_array(arguments.cast()),
            Strings::from_array(environment.cast()),
        )
    };
    arguments.next(); // argv[0]
    exit(crate::main(arguments, environment))
}

/// Writes the text to a descriptor and returns the exit status.
pub(crate) fn print(descriptor: u32, text: &str) -> u8 {
    let written: isize;
    // SAFETY: the kernel reads the text, and clobbers only rcx and r11.
    unsafe {
        asm!("syscall", inlateout("rax") __NR_write as isize => written, in("rdi") descriptor, in("rsi") text.as_ptr(), in("rdx") text.len(),
            lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    u8::from(written.cast_unsigned() != text.len())
}

/// exit_group(2).
fn exit(status: u8) -> ! {
    // SAFETY: no pointer, and it does not return.
    unsafe {
        asm!("syscall", in("rax") __NR_exit_group, in("rdi") u32::from(status), options(noreturn, nostack))
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    exit(134)
}

/// In an unoptimised build core's unwinding tables refer to it; with panic=abort nothing calls it.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

/// As above.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    exit(134)
}
