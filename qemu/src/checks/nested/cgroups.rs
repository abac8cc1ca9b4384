//! Cgroups: an engine in a container uses its own part, and changes nothing else of the guest's.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use anyhow::{Context, Result, ensure};

use super::inner::{DAEMON, WITHIN, answers, give_busybox, id, inside, launched, shell};
use crate::{
    checks::{
        engine::{Place, until},
        seen::same,
    },
    engine::{Engine, launch::PORT},
    host::tools::last_lines,
};

/// Every cgroup but `$1` and its children; what each hands on; the hierarchies of version 1, with their numbers; all mounts of cgroups.
/// The cgroup of each process is in another list.
const LIST: &str = "list() { find /sys/fs/cgroup -type d ! -path \"$1\" ! -path \"$1/*\" | sort; \
    find /sys/fs/cgroup -name cgroup.subtree_control ! -path \"$1/*\" | sort | xargs -r grep -H ''; \
    cut -f 1,2,4 /proc/cgroups; grep cgroup /proc/self/mountinfo; }; \
    where() { grep -H '' /proc/[0-9]*/cgroup 2> /dev/null || true; }";
/// The processes that are now in another cgroup than before.
const MOVED: &str = "awk -F : 'NR == FNR { was[$1 $2] = $0; next } $1 $2 in was && was[$1 $2] != $0' \
    /run/where.before /run/where.now";

/// No container's part is ignored.
const NONE: &str = "none";

/// Makes the cgroup of all containers, as a first container does. The guest's runc may not know a hierarchy of version 1 (misc, up to
/// 1.1.5), so its containers have no part there; an inner runc that knows it makes that cgroup, and leaves it empty.
pub(super) fn begin(place: &Place) -> Result<()> {
    let parts = place.engine.run(&["cat", "/proc/self/cgroup"])?;
    for line in parts.lines() {
        // The number, the controllers, the path; version 2 has no controllers here.
        if let [_, name, "/"] = *line.splitn(3, ':').collect::<Vec<_>>()
            && !name.is_empty()
        {
            shell(place, &format!("mkdir -p /sys/fs/cgroup/{name}/docker"))?;
        }
    }
    Ok(())
}

/// Records the guest's cgroups.
pub(super) fn remember(place: &Place) -> Result<()> {
    let command = format!("{LIST}; list {NONE} > /run/list.before; where > /run/where.before");
    shell(place, &command).map(drop)
}

/// An error if anything but this container's part has changed.
fn compare(place: &Place, container: &str) -> Result<()> {
    let own = match container {
        NONE => NONE.to_owned(),
        container => format!("*/docker/{}", id(place, container)?),
    };
    let command = format!(
        "{LIST}; list '{own}' > /run/list.now; where > /run/where.now; \
         diff /run/list.before /run/list.now; {MOVED}; true"
    );
    let changed = shell(place, &command)?;
    ensure!(changed.is_empty(), "changed in the guest:\n{changed}");
    Ok(())
}

/// The container is removed, and none of its cgroups is left.
pub(super) fn guest_unchanged(place: &Place) -> Result<()> {
    let beside = compare(place, DAEMON);
    shell(place, "docker rm --force --volumes daemon")?;
    beside?;
    until(WITHIN, "the last of its cgroups to go", || {
        compare(place, NONE)
    })
}

/// Version 2: its processes are in /init, and all controllers are handed on.
pub(super) fn processes_in_init(place: &Place) -> Result<()> {
    let command = format!(
        "cd /sys/fs/cgroup/docker/{} && wc -l < cgroup.procs && cat cgroup.controllers cgroup.subtree_control && \
         cat init/cgroup.procs | while read pid; do cat /proc/$pid/comm; done",
        id(place, DAEMON)?
    );
    let said = shell(place, &command)?;
    let mut lines = said.lines();
    let mut next = || lines.next().unwrap_or_default();
    same("processes outside of /init", next(), "0")?;
    let (has, hands_on) = (next(), next());
    ensure!(has.contains("memory"), "it has no memory controller: {has}");
    same("the controllers that it hands on", hands_on, has)?;
    let names: Vec<&str> = lines.collect();
    for name in ["dockerd", "containerd"] {
        ensure!(names.contains(&name), "{name} is not in /init: {names:?}");
    }
    Ok(())
}

/// Version 1: dockerlaunch logs nothing about cgroups, and the container has the guest's hierarchies.
pub(super) fn nothing_mounted(place: &Place) -> Result<()> {
    let hierarchies = "grep -c ' - cgroup cgroup ' /proc/self/mountinfo";
    let guest = shell(place, hierarchies)?;
    same(
        "its hierarchies",
        inside(place, DAEMON, hierarchies)?,
        guest,
    )?;
    let said = place.engine.logs(DAEMON)?;
    let said: Vec<&str> = launched(&said)
        .into_iter()
        .filter(|line| line.contains("cgroup"))
        .collect();
    ensure!(said.is_empty(), "it logs {said:?}");
    compare(place, DAEMON)
}

/// How often a container is started while others exec into it.
const RACES: usize = 3;
/// How many others there are.
const OTHERS: usize = 3;
/// Prints the controllers that it hands on, and waits.
const RACED: &str = "docker create --name raced --privileged dockerlaunch \
    /usr/bin/busybox sh -c 'cat /sys/fs/cgroup/cgroup.subtree_control; exec sleep 1000'";

/// `docker exec` puts processes into the cgroup that is being emptied.
pub(super) fn exec_race(place: &Place) -> Result<()> {
    let port = place.guest.port(PORT)?;
    for _ in 0..RACES {
        shell(place, RACED)?;
        let (over, done) = (AtomicBool::new(false), AtomicUsize::new(0));
        let raced = thread::scope(|scope| {
            for _ in 0..OTHERS {
                scope.spawn(|| {
                    let Ok(mut other) = Engine::connect(port) else {
                        return;
                    };
                    // A client that fails here lowers the count.
                    let _ = other.wait_ready(WITHIN, || Ok(()));
                    while !over.load(Ordering::Relaxed) {
                        // Fails before the container runs, and once it is removed.
                        let ran = other.exec("raced", &["busybox", "true"]);
                        done.fetch_add(usize::from(ran.is_ok()), Ordering::Relaxed);
                    }
                });
            }
            let raced = race(place, &done);
            over.store(true, Ordering::Relaxed);
            raced
        });
        place.engine.remove("raced")?;
        raced?;
    }
    Ok(())
}

fn race(place: &Place, done: &AtomicUsize) -> Result<()> {
    shell(place, "docker start raced")?;
    until(WITHIN, "what it hands on", || {
        let said = place.engine.logs("raced")?;
        ensure!(
            said.lines()
                .any(|line| line.contains("memory") && line.contains("pids")),
            "its logs: {said}"
        );
        let ran = done.load(Ordering::Relaxed);
        ensure!(ran >= OTHERS, "{ran} of the others ran something");
        Ok(())
    })
}

/// The guest's whole version 2 hierarchy.
pub(super) fn shared(place: &Place) -> Result<()> {
    // The guest's own runc mounts the hierarchy without options, which clears the options of all its mounts. This container does
    // that first, so nsdelegate is gone before the cgroups are recorded.
    let plain = "docker run --rm --privileged --cgroupns=host --network none busybox true";
    shell(place, plain)?;
    let run = "docker run --name shared --privileged --cgroupns=host -d dockerlaunch";
    let sentence = "dockerlaunch: warning: cgroup v2 is shared with the host (run with --cgroupns=private); \
        its processes stay where they are, and inner containers may get no limits";
    given_up(place, "shared", run, sentence)?;
    answers(place, "shared", 1)?;
    give_busybox(place, "shared")?;
    inside(
        place,
        "shared",
        "docker run --rm --network none busybox true",
    )?;
    place.engine.remove("shared")
}

/// Its own part of version 2, read-only.
pub(super) fn read_only(place: &Place) -> Result<()> {
    let run = "docker run --name read-only --cap-add ALL --security-opt apparmor=unconfined \
        --security-opt seccomp=unconfined -d dockerlaunch --bridge=none --iptables=false";
    let sentence = "dockerlaunch: warning: cgroup v2 is read-only here (run with --privileged, and with --userns=host if root is remapped); \
        its processes stay where they are, and inner containers may get no limits";
    given_up(place, "read-only", run, sentence)?;
    place.engine.remove("read-only")
}

/// One line of dockerlaunch, and no process is moved.
fn given_up(place: &Place, name: &str, run: &str, sentence: &str) -> Result<()> {
    remember(place)?;
    shell(place, run)?;
    let said = until(WITHIN, "its word", || {
        let said = place.engine.logs(name)?;
        ensure!(
            said.contains("Starting up"),
            "its logs: {}",
            last_lines(&said)
        );
        Ok(said)
    })?;
    let lines: Vec<&str> = launched(&said)
        .into_iter()
        .filter(|line| line.contains("cgroup"))
        .collect();
    same("its lines about cgroups", lines, vec![sentence])?;
    compare(place, name).with_context(|| last_lines(&said))
}
