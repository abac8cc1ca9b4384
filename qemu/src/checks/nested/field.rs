//! What outer engines in the field give a container: a volume at /var/run, a read-only /etc, the variables of many services, and
//! a daemon.json that is empty or unusual. The engine in the container runs and uses each of them.

use anyhow::{Result, ensure};

use super::inner::{answers, give_busybox, inside, shell};
use crate::checks::{engine::Place, seen::same};

/// What Kubernetes sets for 375 services.
const VARIABLES: &str = "for service in $(seq 375); do for variable in $(seq 7); do \
    echo SERVICE_${service}_PORT_$variable=tcp://10.0.0.1:443; done; done > /run/variables";
const OF_SERVICES: &str =
    "tr '\\0' '\\n' < /proc/1/environ | grep -c '^SERVICE_.*=tcp://10.0.0.1:443$'";

/// The last of two equal keys counts, a blank before a host is ignored, a whale is two escapes, and a runtime may be only a path.
const ODD: &str = concat!(
    r#"{"hosts":["tcp://nowhere"],"hosts":[" fd://"],"data-root":"/var/lib/docker/\ud83d\udc33","#,
    r#""runtimes":{"mine":{"path":"/usr/sbin/runc"}},"default-runtime":"mine"}"#
);

/// The socket is in the outer engine's volume, where its other containers find it.
pub(super) fn var_run(place: &Place) -> Result<()> {
    shell(place, VARIABLES)?;
    shell(place, &format!("printf '%s' '{ODD}' > /run/odd.json"))?;
    let run = "docker run --name field --privileged -d --env-file /run/variables --volume runs:/var/run \
        --volume /run/odd.json:/etc/docker/daemon.json dockerlaunch";
    shell(place, run)?;
    answers(place, "field", 1)?;
    let variables = inside(place, "field", OF_SERVICES)?;
    same("the variables of services", variables.as_str(), "2625\n")?;
    let of_volume =
        "docker --host unix://$(docker volume inspect --format '{{.Mountpoint}}' runs)/docker.sock";
    let asked =
        format!("{of_volume} info --format '{{{{.DockerRootDir}}}} {{{{.DefaultRuntime}}}}'");
    let said = shell(place, &asked)?;
    same(
        "its data root and its default runtime",
        said.as_str(),
        "/var/lib/docker/\u{1f433} mine\n",
    )?;
    give_busybox(place, "field")?;
    inside(
        place,
        "field",
        "docker run --rm --network none busybox true",
    )?;
    shell(
        place,
        "docker rm --force --volumes field; docker volume rm runs",
    )
    .map(drop)
}

/// Docker needs the mount points of its own files.
const ETC: &str = "mkdir -p /run/etc/docker; cd /run/etc; touch resolv.conf hosts hostname docker/daemon.json; \
    grep '^root:' /etc/passwd > passwd; grep '^root:' /etc/group > group; find . | sort > /run/etc.before";

/// An empty daemon.json is ignored, in a read-only file system and as a mount of its own.
pub(super) fn etc_read_only(place: &Place) -> Result<()> {
    shell(place, ETC)?;
    for json in [
        "",
        "--volume /run/etc/docker/daemon.json:/etc/docker/daemon.json:ro",
    ] {
        let run = format!(
            "docker run --name field --privileged -d --volume /run/etc:/etc:ro {json} dockerlaunch"
        );
        shell(place, &run)?;
        answers(place, "field", 1)?;
        give_busybox(place, "field")?;
        inside(place, "field", "docker run --rm busybox true")?;
        let said = shell(place, "cd /run/etc; find . | sort | diff /run/etc.before -")?;
        ensure!(said.is_empty(), "changed in /etc:\n{said}");
        place.engine.remove("field")?;
    }
    Ok(())
}
