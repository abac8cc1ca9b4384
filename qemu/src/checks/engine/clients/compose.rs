//! Compose: a project of two services starts in its order, answers, survives the end of a service, and leaves nothing behind.

use anyhow::{Result, ensure};

use super::super::place::{ANSWERS_WITHIN, Place, shell, until};
use crate::checks::seen::same;

/// As a plugin, and by its old name: the same program, without docker's own two starts before it.
const PLUGIN: &str = "docker compose --progress quiet --file /opt/clients/compose.yaml";
const COMPOSE: &str = "docker-compose --progress quiet --file /opt/clients/compose.yaml";

/// Compose clears the terminal's line before each line of a log, even without a terminal.
const CLEAR: &str = "\u{1b}[2K";

pub(super) fn project(place: &Place) -> Result<()> {
    let up = shell(place, &format!("{PLUGIN} up --detach --wait 2>&1"));
    let asked = up.and_then(|_| ask(place));
    let down = shell(place, &format!("{COMPOSE} down --volumes 2>&1"));
    asked?;
    down?;
    let left = "docker ps --all --format '{{.Names}}'; docker network ls --format '{{.Name}}'; docker volume ls -q";
    let left = shell(place, left)?;
    ensure!(!left.contains("clients"), "it leaves {left}");
    Ok(())
}

fn ask(place: &Place) -> Result<()> {
    let command = format!(
        "set -e; {COMPOSE} ps --format '{{{{.Service}}}} {{{{.State}}}} {{{{.Health}}}}'; \
         {COMPOSE} exec -T web sh -c 'echo written by web > /www/page'; \
         {COMPOSE} exec -T reader sh -c 'cat /pages/page; ping -c 1 -W 10 web > /dev/null && echo web answers'; \
         {COMPOSE} logs --no-color --no-log-prefix reader"
    );
    let said = shell(place, &command)?;
    let plain = |line: &'_ str| line.trim_start_matches(CLEAR).trim_end().to_owned();
    let said: Vec<String> = said.lines().map(plain).collect();
    same(
        "its services' output",
        said.iter().map(String::as_str).collect(),
        vec![
            "reader running",
            "web running healthy",
            "written by web",
            "web answers",
            "reader is there",
        ],
    )?;
    let reader = "clients-reader-1";
    // The exec is killed with its container, so nothing waits for it.
    shell(
        place,
        &format!("docker exec --detach {reader} sh -c 'kill -TERM 1'"),
    )?;
    until(ANSWERS_WITHIN, "the service to come back", || {
        let count = "docker inspect --format '{{.RestartCount}} {{.State.Running}}'";
        let told = shell(place, &format!("{count} {reader}"))?;
        ensure!(told == "1 true\n", "restarts, and whether it runs: {told}");
        Ok(())
    })
}
