//! Mounts cgroups below /sys/fs/cgroup: which version, which controllers, and in a container its own subtree.
//!
//! Existing mounts stay. The machine gets v2, unless v2 lacks cpu, memory or pids and v1 really has it. A container never
//! gets a new v1 hierarchy: it would take the controllers away from the host.

mod nesting;

use crate::{
    error::Step,
    fs::{self, Lookup},
    kernel::hierarchies::{Layout, ROOT},
    launch::{Context, Launch, Outcome},
    settings::{Cgroup, Role},
    text::{Text, number, words},
};
use core::ffi::CStr;
use heapless::Vec;
use rustix::{
    fs::{CWD, Mode, rmdir, symlink},
    io::{self, Errno},
    mount::{MountFlags, UnmountFlags, mount, unmount},
};

const FLAGS: MountFlags = MountFlags::NOSUID
    .union(MountFlags::NOEXEC)
    .union(MountFlags::NODEV);

/// Mount options of v2: the first set that the kernel accepts.
const V2_OPTIONS: &[&CStr] = &[c"nsdelegate,memory_recursiveprot", c"nsdelegate", c""];
/// If v2 lacks one of these, v1 is tried.
const NEEDED: &[&CStr] = &[c"cpu", c"memory", c"pids"];
/// Controllers behind the limits of `docker run`: a missing one is logged.
const LIMITING: &[&CStr] = &[c"cpu", c"cpuset", c"memory", c"pids"];
/// v1 controllers that share a hierarchy, and the name of the hierarchy.
const JOINED: &[(&[&[u8]], &[u8])] = &[
    (&[b"cpu", b"cpuacct"], b"cpu,cpuacct"),
    (&[b"net_cls", b"net_prio"], b"net_cls,net_prio"),
];

/// For v1 hierarchies that somebody has mounted before.
const WITHOUT_DEVICES: &[u8] =
    b"/sys/fs/cgroup has cgroup v1 hierarchies, but none of the controller devices: \
    dockerd does not start; unmount them, or mount that one too";

/// The kernel has about a dozen controllers.
const MOST: usize = 32;
type Name = Text<32>;
type Path = Text<128>;

pub(crate) fn mount_all(launch: &Launch<'_>) -> Outcome<()> {
    let version = match Layout::find().at(launch, Step::Cgroup, ROOT)? {
        Layout::Nothing => None,
        Layout::V2 => Some(Cgroup::V2),
        Layout::V1 => Some(Cgroup::V1),
        Layout::Hybrid => Some(Cgroup::Hybrid),
        Layout::WithoutDevices => {
            launch.log.warning("{}", &[WITHOUT_DEVICES]);
            return Ok(());
        }
    };
    if let Some(version) = version {
        return found(launch, version);
    }
    match (launch.role, launch.settings.cgroup) {
        (Role::Container, _) => {
            mount_v2(launch, ROOT)?;
            nesting::nest(launch)?;
        }
        (Role::Machine, Cgroup::V2) => mount_v2(launch, ROOT)?,
        (Role::Machine, Cgroup::V1) => mount_v1(launch)?,
        (Role::Machine, Cgroup::Hybrid) => mount_hybrid(launch)?,
        (Role::Machine, Cgroup::Auto) => mount_best(launch)?,
    }
    launch.log.debug("mounted cgroups", &[]);
    Ok(())
}

/// Keeps what somebody else has mounted, with a warning if the setting asks for another layout.
fn found(launch: &Launch<'_>, version: Cgroup) -> Outcome<()> {
    if launch.settings.cgroup != Cgroup::Auto && launch.settings.cgroup != version {
        launch.log.warning("cgroups are mounted already, in another layout than DOCKER_LAUNCH_CGROUP asks for; they stay", &[]);
    }
    match (launch.role, version) {
        (Role::Container, Cgroup::V2) => nesting::nest(launch),
        _ => Ok(()),
    }
}

/// Mounts v2, or v1 if a controller that Docker's limits need exists only there.
fn mount_best(launch: &Launch<'_>) -> Outcome<()> {
    match try_mount_v2(ROOT) {
        Err(Errno::NODEV) => return mount_v1(launch),
        outcome => outcome.at(launch, Step::Cgroup, ROOT)?,
    }
    let mut buffer = [0; 1024];
    let controllers = fs::read_small(c"/sys/fs/cgroup/cgroup.controllers", &mut buffer).at(
        launch,
        Step::Cgroup,
        ROOT,
    )?;
    let missing = |name: &&CStr| !words(controllers).any(|word| word == name.to_bytes());
    if !NEEDED.iter().any(missing) {
        return Ok(());
    }
    unmount(ROOT, UnmountFlags::empty()).at(launch, Step::Cgroup, ROOT)?;
    let mut lacking = NEEDED.iter().filter(|name| missing(name));
    if lacking.any(|name| offered_in_v1(launch, name)) {
        mount_v1(launch)
    } else {
        mount_v2(launch, ROOT)
    }
}

/// Tries to mount it: /proc/cgroups of 6.12 lists controllers as enabled that v1 no longer has.
fn offered_in_v1(launch: &Launch<'_>, controller: &CStr) -> bool {
    match mount(c"cgroup", ROOT, c"cgroup", FLAGS, controller) {
        Ok(()) => {
            let unmounted = unmount(ROOT, UnmountFlags::empty());
            unmounted.or_warn(launch.log, Step::Cgroup, ROOT);
            true
        }
        Err(Errno::INVAL | Errno::BUSY | Errno::PERM) => false,
        outcome => outcome
            .if_exists_or_warn(launch.log, Step::Cgroup, controller)
            .is_some(),
    }
}

fn mount_v2(launch: &Launch<'_>, at: &CStr) -> Outcome<()> {
    try_mount_v2(at).at(launch, Step::Cgroup, at)
}

fn try_mount_v2(at: &CStr) -> io::Result<()> {
    let mut outcome = Err(Errno::INVAL);
    for options in V2_OPTIONS {
        outcome = mount(c"cgroup2", at, c"cgroup2", FLAGS, *options);
        if outcome != Err(Errno::INVAL) {
            break;
        }
    }
    outcome
}

fn mount_hybrid(launch: &Launch<'_>) -> Outcome<()> {
    const UNIFIED: &CStr = c"/sys/fs/cgroup/unified";
    mount_v1(launch)?;
    make_directory(launch, UNIFIED)?;
    mount_v2(launch, UNIFIED)
}

/// Mounts a tmpfs, a hierarchy for each enabled controller of /proc/cgroups, and the hierarchy name=systemd for systemd's
/// tools.
fn mount_v1(launch: &Launch<'_>) -> Outcome<()> {
    mount(c"cgroup", ROOT, c"tmpfs", FLAGS, c"mode=755").at(launch, Step::Cgroup, ROOT)?;
    let enabled = enabled_controllers(launch)?;
    let mut refused: Vec<&[u8], { 2 * (MOST + LIMITING.len()) }> = Vec::new();
    for name in enabled.iter().map(Text::as_bytes) {
        let group = JOINED.iter().find(|(members, _)| {
            members.contains(&name) && members.iter().all(|member| has(&enabled, member))
        });
        let hierarchy = group.map_or(name, |(_, joined)| joined);
        // The first controller of a group mounts it; every one gets a link to it.
        let first = group.is_none_or(|(members, _)| members.first() == Some(&name));
        if first && !mount_hierarchy(launch, hierarchy, hierarchy)? {
            let _ = refused.extend_from_slice(&[b" ", hierarchy]);
        } else if group.is_some() && !refused.contains(&hierarchy) {
            make_link(launch, name, hierarchy)?;
        }
    }
    // Kernel 7 no longer lists the controllers that v1 has lost.
    for name in LIMITING.iter().map(|name| name.to_bytes()) {
        if !has(&enabled, name) {
            let _ = refused.extend_from_slice(&[b" ", name]);
        }
    }
    if !refused.is_empty() {
        let mut message: Vec<&[u8], { 2 * (MOST + LIMITING.len()) + 1 }> = Vec::new();
        let what = b"the kernel lacks some cgroup v1 controllers, so containers have no limits of:";
        let _ = message.push(what);
        let _ = message.extend_from_slice(&refused);
        launch.log.warning("", &message);
    }
    if !mount_hierarchy(launch, b"systemd", b"none,name=systemd")? {
        launch.log.warning("the kernel refuses the cgroup v1 hierarchy name=systemd, which systemd tools in containers look for", &[]);
    }
    // Before 5.11 a v1 memory cgroup did not count the memory of its children. Since then the file is gone or always 1.
    const HIERARCHY: &CStr = c"/sys/fs/cgroup/memory/memory.use_hierarchy";
    fs::write_word(HIERARCHY, b"1").if_exists_or_warn(launch.log, Step::Cgroup, HIERARCHY);
    Ok(())
}

/// The enabled controllers of /proc/cgroups. A malformed line is skipped with a warning.
fn enabled_controllers(launch: &Launch<'_>) -> Outcome<Vec<Name, MOST>> {
    let mut enabled: Vec<Name, MOST> = Vec::new();
    let mut rubbish = Name::new();
    fs::lines(c"/proc/cgroups", &mut |line| match controller(line) {
        Line::Enabled(name) if has(&enabled, name.as_bytes()) => {}
        Line::Enabled(name) if enabled.push(name).is_ok() => {}
        Line::Passed => {}
        _ if rubbish.as_bytes().is_empty() => {
            let kept = line.iter().try_for_each(|byte| rubbish.push(&[*byte]));
            kept.unwrap_or_default();
        }
        _ => {}
    })
    .at(launch, Step::Cgroup, c"/proc/cgroups")?;
    if !rubbish.as_bytes().is_empty() {
        launch.log.warning(
            "/proc/cgroups has a line that is not a controller, ignored: {}",
            &[rubbish.as_bytes()],
        );
    }
    Ok(enabled)
}

/// A line of /proc/cgroups.
enum Line {
    Enabled(Name),
    /// The heading, or a disabled controller.
    Passed,
    Rubbish,
}

/// `name hierarchy cgroups enabled`, between blanks (cgroups(7)).
fn controller(line: &[u8]) -> Line {
    let mut fields = words(line);
    let mut next = || fields.next().unwrap_or_default();
    let (name, _hierarchy, _count, switch) = (next(), next(), next(), next());
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let name = Name::of(&[name])
        .ok()
        .filter(|_| name.iter().all(is_letter));
    match (number(switch), name) {
        _ if line.is_empty() || line.starts_with(b"#") => Line::Passed,
        (Some(0), Some(_)) => Line::Passed,
        (Some(1), Some(name)) => Line::Enabled(name),
        _ => Line::Rubbish,
    }
}

fn has(enabled: &[Name], name: &[u8]) -> bool {
    enabled
        .iter()
        .any(|controller| controller.as_bytes() == name)
}

/// Returns `false`, without leaving a directory, if the kernel does not offer it in v1.
fn mount_hierarchy(launch: &Launch<'_>, directory: &[u8], options: &[u8]) -> Outcome<bool> {
    let at = below_root(launch, directory)?;
    let options = fs::path(&[options]);
    make_directory(launch, at.as_c_str())?;
    match mount(
        c"cgroup",
        at.as_c_str(),
        c"cgroup",
        FLAGS,
        options.as_c_str(),
    ) {
        // EINVAL: v1 no longer has it. EBUSY: another hierarchy has it. EPERM: this namespace may not create one.
        Err(Errno::INVAL | Errno::NOENT | Errno::BUSY | Errno::PERM) => {
            rmdir(at.as_c_str()).at(launch, Step::Cgroup, at.as_c_str())?;
            Ok(false)
        }
        outcome => outcome
            .map(|()| true)
            .at(launch, Step::Cgroup, at.as_c_str()),
    }
}

fn make_link(launch: &Launch<'_>, name: &[u8], hierarchy: &[u8]) -> Outcome<()> {
    let at = below_root(launch, name)?;
    let target = fs::path(&[hierarchy]);
    match symlink(target.as_c_str(), at.as_c_str()) {
        Err(Errno::EXIST) => Ok(()),
        outcome => outcome.at(launch, Step::Cgroup, at.as_c_str()),
    }
}

fn make_directory(launch: &Launch<'_>, at: &CStr) -> Outcome<()> {
    fs::make_directory(CWD, at, Mode::from_raw_mode(0o755)).at(launch, Step::Cgroup, at)
}

fn below_root(launch: &Launch<'_>, name: &[u8]) -> Outcome<Path> {
    Path::of(&[ROOT.to_bytes(), b"/", name])
        .map_err(|_| Errno::NAMETOOLONG)
        .at(launch, Step::Cgroup, ROOT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::{format, vec::Vec};

    #[test]
    fn parses_lines_of_the_kernel() {
        assert!(matches!(
            controller(b"#subsys_name\thierarchy\tnum_cgroups\tenabled"),
            Line::Passed
        ));
        assert!(matches!(controller(b"memory\t0\t1\t0"), Line::Passed));
        assert!(matches!(controller(b"memory 0 1 2"), Line::Rubbish));
        assert!(matches!(controller(b"../etc 0 1 1"), Line::Rubbish));
        assert!(
            matches!(controller(b"cpu\t2\t1\t1"), Line::Enabled(name) if name.as_bytes() == b"cpu")
        );
    }

    proptest! {
        #[test]
        fn any_line_is_parsed(line: Vec<u8>) {
            if let Line::Enabled(name) = controller(&line) {
                prop_assert!(line.trim_ascii_start().starts_with(name.as_bytes()));
            }
        }

        #[test]
        fn an_enabled_controller_is_found(name in "[a-z_]{1,31}", hierarchy: u16) {
            let line = format!("{name}\t{hierarchy}\t1\t1");
            prop_assert!(matches!(controller(line.as_bytes()), Line::Enabled(found) if found.as_bytes() == name.as_bytes()));
        }
    }
}
