//! An engine in a container: the image of `cargo qemu image --format oci`, loaded by the guest's own `docker load`. The agent in the
//! guest runs the commands word for word as the guide has them. Checks that only look use the guest's API, because an emulated
//! Docker client takes seconds to start.

mod certificates;
mod cgroups;
mod containers;
mod deeper;
mod field;
mod inner;
mod lives;
mod options;

use super::engine::Row;

/// The checks that the others need first: the image is loaded, and a container runs.
pub(crate) const LOADED: &[Row] = &[Row("load", containers::load)];
pub(crate) const SEEDED: &[Row] = &[Row("load", containers::load), Row("seed", containers::seed)];

/// A new container's engine on a guest with cgroup version 2, until its end.
pub(crate) const ON_TWO: &[Row] = &[
    Row("processes-in-init", cgroups::processes_in_init),
    Row("limits", containers::limits),
    Row("published-port", containers::published_port),
    Row("guest-unchanged", cgroups::guest_unchanged),
];

/// The same on a guest with version 1, where no process is moved.
pub(crate) const ON_ONE: &[Row] = &[
    Row("nothing-mounted", cgroups::nothing_mounted),
    Row("limits", containers::limits),
    Row("published-port", containers::published_port),
    Row("legacy-iptables", containers::legacy_iptables),
    Row("guest-unchanged", cgroups::guest_unchanged),
];

/// The smallest image, without client, shell and modprobe.
pub(crate) const SMALLEST: &[Row] = &[Row("run", containers::smallest)];

/// Version 2 where other processes interfere, where it is shared, and where it is read-only.
pub(crate) const CGROUPS: &[Row] = &[
    Row("exec-race", cgroups::exec_race),
    Row("cgroup-shared", cgroups::shared),
    Row("cgroup-read-only", cgroups::read_only),
];

/// Other options of `docker run`.
pub(crate) const OPTIONS: &[Row] = &[
    Row("init-and-read-only", options::init_and_read_only),
    Row("pid-host", options::pid_host),
    Row("user-namespace", options::user_namespace),
];

/// What outer engines in the field give a container.
pub(crate) const FIELD: &[Row] = &[
    Row("d1-var-run", field::var_run),
    Row("c3-etc-read-only", field::etc_read_only),
];

/// Each way to stop and to start the container.
pub(crate) const LIVES: &[Row] = &[Row("lives", lives::each)];

/// More long checks: the image embedded in another one; an engine with certificates; one level more.
pub(crate) const DEEPER: &[Row] = &[
    Row("embedded", deeper::embedded),
    Row("certificates", certificates::served),
    Row("three-levels", deeper::three_levels),
];

pub(crate) const MANY_LIVES: &[Row] = &[
    Row("twenty-lives", lives::many),
    Row("twenty-lives-reaped", lives::many_reaped),
];
