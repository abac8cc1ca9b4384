//! How the end unmounts file systems: each one, from the last to the first, however many there are; and what happens if the
//! process that does it cannot be made, is killed, or hangs.

use crate::{
    engine::{self, root},
    program::release,
    root::Root,
    running::{Ended, Start},
    tracer::{Call, Then, trace},
    util::{Before, Needs, tests},
};
use nix::errno::Errno;
use std::{
    env,
    time::{Duration, Instant},
};

tests![Needs::Supervise;
    a5_ten_times_as_many_mounts_take_ten_times_the_calls,
    a5_thousands_of_mounts_are_unmounted,
    a5_mounts_go_from_the_last_to_the_first,
    a5_without_memfd_create_everything_is_detached,
    a5_a_mount_that_another_keeps_busy_goes_in_the_next_pass,
    a3_pid_1_unmounts_if_fork_fails,
    a3_without_pidfd_open_the_process_is_still_awaited,
    a3_if_the_process_is_killed_another_continues,
    a3_if_each_process_is_killed_everything_is_synced,
    a3_a_mount_that_cannot_be_unmounted_is_logged_with_the_reason,
    a3_a_process_that_hangs_is_abandoned,
];

const FORK: i64 = 57;
const SYNC: i64 = 162;
const UMOUNT2: i64 = 166;
const MEMFD_CREATE: i64 = 319;
const PIDFD_OPEN: i64 = 434;

/// As the machine, with a daemon that waits for a signal.
fn machine(root: &Root) -> Start<'_> {
    engine::machine(root).words(["wait"])
}

/// Asks the machine to power off, and looks at each call that follows.
fn ended(start: Start<'_>, each: impl FnMut(&Call) -> Then) -> Ended {
    let running = start.running();
    trace(running.pid, true, || running.signal(12), each);
    running.ended()
}

const END: &str = "dockerlaunch: power off: not the first PID namespace; PID 1 ends instead\n";

fn assert_said_before_the_end(ended: &Ended, line: &str) {
    let log = &ended.stderr;
    assert!(log.contains(line) && log.ends_with(END), "{log}");
}

fn unmounted(ended: &Ended) -> usize {
    let line = "dockerlaunch: unmounted: ";
    let (_, after) = ended
        .stderr
        .split_once(line)
        .unwrap_or_else(|| panic!("{}", ended.stderr));
    after.split_once('\n').unwrap().0.parse().unwrap()
}

/// How many calls it takes, in all processes.
fn calls(mounts: usize) -> usize {
    let root = root();
    root.directory("/a");
    let start = machine(&root).before(Before::Mounts {
        at: "/a".into(),
        count: mounts,
    });
    let mut count = 0;
    let ended = ended(start, |_| {
        count += 1;
        Then::GoOn
    });
    assert!(unmounted(&ended) > mounts, "{}", ended.stderr);
    count
}

fn a5_ten_times_as_many_mounts_take_ten_times_the_calls() {
    let (few, many) = (calls(100), calls(1000));
    assert!(
        many < few * 11,
        "{few} calls for 100 mounts, {many} for 1000"
    );
}

/// Without a tracer: `DOCKERLAUNCH_MOUNTS=10000 cargo test --test main -- a5_thousands` shows how long it takes.
fn a5_thousands_of_mounts_are_unmounted() {
    let count = env::var("DOCKERLAUNCH_MOUNTS").map_or(1000, |count| count.parse().unwrap());
    let root = root();
    root.directory("/a");
    let running = machine(&root)
        .before(Before::Mounts {
            at: "/a".into(),
            count,
        })
        .running();
    running.signal(12);
    let since = Instant::now();
    let ended = running.ended();
    eprintln!("{count} mounts: {:?}", since.elapsed());
    assert!(unmounted(&ended) > count && ended.stderr.ends_with(END));
}

/// The mount points in the order in which they must be unmounted: that of mountinfo, reversed.
fn expected(mountinfo: &str) -> Vec<String> {
    let mut places: Vec<_> = mountinfo
        .lines()
        .map(|line| line.split(' ').nth(4).unwrap())
        .filter(|at| {
            !["/", "/run", "/proc", "/sys", "/dev"].contains(at)
                && !["/proc/", "/sys/", "/dev/"]
                    .iter()
                    .any(|kept| at.starts_with(kept))
        })
        .map(|at| {
            at.replace(r"\040", " ")
                .replace(r"\011", "\t")
                .replace(r"\012", "\n")
                .replace(r"\134", r"\")
        })
        .collect();
    places.reverse();
    places
}

fn a5_mounts_go_from_the_last_to_the_first() {
    let root = root();
    // Longer than any line that is kept whole, because each space takes four bytes.
    let long = format!("/long{}", format!("/{}", " ".repeat(240)).repeat(14));
    for place in [
        "/a",
        "/a b",
        "/new\nline",
        "/tab\tback\\slash",
        "/processes",
        &long,
    ] {
        root.directory(place);
    }
    let mut start = machine(&root);
    for place in [
        "/a",
        "/a b",
        "/a",
        "/new\nline",
        "/tab\tback\\slash",
        "/a b",
        "/processes",
        &long,
    ] {
        start = start.before(Before::mount("tmpfs", place));
    }
    start = start
        .before(Before::Directory { at: "/a/b".into() })
        .before(Before::mount("tmpfs", "/a/b"))
        .before(Before::mount("tmpfs", "/a/b"));
    let running = start.running();
    let expected = expected(&running.proc("mountinfo"));
    assert!(expected.len() >= 10 && expected.contains(&long));
    let mut places = Vec::new();
    trace(
        running.pid,
        true,
        || running.signal(12),
        |call| {
            if call.number == UMOUNT2 {
                places.push(String::from_utf8(call.string(0)).unwrap());
            }
            Then::GoOn
        },
    );
    let ended = running.ended();
    assert_eq!(places, expected);
    assert!(unmounted(&ended) == expected.len() && ended.stderr.ends_with(END));
    assert!(
        !ended.stderr.contains("warning: shutdown"),
        "{}",
        ended.stderr
    );
}

fn one_mount(root: &Root) -> Start<'_> {
    root.directory("/a");
    machine(root).before(Before::mount("tmpfs", "/a"))
}

fn a5_without_memfd_create_everything_is_detached() {
    for errno in [Errno::EMFILE, Errno::ENOSYS] {
        let root = root();
        let mut places = Vec::new();
        let ended = ended(one_mount(&root), |call| match call.number {
            MEMFD_CREATE => Then::Fail(errno),
            UMOUNT2 => {
                places.push(call.string(0));
                Then::GoOn
            }
            _ => Then::GoOn,
        });
        assert!(places.contains(&b"/a".to_vec()), "{places:?}");
        let line = "dockerlaunch: warning: everything is detached\n";
        assert_said_before_the_end(&ended, line);
    }
}

/// A file system on a file of another one that was mounted later: busy until that one is unmounted.
fn a5_a_mount_that_another_keeps_busy_goes_in_the_next_pass() {
    let root = root();
    root.directory("/b");
    let mut refused = false;
    let start = one_mount(&root).before(Before::mount("tmpfs", "/b"));
    let ended = ended(start, |call| {
        if call.number == UMOUNT2 && call.string(0) == b"/a" && !refused {
            refused = true;
            return Then::Fail(Errno::EBUSY);
        }
        Then::GoOn
    });
    assert!(
        refused && unmounted(&ended) == 2 && !ended.stderr.contains("is in use"),
        "{}",
        ended.stderr
    );
}

fn a3_pid_1_unmounts_if_fork_fails() {
    for errno in [Errno::EAGAIN, Errno::ENOMEM, Errno::ENOSYS] {
        let root = root();
        let mut by = Vec::new();
        let ended = ended(one_mount(&root), |call| match call.number {
            FORK => Then::Fail(errno),
            UMOUNT2 => {
                by.push((call.process, call.string(0)));
                Then::GoOn
            }
            _ => Then::GoOn,
        });
        let line =
            "dockerlaunch: warning: unmounting is done by PID 1 itself, without a time limit\n";
        assert_said_before_the_end(&ended, line);
        assert!(
            by.contains(&(0, b"/a".to_vec())) && unmounted(&ended) >= 1,
            "{by:?}"
        );
    }
}

fn a3_without_pidfd_open_the_process_is_still_awaited() {
    for errno in [Errno::EMFILE, Errno::ENOMEM, Errno::ENOSYS] {
        let root = root();
        let mut refused = 0;
        let ended = ended(one_mount(&root), |call| match call.number {
            PIDFD_OPEN => {
                refused += 1;
                Then::Fail(errno)
            }
            _ => Then::GoOn,
        });
        assert!(refused > 0 && unmounted(&ended) >= 1, "{}", ended.stderr);
        assert!(ended.stderr.ends_with(END), "{}", ended.stderr);
        assert!(
            !ended.stderr.contains("warning: unmounting"),
            "{}",
            ended.stderr
        );
    }
}

const KILLED: &str = "dockerlaunch: warning: unmounting: its process has ended with status 137\n";

fn a3_if_the_process_is_killed_another_continues() {
    let root = root();
    let ended = ended(one_mount(&root), |call| match (call.process, call.number) {
        (1, UMOUNT2) => Then::Kill,
        _ => Then::GoOn,
    });
    assert_eq!(ended.stderr.matches(KILLED).count(), 1, "{}", ended.stderr);
    assert!(
        unmounted(&ended) >= 1 && ended.stderr.ends_with(END),
        "{}",
        ended.stderr
    );
}

fn a3_if_each_process_is_killed_everything_is_synced() {
    let root = root();
    let mut written = 0;
    let ended = ended(one_mount(&root), |call| match call.number {
        UMOUNT2 => Then::Kill,
        SYNC => {
            written += 1;
            Then::GoOn
        }
        _ => Then::GoOn,
    });
    assert_eq!(ended.stderr.matches(KILLED).count(), 2, "{}", ended.stderr);
    assert!(
        written == 1 && ended.stderr.ends_with(END),
        "{written}: {}",
        ended.stderr
    );
}

fn a3_a_mount_that_cannot_be_unmounted_is_logged_with_the_reason() {
    let root = root();
    let ended = ended(one_mount(&root), |call| {
        if call.number == UMOUNT2 && call.string(0) == b"/a" {
            return Then::Fail(Errno::EIO);
        }
        Then::GoOn
    });
    let line = "dockerlaunch: warning: shutdown /a: input/output error (EIO)\n";
    assert_said_before_the_end(&ended, line);
}

/// This build has a limit of 1 s.
fn a3_a_process_that_hangs_is_abandoned() {
    let root = root();
    root.program(&release("brief", &[("DOCKERLAUNCH_UNMOUNT_S", "1")]));
    let since = Instant::now();
    let ended = ended(one_mount(&root), |call| match call.number {
        UMOUNT2 => Then::Hang,
        _ => Then::GoOn,
    });
    let line =
        "dockerlaunch: warning: unmounting has not ended after 1 s; the disk may not be clean\n";
    assert_said_before_the_end(&ended, line);
    assert!(
        since.elapsed() < Duration::from_secs(15),
        "{:?}",
        since.elapsed()
    );
}
