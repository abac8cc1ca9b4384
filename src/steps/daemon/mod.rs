//! The daemon: what is prepared once for all starts (limits, the listening socket), what is done before each start (stale
//! pid files), and exec with its environment and descriptors.

mod pid_files;

pub(crate) use pid_files::remove_stale_files;

use crate::{
    docker::{
        command::{Command, DEFAULT_PATH},
        config::Config,
    },
    error::Step,
    fs::{self, Lookup, PATH},
    launch::{Context, Launch, Outcome},
    settings::Role,
    steps::var_run::socket,
    sys::{self, ExecArray},
    text::{Decimal, Text, TooLong, fields, number, split_once, trim},
};
use core::{convert::Infallible, ffi::CStr};
use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{CWD, FileType, Mode, chmod, chown, unlink},
    io::{self, Errno},
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with},
    process::{Gid, Resource, Rlimit, Uid, getpid, getrlimit, setrlimit},
};

/// A resource limit that the daemon and its containers start with; `None` is unlimited.
struct Limit {
    resource: Resource,
    soft: Option<u64>,
    hard: Option<u64>,
    /// The file with the highest value that the kernel accepts.
    highest: &'static CStr,
    name: &'static CStr,
}

/// The limits of moby's unit file: 1024:524288 open files (moby#45534), and no limit on processes and core files.
const LIMITS: &[Limit] = &[
    Limit {
        resource: Resource::Nofile,
        soft: Some(1024),
        hard: Some(524_288),
        highest: c"/proc/sys/fs/nr_open",
        name: c"RLIMIT_NOFILE",
    },
    Limit {
        resource: Resource::Nproc,
        soft: None,
        hard: None,
        highest: c"",
        name: c"RLIMIT_NPROC",
    },
    Limit {
        resource: Resource::Core,
        soft: None,
        hard: None,
        highest: c"",
        name: c"RLIMIT_CORE",
    },
];

/// The kernel should kill dockerd among the last; runc resets the value for containers.
const OOM_SCORE: &[u8] = b"-500";
const OOM_SCORE_ADJ: &CStr = c"/proc/self/oom_score_adj";
/// As many waiting clients as the kernel allows.
const BACKLOG: i32 = 4096;
/// The first descriptor that is passed (sd_listen_fds(3)).
const FIRST_PASSED: u32 = 3;

/// Shared by all starts of the daemon.
pub(crate) struct Daemon {
    /// The socket of `-H fd://`. This process keeps it: clients that connect while no daemon runs wait for the next one.
    listener: Option<OwnedFd>,
    /// How many descriptors this process itself got, from the third on; they are passed on to the daemon.
    inherited: u32,
}

/// Prepares what all starts share.
pub(crate) fn prepare(
    launch: &Launch<'_>,
    command: &Command<'_>,
    config: &Config,
) -> Outcome<Daemon> {
    raise_limits(launch);
    match fs::write_word(OOM_SCORE_ADJ, OOM_SCORE) {
        // Without CAP_SYS_RESOURCE the score can only be raised.
        Err(Errno::ACCESS | Errno::PERM) => launch
            .log
            .debug("oom_score_adj stays: the kernel refuses {}", &[OOM_SCORE]),
        outcome => _ = outcome.or_warn(launch.log, Step::Daemon, OOM_SCORE_ADJ),
    }
    let inherited = inherited(command);
    let asks = inherited == 0 && config.inherits_listener;
    let listener = if asks { Some(listener(launch)?) } else { None };
    Ok(Daemon {
        listener,
        inherited,
    })
}

/// Replaces this process with the daemon.
#[inline(never)] // its stack frame must not stay in a caller that supervises
pub(crate) fn replace(
    launch: &Launch<'_>,
    command: &Command<'_>,
    daemon: &Daemon,
) -> Outcome<Infallible> {
    remove_stale_files(launch, command)?;
    launch.requests.hand_over();
    Err(exec(launch, command, daemon, None)).at(launch, Step::Exec, command.path().as_c_str())
}

/// Executes the daemon; returns only on failure. `notify` tells the daemon where to send that it is ready.
pub(crate) fn exec(
    launch: &Launch<'_>,
    command: &Command<'_>,
    daemon: &Daemon,
    notify: Option<&'static CStr>,
) -> Errno {
    let path = command.path();
    launch.log.debug("exec {}", &[path.as_bytes()]);
    let executed = || {
        let mut texts = Composed::new();
        if let Some(listener) = &daemon.listener {
            sys::pass_as(listener.as_fd(), FIRST_PASSED)?;
        }
        let passed = daemon.inherited + u32::from(daemon.listener.is_some());
        let handed = (passed, daemon.inherited > 0);
        let environment = environment(&mut texts, launch.role, command, handed, notify)?;
        let arguments = command.array_of_arguments()?;
        sys::close_on_exec_from(FIRST_PASSED.saturating_add(passed));
        // The point of no return.
        Err::<Infallible, _>(sys::execve(path.as_c_str(), &arguments, &environment))
    };
    let Err(errno) = executed();
    errno
}

/// Raises limits, never lowers them. If the kernel refuses a value, the limit is raised as far as it allows.
fn raise_limits(launch: &Launch<'_>) {
    let higher = |now: Option<u64>, wanted: Option<u64>| Some(now?.max(wanted?));
    for limit in LIMITS {
        let now = getrlimit(limit.resource);
        let raise = |hard: Option<u64>| {
            let maximum = higher(now.maximum, hard);
            let soft = limit
                .soft
                .map(|soft| soft.min(maximum.unwrap_or(soft)))
                .or(maximum);
            let wanted = Rlimit {
                current: higher(now.current, soft),
                maximum,
            };
            if wanted == now {
                return Ok(());
            }
            setrlimit(limit.resource, wanted)
        };
        match raise(limit.hard) {
            Ok(()) => continue,
            Err(Errno::PERM) => {}
            outcome => _ = outcome.or_warn(launch.log, Step::Daemon, limit.name),
        }
        launch.log.debug(
            "{}: the kernel does not allow raising it that far",
            &[limit.name.to_bytes()],
        );
        let mut buffer = [0; 32];
        let highest = fs::read_small(limit.highest, &mut buffer)
            .if_exists_or_warn(launch.log, Step::Daemon, limit.highest)
            .and_then(|text| number(trim(text)));
        if highest.is_none_or(|highest| raise(Some(highest)) == Err(Errno::PERM)) {
            raise(now.maximum).or_warn(launch.log, Step::Daemon, limit.name);
        }
    }
}

/// Binds the daemon's socket, so that clients can connect from now on and wait.
fn listener(launch: &Launch<'_>) -> Outcome<OwnedFd> {
    let path = socket();
    match listen_at(path, docker_group(launch)) {
        Err(Errno::NOTSOCK) => {
            let reason = "something that is not a socket is there; remove it";
            Err(launch.failed(Step::Daemon, path.to_bytes(), reason))
        }
        listener => listener.at(launch, Step::Daemon, path),
    }
}

/// `NOTSOCK`: something else is there.
fn listen_at(path: &CStr, group: Gid) -> io::Result<OwnedFd> {
    if let Some(there) = fs::lstat(CWD, path)? {
        if FileType::from_raw_mode(there.st_mode) != FileType::Socket {
            return Err(Errno::NOTSOCK);
        }
        unlink(path)?;
    }
    let (unix, flags) = (AddressFamily::UNIX, SocketFlags::CLOEXEC);
    let socket = socket_with(unix, SocketType::STREAM, flags, None)?;
    bind(&socket, &SocketAddrUnix::new(path)?)?;
    chown(path, Some(Uid::ROOT), Some(group))?;
    chmod(path, Mode::from_raw_mode(0o660))?;
    listen(&socket, BACKLOG)?;
    Ok(socket)
}

/// The group docker of /etc/group, else root's.
fn docker_group(launch: &Launch<'_>) -> Gid {
    const FILE: &CStr = c"/etc/group";
    let mut group = Gid::ROOT;
    let outcome = fs::lines(FILE, &mut |line| {
        group = id_of_group(line, b"docker").map_or(group, Gid::from_raw);
    });
    outcome.if_exists_or_warn(launch.log, Step::Daemon, FILE);
    group
}

/// The number in a line `name:password:number:members` (group(5)), if it is that group's.
fn id_of_group(line: &[u8], group: &[u8]) -> Option<u32> {
    let mut fields = fields(line, b':');
    let name = fields.next()?;
    let id = u32::try_from(number(fields.nth(1)?)?).ok()?;
    // -1 is not a valid group ID.
    (name == group && id != u32::MAX).then_some(id)
}

/// How many descriptors were passed to this process (sd_listen_fds(3)).
fn inherited(command: &Command<'_>) -> u32 {
    let is_own = |pid: &[u8]| {
        let own = Decimal::new(getpid().as_raw_nonzero().get().unsigned_abs().into());
        pid == own.as_bytes()
    };
    let count = command
        .variable(b"LISTEN_FDS")
        .filter(|_| command.variable(b"LISTEN_PID").is_some_and(is_own))
        .and_then(number)
        .unwrap_or(0);
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Variables that are composed here: they must live as long as the environment.
pub(crate) struct Composed {
    listen_pid: Text<32>,
    /// A changed PATH; empty if PATH is passed on unchanged.
    path: Text<PATH>,
}

impl Composed {
    pub(crate) const fn new() -> Self {
        Self {
            listen_pid: Text::new(),
            path: Text::new(),
        }
    }
}

/// The environment of the daemon or of the program of DOCKER_LAUNCH_READY: the given variables, PATH and HOME, and the
/// LISTEN_* variables. LISTEN_PID is the caller's PID.
///
/// `passed` is the number of descriptors. If they were inherited, LISTEN_FDS and LISTEN_FDNAMES stay as they are. `notify`
/// is the new NOTIFY_SOCKET: empty removes it, `None` keeps the given one.
pub(crate) fn environment<'c>(
    texts: &'c mut Composed,
    role: Role,
    command: &'c Command<'_>,
    (passed, inherited): (u32, bool),
    notify: Option<&'static CStr>,
) -> io::Result<ExecArray<'c>> {
    let given = command.environment();
    let own_path = !command.first_directory.is_empty();
    let (mut has_path, mut has_home) = (false, false);
    let mut variables = ExecArray::with_room(given.clone().count() + 5)?;
    for variable in given {
        let (name, _) = split_once(variable.to_bytes(), b'=');
        let is = |known: &str| name == known.as_bytes();
        let (is_path, is_home) = (is("PATH"), is("HOME"));
        let goes = is_path && own_path
            // The kernel sets this HOME for init; root's home is meant.
            || role == Role::Machine && variable == c"HOME=/"
            || is("LISTEN_PID")
            || !inherited && (is("LISTEN_FDS") || is("LISTEN_FDNAMES"))
            || notify.is_some() && is("NOTIFY_SOCKET");
        if !goes {
            has_path |= is_path;
            has_home |= is_home;
            variables.push(variable);
        }
    }
    if own_path {
        let (first, path) = (command.first_directory.as_bytes(), command.path_variable());
        let whole = texts.path.set(&[b"PATH=", first, b":", path]);
        whole.map_err(|TooLong| Errno::NAMETOOLONG)?;
        variables.push(texts.path.as_c_str());
    } else if !has_path {
        variables.push(DEFAULT_PATH);
    }
    if !has_home {
        variables.push(c"HOME=/root");
    }
    if passed > 0 {
        let own_pid = Decimal::new(getpid().as_raw_nonzero().get().unsigned_abs().into());
        let _ = texts.listen_pid.set(&[b"LISTEN_PID=", own_pid.as_bytes()]);
        variables.push(texts.listen_pid.as_c_str());
        if !inherited {
            variables.push(c"LISTEN_FDS=1");
        }
    }
    if let Some(notify) = notify.filter(|notify| !notify.is_empty()) {
        variables.push(notify);
    }
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::{format, vec::Vec};

    #[test]
    fn reads_only_the_line_of_the_group() {
        assert_eq!(id_of_group(b"docker:x:999:a,b", b"docker"), Some(999));
        assert_eq!(id_of_group(b"dockers:x:999:", b"docker"), None);
        assert_eq!(id_of_group(b"docker:x", b"docker"), None);
        assert_eq!(id_of_group(b"docker:x:4294967295:", b"docker"), None);
    }

    proptest! {
        #[test]
        fn any_line_is_parsed(line: Vec<u8>) {
            let _ = id_of_group(&line, b"docker");
        }

        #[test]
        fn any_number_is_read(id in 0..u32::MAX) {
            prop_assert_eq!(id_of_group(format!("docker:x:{id}:").as_bytes(), b"docker"), Some(id));
        }
    }
}
