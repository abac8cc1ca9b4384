//! The test binary under other names: the two helpers that make namespaces, and the stand-ins for programs of the image. One
//! binary, so that cargo builds nothing but this crate.

use crate::{
    faults,
    nesting::Cgroup,
    root::STARTED,
    rtnetlink::{add_address, add_interface, set_hardware_address},
    util::{Before, Namespaces},
};
use nix::{
    errno::Errno,
    fcntl::{OFlag, open},
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, unshare},
    sys::{
        prctl::set_pdeathsig,
        signal::Signal,
        stat::{Mode, umask},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::{chdir, getegid, geteuid, pivot_root},
};
use std::{
    env,
    ffi::OsString,
    fs::{self, File},
    io::{self, Read, Write},
    os::{
        fd::IntoRawFd,
        unix::{
            fs::{OpenOptionsExt, symlink},
            process::{CommandExt, ExitStatusExt},
        },
    },
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio, exit},
    thread,
};

/// Runs the stand-in of the name that this process was started with. `None`: it is the test binary itself.
pub(crate) fn run() -> Option<ExitCode> {
    let name = PathBuf::from(env::args_os().next()?);
    Some(match name.file_name()?.to_str()? {
        "namespaces" => namespaces(),
        "pid-1" => pid_1(),
        "dockerd" | "docker" | "appliance" => daemon(),
        "sh" => crate::failure::shell(),
        "engine" => crate::engine::engine(),
        "containerd" => crate::containerd::stand_in(),
        "sleeper" => {
            if let Some(root) = env::args().nth(1) {
                nix::unistd::chroot(root.as_str()).unwrap();
                println!();
            }
            sleep()
        }
        "once" => ExitCode::SUCCESS,
        "held" => crate::calls::held(),
        "modprobe" | "e2fsck" | "mkfs.ext4" | "mkfs.xfs" | "mkfs.btrfs" => tool(),
        "udhcpc" => udhcpc(),
        "false" => ExitCode::FAILURE,
        "caller" => crate::library::caller(),
        _ => return None,
    })
}

/// The first helper: leaves the machine's namespaces, starts PID 1 of the new ones, prints its pid, and ends with its status.
/// It is a process of its own, because a process with threads can leave neither its user nor its PID namespace.
fn namespaces() -> ExitCode {
    set_pdeathsig(Signal::SIGKILL).unwrap();
    let setup = setup();
    let cgroup = setup.own_cgroup.map(|own| (Cgroup::enter(own), own));
    if setup.unprivileged {
        let (user, group) = (geteuid(), getegid());
        unshare(CloneFlags::CLONE_NEWUSER).unwrap();
        fs::write("/proc/self/setgroups", "deny").unwrap();
        fs::write("/proc/self/uid_map", format!("0 {user} 1")).unwrap();
        fs::write("/proc/self/gid_map", format!("0 {group} 1")).unwrap();
    }
    unshare(
        CloneFlags::CLONE_NEWNS
            | CloneFlags::CLONE_NEWPID
            | CloneFlags::CLONE_NEWNET
            | CloneFlags::CLONE_NEWUTS
            | CloneFlags::CLONE_NEWIPC
            | CloneFlags::CLONE_NEWCGROUP,
    )
    .unwrap();
    let mut pid_1 = Command::new("/proc/self/exe")
        .arg0("pid-1")
        .args(env::args_os().skip(1))
        .stdin(Stdio::null())
        .stdout(File::create(&setup.stdout).unwrap())
        .stderr(File::create(&setup.stderr).unwrap())
        .spawn()
        .unwrap();
    println!("{}", pid_1.id());
    let cgroup = cgroup.map(|(mut cgroup, own)| {
        cgroup.leave(own.left_after, &pid_1);
        cgroup
    });
    if !setup.faults.is_empty() {
        exit(faults::trace(pid_1.id(), setup.faults));
    }
    let status = pid_1.wait().unwrap();
    if let Some(cgroup) = cgroup {
        cgroup.remove();
    }
    exit(
        status
            .code()
            .unwrap_or_else(|| 128 + status.signal().unwrap()),
    )
}

/// The second helper: PID 1 in a root of its own. It prepares what the test asks for, then becomes the program.
fn pid_1() -> ExitCode {
    set_pdeathsig(Signal::SIGKILL).unwrap();
    let setup = setup();
    let mut words = env::args_os().skip(2);
    let Some(program) = words.next() else {
        return ExitCode::SUCCESS; // the caller only wants to know whether namespaces work
    };
    let nothing = None::<&Path>;
    mount(
        nothing,
        "/",
        nothing,
        MsFlags::MS_PRIVATE | MsFlags::MS_REC,
        nothing,
    )
    .unwrap();
    mount(
        Some(&setup.root),
        &setup.root,
        nothing,
        MsFlags::MS_BIND,
        nothing,
    )
    .unwrap();
    for before in setup.before.iter().filter(|before| before.is_outside()) {
        prepare(before, &setup.root);
    }
    chdir(&setup.root).unwrap();
    pivot_root(".", ".").unwrap();
    umount2(".", MntFlags::MNT_DETACH).unwrap();
    chdir("/").unwrap();
    for before in setup.before.iter().filter(|before| !before.is_outside()) {
        prepare(before, Path::new("/"));
    }
    let mut command = Command::new(&program);
    command.args(words);
    if setup.as_child {
        let status = command.status().unwrap();
        // The sleepers are children of PID 1, and orphans would be, too.
        let others = waitpid(None, Some(WaitPidFlag::WNOHANG));
        assert!(
            matches!(others, Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD)),
            "{others:?}"
        );
        exit(status.code().unwrap());
    }
    if !setup.faults.is_empty() {
        faults::be_traced();
    }
    let words: Vec<OsString> = env::args_os().collect();
    panic!("exec of {words:?}: {}", command.exec())
}

fn setup() -> Namespaces {
    serde_json::from_str(&env::args().nth(1).unwrap()).unwrap()
}

#[expect(
    clippy::zombie_processes,
    reason = "the kernel ends a sleeper with its PID namespace"
)]
fn prepare(before: &Before, root: &Path) {
    let nothing = None::<&Path>;
    let place = |at: &str| root.join(at.trim_start_matches('/'));
    match before {
        // There is no server: every request would wait for ever.
        Before::Mount { kind, at, .. } if kind.starts_with("fuse") => {
            let device = open("/dev/fuse", OFlag::O_RDWR, Mode::empty()).unwrap();
            let fd = device.into_raw_fd();
            let data = format!("fd={fd},rootmode=40000,user_id=0,group_id=0");
            let (kind, data) = (Some(kind.as_str()), Some(data.as_str()));
            mount(kind, &place(at), kind, MsFlags::empty(), data).unwrap();
        }
        Before::Mount { kind, at, data } => mount(
            Some(kind.as_str()),
            &place(at),
            Some(kind.as_str()),
            MsFlags::empty(),
            Some(data.as_str()),
        )
        .unwrap(),
        Before::Bind { from, at } => {
            mount(
                Some(from),
                &place(at),
                nothing,
                MsFlags::MS_BIND | MsFlags::MS_REC,
                nothing,
            )
            .unwrap();
        }
        Before::ReadOnly { at } => mount(
            nothing,
            &place(at),
            nothing,
            MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY,
            nothing,
        )
        .unwrap(),
        Before::Directory { at } => fs::create_dir(place(at)).unwrap(),
        Before::Link { at, to } => symlink(to, place(at)).unwrap(),
        Before::File { at, contents } => fs::write(place(at), contents).unwrap(),
        Before::Umask(mask) => {
            umask(Mode::from_bits_truncate(*mask));
        }
        Before::Open { at } => {
            let _ = open(&place(at), OFlag::O_RDWR, Mode::empty())
                .unwrap()
                .into_raw_fd();
        }
        Before::Close(number) => nix::unistd::close(*number).unwrap(),
        Before::Limit { soft, hard } => {
            use nix::sys::resource::{Resource, setrlimit};
            setrlimit(Resource::RLIMIT_NOFILE, *soft, *hard).unwrap();
        }
        Before::Sleeper { program } => {
            Command::new(program).arg0("sleeper").spawn().unwrap();
        }
        Before::Stranger { program, root } => {
            let mut stranger = Command::new(program);
            let stranger = stranger.arg0("sleeper").arg(root).stdout(Stdio::piped());
            let mut said = stranger.spawn().unwrap().stdout.unwrap();
            // It writes a line when it has changed its root; if it ends before that, this fails.
            said.read_exact(&mut [0]).unwrap();
        }
        Before::Launch { variables } => {
            let mut launch = Command::new("/usr/bin/dockerlaunch");
            launch
                .arg("/usr/bin/once")
                .env("DOCKER_LAUNCH_AS", "container");
            let status = launch.envs(variables.iter().cloned()).status().unwrap();
            assert!(status.success());
        }
        Before::Mounts { at, count } => {
            mount(
                Some("tmpfs"),
                &place(at),
                Some("tmpfs"),
                MsFlags::empty(),
                nothing,
            )
            .unwrap();
            for number in 0..*count {
                let place = place(&format!("{at}/{number}"));
                fs::create_dir(&place).unwrap();
                mount(Some(&place), &place, nothing, MsFlags::MS_BIND, nothing).unwrap();
            }
        }
        Before::Setting { file, value } => fs::write(file, value).unwrap(),
        Before::Interface { name, kind } => add_interface(name, kind),
        Before::Address { name, address } => set_hardware_address(name, *address),
        Before::DropCapability(number) => {
            let capability = rustix::thread::CapabilitySet::from_bits_retain(1 << number);
            rustix::thread::remove_capability_from_bounding_set(capability).unwrap();
        }
    }
}

/// The daemon: reports that it has started, and waits for a signal.
fn daemon() -> ExitCode {
    let told = has_started();
    // A test that restarts it waits for its first start only.
    if !env::args().any(|word| word.starts_with("--containerd=")) {
        told.unwrap();
    }
    sleep()
}

/// An error if nobody waits for it any more.
pub(crate) fn has_started() -> io::Result<()> {
    File::options()
        .write(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(STARTED)
        .and_then(|mut pipe| pipe.write_all(b"!"))
}

fn sleep() -> ExitCode {
    loop {
        thread::park();
    }
}

/// Writes its arguments to /NAME.words, one a line, and the number of its variables to /NAME.variables if that file exists. Ends
/// with the status in /NAME.status, or late, or never.
fn tool() -> ExitCode {
    match noted().as_str() {
        "hang" => sleep(),
        "slow" => {
            thread::sleep(std::time::Duration::from_secs(1));
            let name = env::args().next().unwrap();
            fs::write(format!("/{name}.done"), "").unwrap();
            ExitCode::SUCCESS
        }
        status => ExitCode::from(status.parse::<u8>().unwrap_or(0)),
    }
}

/// A DHCP client that gets a lease, gets none, fails or hangs, as /udhcpc.INTERFACE.status or /udhcpc.status says. The lease is
/// in /udhcpc.lease; it starts its script as busybox does.
fn udhcpc() -> ExitCode {
    let status = noted();
    let words: Vec<String> = env::args().collect();
    let behind = |flag: &str| {
        let place = words.iter().position(|word| word == flag)?;
        words.get(place + 1)
    };
    let interface = behind("-i").unwrap();
    fs::write(format!("/udhcpc.{interface}.words"), words.join("\n")).unwrap();
    let own = fs::read_to_string(format!("/udhcpc.{interface}.status"));
    match own.as_deref().unwrap_or(&status) {
        "lease" => {}
        "hang" => return sleep(),
        status => return ExitCode::from(status.parse::<u8>().unwrap()),
    }
    let Some(script) = behind("-s") else {
        add_address(interface, [10, 9, 8, 7]);
        return ExitCode::SUCCESS;
    };
    let lease = fs::read_to_string("/udhcpc.lease").unwrap_or_default();
    let mut events: Vec<_> = lease.split("\n\n").collect();
    events.insert(0, "deconfig");
    for event in events {
        let (event, variables) = event.split_once('\n').unwrap_or((event, ""));
        let event = if event.is_empty() { "bound" } else { event };
        let mut script = Command::new(script);
        script.arg(event).env("interface", interface);
        if event == "bound" && variables.is_empty() {
            script.envs([("ip", "10.9.8.7"), ("mask", "24"), ("lease", "3600")]);
        }
        let variables = variables.lines().map(|line| line.split_once('=').unwrap());
        assert!(
            script.envs(variables).status().unwrap().success(),
            "{event}"
        );
    }
    ExitCode::SUCCESS
}

fn noted() -> String {
    let words: Vec<String> = env::args().collect();
    fs::write(format!("/{}.words", words[0]), words.join("\n")).unwrap();
    let variables = format!("/{}.variables", words[0]);
    if Path::new(&variables).exists() {
        fs::write(variables, env::vars_os().count().to_string()).unwrap();
    }
    let status = fs::read_to_string(format!("/{}.status", words[0])).unwrap_or_default();
    status.trim().into()
}
