//! A tree as a container image: an OCI image layout in a tar archive, and the manifest.json for a `docker load` that knows no OCI
//! layout. Each group is a layer, so that a new dockerlaunch is a small pull.
//!
//! It holds neither the time nor the place of its making: the same files give the same digest.

use std::{
    fs::File,
    io::{BufWriter, Read, Seek, Write},
    path::Path,
};

use anyhow::{Context, Result};
use flate2::{Compression, GzBuilder, write::GzEncoder};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    archives,
    groups::Group,
    tree::{Content, Entry, Tree},
};
use crate::program::version;

/// What `docker run` starts.
const ENTRYPOINT: &str = "/usr/bin/dockerlaunch";
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// A volume holds images and containers: overlay2 does not work on overlay.
const DATA_ROOT: &str = "/var/lib/docker";
/// As in moby's own image; it becomes one SIGTERM to dockerd.
const STOP_SIGNAL: &str = "SIGTERM";

const CONFIGURATION: &str = "application/vnd.oci.image.config.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// A blob of the layout, in a file of its own until the archive is written.
struct Blob {
    sha256: String,
    size: u64,
    file: File,
}

pub struct Layer {
    pub group: Group,
    /// Compressed.
    pub size: u64,
}

/// Writes the image, and returns its digest and its layers.
pub fn write(tree: &Tree, tag: &str, path: &Path, aside: &Path) -> Result<(String, Vec<Layer>)> {
    let mut blobs = Vec::new();
    let (mut layers, mut differences, mut sizes) = (Vec::new(), Vec::new(), Vec::new());
    for group in tree.groups() {
        let (blob, difference) = layer(tree, group, aside)?;
        layers.push(descriptor(LAYER, &blob));
        differences.push(format!("sha256:{difference}"));
        sizes.push(Layer {
            group,
            size: blob.size,
        });
        blobs.push(blob);
    }
    let names: Vec<String> = blobs.iter().map(place).collect();
    let configuration = blob(&configuration(&differences), aside)?;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor(CONFIGURATION, &configuration),
        "layers": layers,
    });
    let manifest = blob(&manifest, aside)?;
    let mut described = descriptor(MANIFEST, &manifest);
    described["annotations"] = json!({ "io.containerd.image.name": format!("docker.io/library/{tag}"), "org.opencontainers.image.ref.name": tag });
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [described] });
    let legacy = json!([{ "Config": place(&configuration), "RepoTags": [tag], "Layers": names }]);
    let digest = format!("sha256:{}", manifest.sha256);
    blobs.extend([configuration, manifest]);

    let mut builder = tar::Builder::new(BufWriter::new(File::create(path)?));
    let layout = json!({ "imageLayoutVersion": "1.0.0" });
    for (name, value) in [
        ("oci-layout", &layout),
        ("index.json", &index),
        ("manifest.json", &legacy),
    ] {
        let text = value.to_string();
        append(&mut builder, name, text.len() as u64, text.as_bytes())?;
    }
    blobs.sort_by(|one, other| one.sha256.cmp(&other.sha256));
    for blob in blobs {
        append(&mut builder, &place(&blob), blob.size, blob.file)?;
    }
    builder.into_inner()?.flush()?;
    Ok((digest, sizes))
}

/// The group's files and the folders above them, as a blob; and the digest of the archive in it.
fn layer(tree: &Tree, group: Group, aside: &Path) -> Result<(Blob, String)> {
    let is_above = |folder: &str, path: &str| {
        path.strip_prefix(folder)
            .is_some_and(|rest| rest.starts_with('/'))
    };
    let ours: Vec<&str> = tree
        .iter()
        .filter(|(_, entry)| entry.group == group)
        .map(|(path, _)| path)
        .collect();
    let wanted = |path: &str, entry: &Entry| {
        entry.group == group
            || matches!(entry.content, Content::Directory)
                && ours.iter().any(|one| is_above(path, one))
    };
    let entries = tree.iter().filter(|(path, entry)| wanted(path, entry));
    let compressed = GzBuilder::new().write(
        Digesting::new(tempfile::tempfile_in(aside)?),
        Compression::new(6),
    );
    let mut archived = Digesting::new(compressed);
    archives::tar(entries, &mut archived)?;
    let (compressed, difference, _) = archived.finish();
    Ok((finish(compressed)?, difference))
}

fn finish(compressed: GzEncoder<Digesting<File>>) -> Result<Blob> {
    let (file, sha256, size) = compressed.finish()?.finish();
    rewound(Blob { sha256, size, file })
}

fn blob(value: &Value, aside: &Path) -> Result<Blob> {
    let mut writer = Digesting::new(tempfile::tempfile_in(aside)?);
    writer.write_all(value.to_string().as_bytes())?;
    let (file, sha256, size) = writer.finish();
    rewound(Blob { sha256, size, file })
}

fn rewound(mut blob: Blob) -> Result<Blob> {
    blob.file.rewind()?;
    Ok(blob)
}

fn place(blob: &Blob) -> String {
    format!("blobs/sha256/{}", blob.sha256)
}

fn descriptor(media_type: &str, blob: &Blob) -> Value {
    json!({ "mediaType": media_type, "digest": format!("sha256:{}", blob.sha256), "size": blob.size })
}

fn configuration(differences: &[String]) -> Value {
    json!({
        "architecture": "amd64",
        "os": "linux",
        "config": {
            "Entrypoint": [ENTRYPOINT],
            "Cmd": [],
            "Env": [PATH],
            "Volumes": { DATA_ROOT: {} },
            "StopSignal": STOP_SIGNAL,
            "Labels": {
                "org.opencontainers.image.title": "dockerlaunch",
                "org.opencontainers.image.description": "Docker FROM scratch: dockerlaunch and an engine, and nothing else",
                "org.opencontainers.image.version": version(),
                "org.opencontainers.image.licenses": "Apache-2.0",
            },
        },
        "rootfs": { "type": "layers", "diff_ids": differences },
    })
}

fn append(
    builder: &mut tar::Builder<impl Write>,
    name: &str,
    size: u64,
    contents: impl Read,
) -> Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o644);
    header.set_size(size);
    builder
        .append_data(&mut header, name, contents)
        .with_context(|| format!("write {name}"))
}

/// Counts the bytes that pass, and makes their digest.
struct Digesting<W> {
    inner: W,
    digest: Sha256,
    size: u64,
}

impl<W> Digesting<W> {
    fn new(inner: W) -> Self {
        Self {
            inner,
            digest: Sha256::new(),
            size: 0,
        }
    }

    fn finish(self) -> (W, String, u64) {
        (
            self.inner,
            format!("{:x}", self.digest.finalize()),
            self.size,
        )
    }
}

impl<W: Write> Write for Digesting<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.digest.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}
