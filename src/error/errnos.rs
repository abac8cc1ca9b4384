//! The kernel's errnos as messages name them: with the words of strerror(3), and the name that a search finds.

use linux_raw_sys::errno::*;
use rustix::io::Errno;

/// Of each errno its number and how long its name is; and all names, one behind another. A reference to each name would be
/// as long as the name.
macro_rules! table {
    ($($errno:ident $name:literal;)*) => {
        const ERRNOS: &[(u8, u8)] = &[$(($errno as u8, $name.len() as u8)),*];
        const NAMES: &str = concat!($($name),*);
    };
}

// The errors of system calls that a launch can meet.
table! {
    EPERM "operation not permitted (EPERM)";
    ENOENT "no such file or directory (ENOENT)";
    ESRCH "no such process (ESRCH)";
    EINTR "interrupted system call (EINTR)";
    EIO "input/output error (EIO)";
    ENXIO "no such device or address (ENXIO)";
    E2BIG "argument list too long (E2BIG)";
    ENOEXEC "exec format error (ENOEXEC)";
    EAGAIN "resource temporarily unavailable (EAGAIN)";
    ENOMEM "cannot allocate memory (ENOMEM)";
    EACCES "permission denied (EACCES)";
    EBUSY "device or resource busy (EBUSY)";
    EEXIST "file exists (EEXIST)";
    ENOTBLK "block device required (ENOTBLK)";
    ENODEV "no such device (ENODEV)";
    ENOTDIR "not a directory (ENOTDIR)";
    EISDIR "is a directory (EISDIR)";
    EINVAL "invalid argument (EINVAL)";
    ENFILE "too many open files in system (ENFILE)";
    EMFILE "too many open files (EMFILE)";
    ETXTBSY "text file busy (ETXTBSY)";
    EFBIG "file too large (EFBIG)";
    ENOSPC "no space left on device (ENOSPC)";
    EROFS "read-only file system (EROFS)";
    EPIPE "broken pipe (EPIPE)";
    ENAMETOOLONG "file name too long (ENAMETOOLONG)";
    ENOSYS "function not implemented (ENOSYS)";
    ENOTEMPTY "directory not empty (ENOTEMPTY)";
    ELOOP "too many levels of symbolic links (ELOOP)";
    EPROTO "protocol error (EPROTO)";
    EBADMSG "bad message (EBADMSG)";
    // The kernel gives it for nothing that a launch calls: as in systemd, what should be a file is something else.
    EBADFD "is not a regular file (EBADFD)";
    ELIBBAD "accessing a corrupted shared library (ELIBBAD)";
    EMSGSIZE "message too long (EMSGSIZE)";
    EPROTONOSUPPORT "protocol not supported (EPROTONOSUPPORT)";
    EAFNOSUPPORT "address family not supported by protocol (EAFNOSUPPORT)";
    EADDRNOTAVAIL "cannot assign requested address (EADDRNOTAVAIL)";
    ENETDOWN "network is down (ENETDOWN)";
    EADDRINUSE "address already in use (EADDRINUSE)";
    ENETUNREACH "network is unreachable (ENETUNREACH)";
    ENOBUFS "no buffer space available (ENOBUFS)";
    ETIMEDOUT "timed out (ETIMEDOUT)";
    ECONNREFUSED "connection refused (ECONNREFUSED)";
    EHOSTUNREACH "no route to host (EHOSTUNREACH)";
    ESTALE "stale file handle (ESTALE)";
    EDQUOT "disk quota exceeded (EDQUOT)";
    // As the kernel gives it for a program that is there.
    ELIBACC "its interpreter or loader is missing from the image (ENOENT)";
    EUCLEAN "structure needs cleaning (EUCLEAN)";
    ENOMEDIUM "no medium found (ENOMEDIUM)";
    EOPNOTSUPP "operation not supported (EOPNOTSUPP)";
}

/// As the kernel names it.
pub(super) fn name(errno: u32) -> Option<&'static str> {
    let mut names = NAMES;
    for (known, length) in ERRNOS {
        let (name, rest) = names.split_at_checked((*length).into())?;
        if u32::from(*known) == errno {
            return Some(name);
        }
        names = rest;
    }
    None
}

/// The kernel's reason, where a message has no room for a number.
pub(crate) fn reason(errno: Errno) -> &'static str {
    let number = errno.raw_os_error().unsigned_abs();
    name(number).unwrap_or("an errno that has no name here")
}
