//! The container image: skopeo can read it, two builds are equal, and the smallest one is small enough.

use std::{
    fs::{self, File},
    io::BufReader,
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use flate2::read::GzDecoder;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::world::{World, full, image};
use crate::{
    host::tools,
    image::{Format, Group},
    packages::Unpacked,
    program::version,
};

/// The largest size of the smallest set, compressed with xz, in bytes.
const SMALLEST: usize = 50_000_000;

pub(super) fn configuration(world: &World) -> Result<()> {
    let file = written(world)?;
    for transport in ["oci-archive", "docker-archive"] {
        let image = format!("{transport}:{}", file.display());
        let said = tools::output(skopeo().args(["inspect", "--config", "--raw", &image]))?;
        let told: Value = serde_json::from_str(&said)?;
        let expected = [
            ("Entrypoint", json!(["/usr/bin/dockerlaunch"])),
            ("Cmd", json!([])),
            ("Volumes", json!({ "/var/lib/docker": {} })),
            ("StopSignal", json!("SIGTERM")),
        ];
        for (key, value) in expected {
            let found = &told["config"][key];
            ensure!(
                *found == value,
                "{transport}: {key} is {found}, not {value}"
            );
        }
        let labels = &told["config"]["Labels"];
        for (label, value) in [
            ("title", "dockerlaunch"),
            ("licenses", "Apache-2.0"),
            ("version", version()),
        ] {
            let found = &labels[format!("org.opencontainers.image.{label}")];
            ensure!(*found == value, "{transport}: {label} is {found}");
        }
        ensure!(told["architecture"] == "amd64" && told["os"] == "linux");
        ensure!(
            told.get("created").is_none(),
            "it holds the time of its making"
        );
    }
    Ok(())
}

/// skopeo verifies the manifest's digests as it copies; the content of the layers has the digests of the configuration.
pub(super) fn digests(world: &World) -> Result<()> {
    let file = written(world)?;
    let copy = tempfile::tempdir_in(world.folder.path())?;
    let (from, to) = (
        format!("oci-archive:{}", file.display()),
        format!("dir:{}", copy.path().display()),
    );
    tools::run(skopeo().args(["--insecure-policy", "copy", &from, &to]))?;
    let read = |name: &str| -> Result<Value> {
        Ok(serde_json::from_slice(&fs::read(copy.path().join(name))?)?)
    };
    let blob = |digest: &Value| {
        let digest = digest
            .as_str()
            .and_then(|text| text.strip_prefix("sha256:"));
        digest.map(str::to_owned).context("no digest")
    };
    let manifest = read("manifest.json")?;
    let configuration = read(&blob(&manifest["config"]["digest"])?)?;
    let layers = manifest["layers"].as_array().context("no layers")?;
    let differences = configuration["rootfs"]["diff_ids"].as_array();
    let differences = differences.context("no diff_ids")?;
    ensure!(layers.len() == differences.len() && layers.len() == full().len());
    for (layer, difference) in layers.iter().zip(differences) {
        let file = File::open(copy.path().join(blob(&layer["digest"])?))?;
        let mut digest = Sha256::new();
        std::io::copy(&mut GzDecoder::new(BufReader::new(file)), &mut digest)?;
        let found = format!("{:x}", digest.finalize());
        ensure!(found == blob(difference)?, "{layer} holds {found}");
    }
    Ok(())
}

/// Two images are equal: one of the packages, one of the same packages unpacked again elsewhere. The engine's files are left out: they
/// are not different from the others.
pub(super) fn reproducible(world: &World) -> Result<()> {
    let groups: Vec<Group> = full()
        .into_iter()
        .filter(|group| !matches!(group, Group::Engine | Group::Client))
        .collect();
    let digest = |packages: &Unpacked, name: &str| {
        let folder = world.folder.path().join(name);
        fs::create_dir_all(&folder)?;
        let image = image(packages, &world.program, &groups, Format::Oci);
        let made = image.made(&folder.join("image.tar"))?;
        made.digest().map(str::to_owned).context("no digest")
    };
    let again = world.folder.path().join("again");
    let again = world.suite.unpacked_again(&world.mirror, &again)?;
    let (one, other) = (digest(&world.packages, "one")?, digest(&again, "other")?);
    ensure!(one == other, "{one} became {other}");
    let [one, other] =
        ["one/image.tar", "other/image.tar"].map(|name| fs::read(world.folder.path().join(name)));
    ensure!(one? == other?, "the files differ");
    Ok(())
}

pub(super) fn smallest_xz(world: &World) -> Result<()> {
    let mut command = Command::new("xz");
    command
        .args(["--threads=0", "-6", "--stdout"])
        .arg(&world.smallest.file);
    let output = command.stdin(Stdio::null()).output().context("start xz")?;
    ensure!(output.status.success(), "xz: {}", output.status);
    let size = output.stdout.len();
    ensure!(size < SMALLEST, "{size} bytes; {SMALLEST} are allowed");
    Ok(())
}

/// The full set, written once.
fn written(world: &World) -> Result<PathBuf> {
    let file = world.folder.path().join("full.oci.tar");
    if !file.exists() {
        let groups = full();
        image(&world.packages, &world.program, &groups, Format::Oci).made(&file)?;
    }
    Ok(file)
}

fn skopeo() -> Command {
    Command::new("skopeo")
}
