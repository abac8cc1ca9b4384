//! The docker command of the image.

use anyhow::{Result, ensure};

use super::super::{
    networks,
    place::{Place, shell},
};
use crate::checks::seen::same;

/// A container with a volume, its own network and a published port; its logs, a command in it, a file copied into it.
const RUN: &str = "set -e; docker volume create pages; docker network create inside; \
    docker run --detach --name web --network inside --volume pages:/www --publish 8080:80 busybox \
        sh -c 'echo it listens; exec httpd -f -p 80 -h /www'; \
    mkdir -p /run/web; echo copied > /run/web/index.html; docker cp /run/web/index.html web:/www/index.html";

const ASKED: &str = "set -e; docker exec web cat /www/index.html; docker logs web; \
    docker ps --format '{{.Names}} runs {{.Image}}'; \
    docker run --rm --network inside --volume pages:/pages:ro busybox \
        sh -c 'ping -c 1 -W 10 web > /dev/null && wc -c /pages/index.html'; \
    docker events --since 0 --until \"$(date +%s)\" --filter container=web --format '{{.Action}}'";

const SAID: &[&str] = &[
    "copied",
    "it listens",
    "web runs busybox",
    "7 /pages/index.html",
    "create",
    "start",
    "exec_die",
];

const REMOVE: &str = "docker rm --force web && docker network rm inside && docker volume rm pages";

pub(super) fn run(place: &Place) -> Result<()> {
    shell(place, RUN)?;
    let said = shell(place, ASKED)?;
    let page = networks::fetch(place.published);
    shell(place, REMOVE)?;
    let missing: Vec<&&str> = SAID
        .iter()
        .filter(|wanted| !said.lines().any(|line| line == **wanted))
        .collect();
    ensure!(missing.is_empty(), "no line {missing:?} in:\n{said}");
    let page = page?;
    ensure!(
        page.ends_with("copied\n"),
        "the page is not the copied one: {page}"
    );
    Ok(())
}

pub(super) fn save_and_load(place: &Place) -> Result<()> {
    let command = "set -e; docker tag busybox saved:once; docker save saved:once > /run/saved.tar; \
        docker rmi saved:once; docker load --quiet < /run/saved.tar; docker run --rm saved:once echo and it runs; \
        docker rmi saved:once; ";
    let said = shell(place, command)?;
    let told: Vec<&str> = said
        .lines()
        .filter(|line| !line.starts_with("Untagged: "))
        .collect();
    same(
        "its output",
        told,
        vec!["Loaded image: saved:once", "and it runs"],
    )
}
