//! Certificates, which the user makes: the commands of the page about Docker in Docker are run, openssl's on this machine and the
//! engine's in the guest. A client with a certificate gets an answer, a client without one is refused.

use std::{fs, process::Command};

use anyhow::{Context, Result, ensure};

use super::inner::{WITHIN, answers, shell};
use crate::{
    checks::{
        engine::Place,
        pages::{DOCKER_IN_DOCKER, commands},
    },
    host::tools,
};

pub(super) fn served(place: &Place) -> Result<()> {
    let folder = tempfile::tempdir()?;
    for command in commands(DOCKER_IN_DOCKER, "openssl ") {
        tools::run(
            Command::new("sh")
                .args(["-c", &command])
                .current_dir(&folder),
        )?;
    }
    shell(place, "mkdir /run/certs")?;
    for file in [
        "ca.pem",
        "server-cert.pem",
        "server-key.pem",
        "cert.pem",
        "key.pem",
    ] {
        let text = fs::read_to_string(folder.path().join(file)).with_context(|| file)?;
        // A command of the agent is one line.
        let text = text.replace('\n', r"\n");
        shell(place, &format!("printf '%b' '{text}' > /run/certs/{file}"))?;
    }
    let run = commands(DOCKER_IN_DOCKER, "docker run --privileged -d -p 2376:2376").pop();
    let run = run.context("the page has no command that starts the engine")?;
    let run = run
        .replace("my-image", "dockerlaunch")
        .replace("docker run", "docker run --name served");
    shell(place, &format!("cd /run/certs && {run}"))?;
    answers(place, "served", 1)?;
    let ask = "docker version --format 'it is {{.Server.Os}}'";
    let asks = |folder: &str| {
        format!(
            "DOCKER_HOST=tcp://localhost:2376 DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH={folder} {ask}"
        )
    };
    let answer = shell(place, &asks("/run/certs"))?;
    ensure!(answer == "it is linux\n", "with a certificate: {answer}");
    shell(
        place,
        "mkdir /run/stranger && cp /run/certs/ca.pem /run/stranger",
    )?;
    let refused = place.guest.shell(WITHIN, &asks("/run/stranger"))?;
    ensure!(
        refused.status != 0 && refused.output.contains("certificate required"),
        "without a certificate: status {}: {}",
        refused.status,
        refused.output
    );
    place.engine.remove("served")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_all_commands() {
        assert_eq!(commands(DOCKER_IN_DOCKER, "openssl ").len(), 5);
        let run = commands(DOCKER_IN_DOCKER, "docker run --privileged -d -p 2376:2376");
        assert!(
            run.len() == 1 && run[0].ends_with("--tlskey /certs/server-key.pem"),
            "{run:?}"
        );
    }
}
