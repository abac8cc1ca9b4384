//! The text of the kernel's errnos in messages: that of strerror(3), and the name to search for.

use linux_raw_sys::errno::*;
use rustix::io::Errno;

/// Each errno's number and the length of its text; and all texts joined. A `&str` for each text would take as much space as the
/// text.
macro_rules! table {
    ($($errno:ident $name:literal;)*) => {
        const ERRNOS: &[(u8, u8)] = &[$(($errno as u8, $name.len() as u8)),*];
        const NAMES: &str = concat!($($name),*);
    };
}

// The errors that a launch's system calls can return.
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
    // No system call of a launch returns it. As in systemd, it means that something is not a regular file.
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
    // ENOENT from execve(2) although the program exists.
    ELIBACC "its interpreter or loader is missing from the image (ENOENT)";
    EUCLEAN "structure needs cleaning (EUCLEAN)";
    ENOMEDIUM "no medium found (ENOMEDIUM)";
    EOPNOTSUPP "operation not supported (EOPNOTSUPP)";
}

/// The text of an errno, if the table has it.
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

/// The text of an errno, for messages that have no room for a number.
pub(crate) fn reason(errno: Errno) -> &'static str {
    let number = errno.raw_os_error().unsigned_abs();
    name(number).unwrap_or("an errno without a name here")
}
