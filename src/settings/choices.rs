//! The settings that are a choice from a list.

/// What dockerlaunch runs as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The machine's PID 1, started by the kernel: everything is set up.
    Machine,
    /// The entry point of a privileged container: what the outer engine set up is kept.
    Container,
}

/// Which cgroup layout is mounted below /sys/fs/cgroup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cgroup {
    /// The layout already mounted; else v2, or v1 if one of cpu, memory and pids exists only there.
    #[default]
    Auto,
    /// The unified hierarchy.
    V2,
    /// A hierarchy for each controller, and one named systemd.
    V1,
    /// As v1, with an empty unified hierarchy at /sys/fs/cgroup/unified.
    Hybrid,
}

/// What a launch does when something that Docker requires is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Prerequisites {
    /// It fails.
    #[default]
    Require,
    /// It warns and goes on.
    Warn,
    /// It does not check.
    Skip,
}

/// Whether dockerlaunch supervises the daemon or becomes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reap {
    /// It supervises on the machine and becomes the daemon in a container.
    #[default]
    Auto,
    /// It becomes the daemon.
    Never,
    /// It supervises.
    Always,
}

/// Who starts containerd.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ContainerdBy {
    /// A supervisor on the machine, unless the daemon is told to use another one.
    #[default]
    Auto,
    /// The daemon.
    Daemon,
}

/// What happens when a supervised daemon ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnExit {
    /// The daemon is started again.
    Restart,
    /// The machine powers off.
    PowerOff,
    /// The machine reboots.
    Reboot,
    /// The machine halts: it stops, with the power on.
    Halt,
    /// dockerlaunch exits with the daemon's status. On the machine the kernel then panics, and its `panic=N` decides.
    Exit,
}

/// What happens when the launch fails on the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnFailure {
    /// The program exits, the kernel panics, and its `panic=N` decides.
    #[default]
    Panic,
    /// The machine powers off.
    PowerOff,
    /// The machine reboots.
    Reboot,
    /// A root shell runs on the console, without a password.
    Shell,
}
