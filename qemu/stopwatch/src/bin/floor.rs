//! The floor: each change that dockerlaunch without features makes to the system of the launch guests (mounts, links, files,
//! limits), in the same order, each as one system call or a few. Nothing is looked at first, nothing is checked, and a failure is
//! not noticed. No program that leaves the same system behind executes less, apart from its own few instructions.
#![no_std]
#![no_main]

use core::ffi::CStr;
use linux_raw_sys::general::*;
use stopwatch::{call, close, exit, open, write};

enum Do {
    /// Source, target, type, flags, data.
    Mount(
        &'static CStr,
        &'static CStr,
        &'static CStr,
        u32,
        &'static CStr,
    ),
    Directory(&'static CStr, usize),
    /// Target, name.
    Link(&'static CStr, &'static CStr),
    /// Name, mode, content.
    File(&'static CStr, u32, &'static [u8]),
    /// From, to.
    Copy(&'static CStr, &'static CStr),
    Call(u32, [usize; 4]),
    /// A call of one path.
    Path(u32, &'static CStr),
    /// Resource, soft and hard limit.
    Limit(u32, u64, u64),
}
use Do::{Call, Copy, Directory, File, Limit, Link, Mount, Path};

const PLAIN: u32 = MS_NOSUID | MS_NODEV | MS_NOEXEC;
const STRICT: u32 = MS_NOSUID | MS_STRICTATIME;
const ALL: u64 = u64::MAX;

#[rustfmt::skip]
const TABLE: &[Do] = &[
    Mount(c"proc", c"/proc", c"proc", PLAIN, c""),
    // Ctrl-Alt-Del becomes a signal.
    Call(__NR_reboot, [0xfee1_dead, 672_274_793, 0, 0]),
    Mount(c"devtmpfs", c"/dev", c"devtmpfs", STRICT, c"mode=755"),
    Mount(c"sysfs", c"/sys", c"sysfs", PLAIN, c""),
    Directory(c"/dev/pts", 0o755),
    Mount(c"devpts", c"/dev/pts", c"devpts", MS_NOSUID | MS_NOEXEC, c"gid=5,mode=620,ptmxmode=666"),
    Directory(c"/dev/shm", 0o755),
    Mount(c"tmpfs", c"/dev/shm", c"tmpfs", STRICT | MS_NODEV, c"mode=1777"),
    Directory(c"/dev/mqueue", 0o755),
    Mount(c"mqueue", c"/dev/mqueue", c"mqueue", PLAIN, c""),
    Mount(c"tmpfs", c"/run", c"tmpfs", STRICT | MS_NODEV, c"mode=755"),
    Mount(c"securityfs", c"/sys/kernel/security", c"securityfs", PLAIN, c""),
    Mount(c"bpf", c"/sys/fs/bpf", c"bpf", PLAIN, c"mode=700"),
    Directory(c"/dev/hugepages", 0o755),
    Mount(c"hugetlbfs", c"/dev/hugepages", c"hugetlbfs", MS_NOSUID | MS_NODEV, c""),
    Link(c"/proc/self/fd", c"/dev/fd"),
    Link(c"/proc/self/fd/0", c"/dev/stdin"),
    Link(c"/proc/self/fd/1", c"/dev/stdout"),
    Link(c"/proc/self/fd/2", c"/dev/stderr"),
    Link(c"/proc/kcore", c"/dev/core"),
    Directory(c"/.root", 0o700),
    Mount(c"/", c"/.root", c"", MS_BIND | MS_REC, c""),
    Path(__NR_chdir, c"/.root"),
    Mount(c".", c"/", c"", MS_MOVE, c""),
    Path(__NR_chroot, c"."),
    Path(__NR_chdir, c"/"),
    Path(__NR_rmdir, c"/.root"),
    Mount(c"", c"/", c"", MS_REC | MS_SHARED, c""),
    Mount(c"cgroup2", c"/sys/fs/cgroup", c"cgroup2", PLAIN, c"nsdelegate,memory_recursiveprot"),
    Call(__NR_umask, [0, 0, 0, 0]),
    Link(c"usr/bin", c"/bin"),
    Link(c"usr/lib", c"/lib"),
    Link(c"usr/sbin", c"/sbin"),
    Directory(c"/root/.ssh", 0o700),
    Directory(c"/var/lib", 0o755),
    Directory(c"/var/log", 0o755),
    Link(c"../run", c"/var/run"),
    Directory(c"/var/lib/docker", 0o710),
    Directory(c"/etc/ssl", 0o755),
    Directory(c"/etc/ssl/certs", 0o755),
    Copy(c"/usr/etc/ssl/certs/ca-certificates.crt", c"/etc/ssl/certs/ca-certificates.crt"),
    Link(c"../usr/lib/os-release", c"/etc/os-release"),
    Link(c"../proc/self/mounts", c"/etc/mtab"),
    File(c"/etc/group", 0o644, b"root:x:0:\ndocker:x:999:\n"),
    File(c"/etc/hosts", 0o644, b"127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"),
    File(c"/etc/nsswitch.conf", 0o644, b"passwd: files\ngroup: files\nhosts: files dns\n"),
    File(c"/etc/machine-id", 0o444, b"f8d4ea427a7963beee7b1f3c79e1ac7f\n"),
    File(c"/etc/passwd", 0o644, b"root:x:0:0:root:/root:/bin/sh\n"),
    Call(__NR_umask, [0o022, 0, 0, 0]),
    Limit(RLIMIT_NOFILE, 1024, 524_288),
    Limit(RLIMIT_NPROC, ALL, ALL),
    Limit(RLIMIT_CORE, ALL, ALL),
    File(c"/proc/self/oom_score_adj", 0, b"-500"),
];

#[unsafe(no_mangle)]
extern "C" fn main(_: u64, stack: *const usize) -> ! {
    TABLE.iter().for_each(run);
    // SAFETY: argc is at the top; argv and the environment follow, each ended by a null pointer. argv[1] is the daemon.
    unsafe {
        let daemon = stack.add(2);
        let environment = stack.add(*stack + 2);
        call(
            __NR_execve,
            [*daemon, daemon.addr(), environment.addr(), 0, 0],
        );
    }
    exit(1)
}

fn run(row: &Do) {
    let at = |text: &CStr| text.as_ptr().addr();
    // SAFETY: all texts end with NUL, and stay.
    unsafe {
        match *row {
            Mount(source, target, kind, flags, data) => {
                let flags = flags as usize;
                call(
                    __NR_mount,
                    [at(source), at(target), at(kind), flags, at(data)],
                );
            }
            Directory(path, mode) => {
                call(__NR_mkdir, [at(path), mode, 0, 0, 0]);
            }
            Link(target, name) => {
                call(__NR_symlink, [at(target), at(name), 0, 0, 0]);
            }
            File(path, mode, content) => {
                let file = open(path, O_CREAT | O_WRONLY, mode).cast_unsigned();
                write(file, content);
                close(file);
            }
            Copy(from, to) => {
                let from = open(from, O_RDONLY, 0).cast_unsigned();
                let to = open(to, O_CREAT | O_WRONLY, 0o644).cast_unsigned();
                call(__NR_sendfile, [to, from, 0, 1 << 20, 0]);
                close(to);
                close(from);
            }
            Call(number, [a, b, c, d]) => {
                call(number, [a, b, c, d, 0]);
            }
            Path(number, path) => {
                call(number, [at(path), 0, 0, 0, 0]);
            }
            Limit(resource, soft, hard) => {
                let limit = [soft, hard];
                call(
                    __NR_prlimit64,
                    [0, resource as usize, limit.as_ptr().addr(), 0, 0],
                );
            }
        }
    }
}
