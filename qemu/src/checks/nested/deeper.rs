//! The image embedded in another image, and an engine in a container in an engine in a container.

use anyhow::{Result, ensure};

use super::{
    containers::seed,
    inner::{BUSYBOX, DAEMON, RUN, WITHIN, answers, give_busybox, inside, shell},
};
use crate::{
    checks::{
        engine::{Place, until},
        restarts::ANSWERS,
        seen::same,
    },
    host::tools::last_lines,
};

/// Embeds the image's files in an image of Debian, with the commands that `docker -d` had, and today's overlay driver.
const EMBED: &str = r#"docker export $(docker create dockerlaunch) > files.tar

cat > Dockerfile << EOF

FROM debian
ADD files.tar /
ENTRYPOINT ["/usr/bin/dockerlaunch", "/usr/bin/docker"]
VOLUME /var/lib/docker
CMD ["-d", "-s", "overlay2"]

EOF

docker build -t custom-dind .
"#;

/// The image's files on top of a Debian root, started by the old `docker -d`.
pub(super) fn embedded(place: &Place) -> Result<()> {
    shell(place, &format!("docker import {} debian", place.debian))?;
    // A command of the agent is one line.
    let script = EMBED.replace('\'', r"'\''").replace('\n', r"\n");
    let run = format!(
        "mkdir -p /var/lib/embed && cd /var/lib/embed && printf '%b' '{script}' > script && sh -e script"
    );
    shell(place, &run)?;
    shell(
        place,
        "docker run --name custom --privileged -d custom-dind",
    )?;
    answers(place, "custom", 1)?;
    let driver = inside(place, "custom", "docker info --format '{{.Driver}}'")?;
    same("its storage driver", driver.trim(), "overlay2")?;
    // Debian's own programs run beside the image's.
    let debian = "/usr/bin/sha256sum --version && ls /etc/debian_version";
    let debian = inside(place, "custom", debian)?;
    ensure!(
        debian.contains("GNU coreutils") && debian.contains("/etc/debian_version"),
        "this is no Debian: {debian}"
    );
    give_busybox(place, "custom")?;
    inside(place, "custom", "docker run --rm busybox true")?;
    place.engine.remove("custom")
}

/// The inner engine loads the same image and runs it in a container of its own, and that one's engine runs a container.
pub(super) fn three_levels(place: &Place) -> Result<()> {
    seed(place)?;
    let load = format!(
        "docker exec -i {DAEMON} docker load < {} > /dev/null",
        place.image
    );
    shell(place, &load)?;
    inside(place, DAEMON, RUN)?;
    until(WITHIN, "the engine of the third level", || {
        let said = inside(place, DAEMON, "docker logs daemon 2>&1")?;
        ensure!(said.contains(ANSWERS), "its logs: {}", last_lines(&said));
        Ok(())
    })?;
    let load = format!("docker exec -i {DAEMON} docker exec -i {DAEMON} docker load < {BUSYBOX}");
    shell(place, &load)?;
    let run = "docker exec daemon docker run --rm --memory 32m busybox echo three levels deep";
    let said = inside(place, DAEMON, run)?;
    ensure!(
        said.ends_with("three levels deep\n"),
        "its output is {said}"
    );
    Ok(())
}
