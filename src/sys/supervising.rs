//! The system calls that only supervision needs.

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

/// The kernel's sigset_t: a bit for each of 64 signals; bit 0 is signal 1.
#[derive(Clone, Copy)]
pub(crate) struct Mask(u64);

impl Mask {
    pub(crate) const ALL: Self = Self(u64::MAX);

    pub(crate) const NONE: Self = Self(0);

    /// Adds a signal, 1 to 64.
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

/// `rt_sigprocmask(2)`: sets the blocked signals and returns the mask from before.
pub(crate) fn set_signal_mask(mask: Mask) -> Mask {
    let (Mask(new), mut before) = (mask, 0_u64);
    // SAFETY: the kernel reads one mask and writes the other, 8 bytes each.
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

/// `rt_sigpending(2)`: the blocked signals that are pending.
pub(crate) fn pending_signals() -> Mask {
    let mut pending = 0_u64;
    // SAFETY: the kernel writes a mask of 8 bytes.
    let _ = unsafe { call(__NR_rt_sigpending, [&raw mut pending as usize, 8, 0, 0, 0]) };
    Mask(pending)
}

/// The kernel's sigaction: handler, flags, restorer, mask. Only the default can be made here; any other came from the kernel.
#[derive(Clone, Copy)]
pub(crate) struct Action([u64; 4]);

impl Action {
    /// SIG_DFL.
    pub(crate) const DEFAULT: Self = Self([0; 4]);
}

/// `rt_sigaction(2)`: sets a signal's action and returns the one from before.
pub(crate) fn set_action(signal: u32, action: Action) -> Action {
    let (Action(new), mut before) = (action, [0_u64; 4]);
    // SAFETY: the kernel reads 32 bytes and writes 32 others. There is no handler, or the kernel returned it here before.
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

/// `signalfd4(2)` for these signals, non-blocking.
pub(crate) fn signal_descriptor(mask: Mask) -> Result<OwnedFd, Errno> {
    // SFD_CLOEXEC and SFD_NONBLOCK have the values of O_CLOEXEC and O_NONBLOCK.
    let flags = (OFlags::CLOEXEC | OFlags::NONBLOCK).bits() as usize;
    // SAFETY: the kernel reads the mask, 8 bytes; nobody else owns the new descriptor.
    unsafe {
        let descriptor = call(
            __NR_signalfd4,
            [usize::MAX, &raw const mask as usize, 8, flags, 0],
        )?;
        Ok(OwnedFd::from_raw_fd(descriptor as i32))
    }
}

/// `setsockopt(2)`, NETLINK_ADD_MEMBERSHIP: subscribes the socket to a group.
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

/// `kill(2)`, also for pid -1 (every process that this one may signal) and real-time signals.
pub(crate) fn kill(pid: i32, signal: u32) -> Result<(), Errno> {
    // SAFETY: no pointer.
    unsafe { call(__NR_kill, [pid as usize, signal as usize, 0, 0, 0]) }.map(|_| ())
}

/// `recvmsg(2)` on a socket with SO_PASSCRED: a datagram that fits the buffer, and its sender's pid (0: a process of another
/// PID namespace). Descriptors sent with it are not accepted.
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
    // SAFETY: the kernel writes at most the lengths of the buffer and of `control`, which are passed to it.
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
    let kind = (control.header.cmsg_level, control.header.cmsg_type);
    let whole = message.msg_flags & TRUNCATED == 0;
    if kind != (SOL_SOCKET as i32, SCM_CREDENTIALS as i32) || !whole {
        return Ok((b"", 0));
    }
    Ok((
        buffer.get(..length).unwrap_or_default(),
        control.sender.pid as i32,
    ))
}

/// `madvise(2)`: returns `DEPTH` bytes of unused stack to the kernel. The launch has used much stack, and the supervisor that
/// follows needs little for months.
#[inline(never)]
pub(crate) fn give_back_stack<const DEPTH: usize>() {
    const PAGE: usize = 4096;
    let end = unused_stack::<DEPTH>();
    let (start, end) = ((end - DEPTH) & !(PAGE - 1), end & !(PAGE - 1));
    // SAFETY: these pages were the stack of a function that has returned, and nothing is in them now: this function's frame is
    // above them, and it calls no function whose frame would be in them.
    unsafe {
        asm!("syscall", inlateout("rax") __NR_madvise as isize => _, in("rdi") start, in("rsi") end - start, in("rdx") MADV_DONTNEED,
            lateout("rcx") _, lateout("r11") _, options(nostack));
    }
}

/// The end of the stack in use; the `DEPTH` bytes below it belong to the stack, too.
#[inline(never)]
fn unused_stack<const DEPTH: usize>() -> usize {
    let place = MaybeUninit::<[u8; DEPTH]>::uninit();
    black_box(place.as_ptr()).addr() + DEPTH
}
