//! The system calls that only a process needs that stays PID 1.

use super::call;
use core::{arch::asm, hint::black_box, mem::MaybeUninit, ptr};
use linux_raw_sys::{
    general::{
        __NR_kill, __NR_madvise, __NR_recvmsg, __NR_rt_sigaction, __NR_rt_sigpending,
        __NR_rt_sigprocmask, __NR_setsockopt, __NR_signalfd4, MADV_DONTNEED, SIG_SETMASK,
    },
    net::{SCM_CREDENTIALS, SOL_SOCKET, cmsghdr, msghdr, ucred},
};
use rustix::{
    fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
    fs::OFlags,
    io::Errno,
};

/// The kernel's sigset_t: a bit for each of 64 signals, the first for signal 1.
#[derive(Clone, Copy)]
pub(crate) struct Mask(u64);

impl Mask {
    pub(crate) const ALL: Self = Self(u64::MAX);

    pub(crate) const NONE: Self = Self(0);

    /// One more, from 1 to 64.
    pub(crate) const fn with(self, signal: u32) -> Self {
        Self(self.0 | 1 << ((signal - 1) & 63))
    }

    pub(crate) fn is_any(self) -> bool {
        self.0 != 0
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(crate) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// `rt_sigprocmask(2)`: which signals are blocked from here on; what was before.
pub(crate) fn set_signal_mask(mask: Mask) -> Mask {
    let (Mask(new), mut before) = (mask, 0_u64);
    // SAFETY: the kernel reads one mask and writes the other, of 8 bytes each.
    let _ = unsafe {
        call(
            __NR_rt_sigprocmask,
            [
                SIG_SETMASK as usize,
                &raw const new as usize,
                &raw mut before as usize,
                8,
                0,
            ],
        )
    };
    Mask(before)
}

/// `rt_sigpending(2)`: the blocked signals that wait.
pub(crate) fn pending_signals() -> Mask {
    let mut pending = 0_u64;
    // SAFETY: the kernel writes a mask of 8 bytes.
    let _ = unsafe { call(__NR_rt_sigpending, [&raw mut pending as usize, 8, 0, 0, 0]) };
    Mask(pending)
}

/// The kernel's sigaction: handler, flags, restorer, mask. Only the default can be made here; others are the kernel's own.
#[derive(Clone, Copy)]
pub(crate) struct Action([u64; 4]);

impl Action {
    /// SIG_DFL.
    pub(crate) const DEFAULT: Self = Self([0; 4]);
}

/// `rt_sigaction(2)`: what a signal does from here on; what it did before.
pub(crate) fn set_action(signal: u32, action: Action) -> Action {
    let (Action(new), mut before) = (action, [0_u64; 4]);
    // SAFETY: the kernel reads 32 bytes and writes others. The handler is none, or one that the kernel gave here before.
    let _ = unsafe {
        call(
            __NR_rt_sigaction,
            [
                signal as usize,
                new.as_ptr() as usize,
                before.as_mut_ptr() as usize,
                8,
                0,
            ],
        )
    };
    Action(before)
}

/// `signalfd4(2)` of these signals, not blocking.
pub(crate) fn signal_descriptor(mask: Mask) -> Result<OwnedFd, Errno> {
    // SFD_CLOEXEC and SFD_NONBLOCK are those of open(2).
    let flags = (OFlags::CLOEXEC | OFlags::NONBLOCK).bits() as usize;
    // SAFETY: the kernel reads the mask of 8 bytes; the descriptor is new and nobody else's.
    unsafe {
        let descriptor = call(
            __NR_signalfd4,
            [usize::MAX, &raw const mask as usize, 8, flags, 0],
        )?;
        Ok(OwnedFd::from_raw_fd(descriptor as i32))
    }
}

/// `setsockopt(2)`, NETLINK_ADD_MEMBERSHIP: what the kernel sends to that group arrives here, too.
pub(crate) fn join_netlink_group(socket: BorrowedFd<'_>, group: u32) -> Result<(), Errno> {
    const SOL_NETLINK: usize = 270;
    const ADD_MEMBERSHIP: usize = 1;
    let (number, value) = (socket.as_raw_fd() as usize, &raw const group as usize);
    // SAFETY: the kernel reads the group's 4 bytes.
    unsafe {
        call(
            __NR_setsockopt,
            [number, SOL_NETLINK, ADD_MEMBERSHIP, value, 4],
        )
    }
    .map(|_| ())
}

/// `kill(2)`, of -1 (all that this process may signal) and real-time signals, too.
pub(crate) fn kill(pid: i32, signal: u32) -> Result<(), Errno> {
    // SAFETY: no pointer.
    unsafe { call(__NR_kill, [pid as usize, signal as usize, 0, 0, 0]) }.map(|_| ())
}

/// `recvmsg(2)` on a socket with SO_PASSCRED: a datagram that fits the buffer, and its sender's pid (0: one of another
/// PID namespace). Descriptors that are sent along are not taken.
pub(crate) fn receive_from_pid<'b>(
    socket: BorrowedFd<'_>,
    buffer: &'b mut [u8],
) -> Result<(&'b [u8], i32), Errno> {
    #[repr(C)]
    struct Control {
        header: cmsghdr,
        sender: ucred,
    }
    const DONTWAIT_CLOEXEC: usize = 0x40 | 0x4000_0000;
    const TRUNCATED: u32 = 0x20;
    let mut control = Control {
        header: cmsghdr {
            cmsg_len: 0,
            cmsg_level: 0,
            cmsg_type: 0,
        },
        sender: ucred {
            pid: 0,
            uid: 0,
            gid: 0,
        },
    };
    // An iovec: where, and how long.
    let mut vector = [buffer.as_mut_ptr() as usize, buffer.len()];
    let mut message = msghdr {
        msg_name: ptr::null_mut(),
        msg_namelen: 0,
        msg_iov: (&raw mut vector).cast(),
        msg_iovlen: 1,
        msg_control: (&raw mut control).cast(),
        msg_controllen: size_of::<Control>() as _,
        msg_flags: 0,
    };
    // SAFETY: the kernel writes at most the buffer's length and the control's, which it is told.
    let length = unsafe {
        call(
            __NR_recvmsg,
            [
                socket.as_raw_fd() as usize,
                &raw mut message as usize,
                DONTWAIT_CLOEXEC,
                0,
                0,
            ],
        )
    }?;
    let told = (control.header.cmsg_level, control.header.cmsg_type);
    let whole = message.msg_flags & TRUNCATED == 0;
    if told != (SOL_SOCKET as i32, SCM_CREDENTIALS as i32) || !whole {
        return Ok((b"", 0));
    }
    Ok((
        buffer.get(..length).unwrap_or_default(),
        control.sender.pid as i32,
    ))
}

/// Gives the kernel back the memory of the stack that is not in use any more, so many bytes deep: a launch has used much of
/// it, and what follows waits for months. `madvise(2)`.
#[inline(never)]
pub(crate) fn give_back_stack<const DEPTH: usize>() {
    const PAGE: usize = 4096;
    let end = unused_stack::<DEPTH>();
    let (start, end) = ((end - DEPTH) & !(PAGE - 1), end & !(PAGE - 1));
    // SAFETY: those pages were the stack's of a function that has returned. Nothing lies there now: this function's own part
    // is above, it calls no other that would come to lie there, and what is below nobody has used.
    unsafe {
        asm!("syscall", inlateout("rax") __NR_madvise as isize => _, in("rdi") start, in("rsi") end - start, in("rdx") MADV_DONTNEED,
            lateout("rcx") _, lateout("r11") _, options(nostack));
    }
}

/// Where the stack ends that is in use: so many bytes below it are the stack's, too.
#[inline(never)]
fn unused_stack<const DEPTH: usize>() -> usize {
    let place = MaybeUninit::<[u8; DEPTH]>::uninit();
    black_box(place.as_ptr()).addr() + DEPTH
}
