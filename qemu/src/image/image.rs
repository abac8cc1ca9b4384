//! An image: its content (`Image`), and its file, which is made again only when something of the content has changed.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::{
    bill, fill,
    format::Format,
    groups::Group,
    libraries, modules,
    oci::Layer,
    rows,
    tree::{Content, Entry, Sizes, Tree},
    write,
};
use crate::{
    host::{paths, progress::Step},
    packages::Unpacked,
};

/// What goes into an image.
pub struct Image<'a> {
    /// The first part of the file's name.
    pub name: String,
    pub packages: &'a Unpacked,
    /// More packages, with libraries of `extra`.
    pub more: Option<&'a Unpacked>,
    /// dockerlaunch.
    pub program: &'a Path,
    pub groups: &'a [Group],
    /// The kernel's modules are without their signatures.
    pub unsigned_modules: bool,
    /// What a scenario adds: a probe, a daemon.json. It replaces what the table has at the same path.
    pub extra: Vec<(String, Entry)>,
    pub format: Format,
}

/// The code that makes images is a part of their key.
const MAKING: &[&str] = &[
    include_str!("archives.rs"),
    include_str!("bill.rs"),
    include_str!("file_systems.rs"),
    include_str!("fill.rs"),
    include_str!("format.rs"),
    include_str!("groups.rs"),
    include_str!("image.rs"),
    include_str!("libraries.rs"),
    include_str!("licences.rs"),
    include_str!("modules.rs"),
    include_str!("oci.rs"),
    include_str!("rows.rs"),
    include_str!("signature.rs"),
    include_str!("tree.rs"),
    include_str!("write.rs"),
];

/// An image that was written for the user.
pub struct Made {
    /// The bill of materials, if there is one.
    pub bill: Option<Vec<u8>>,
    /// Bytes of each group, and of each of the engine's files.
    sizes: Sizes,
    engine: Vec<u64>,
    /// The digest and the layers of a container image.
    container: Option<(String, Vec<Layer>)>,
}

impl Made {
    /// The digest of a container image.
    pub fn digest(&self) -> Option<&str> {
        self.container.as_ref().map(|(digest, _)| digest.as_str())
    }
}

impl<'a> Image<'a> {
    /// An initramfs that switches to a root which needs drivers: dockerlaunch, modprobe and the drivers.
    pub fn switching(name: &str, packages: &'a Unpacked, program: &'a Path) -> Self {
        Self {
            name: format!("switch-{name}"),
            packages,
            more: None,
            program,
            groups: Group::INITRAMFS,
            unsigned_modules: false,
            extra: Vec::new(),
            format: Format::Initramfs,
        }
    }

    /// The image, below target/. An older one of the same name is removed.
    pub fn built(&self) -> Result<PathBuf> {
        let directory = paths::target()?.join("qemu/images");
        let _lock = paths::lock(&directory)?;
        let modules = if self.unsigned_modules {
            "-unsigned"
        } else {
            ""
        };
        let prefix = format!("{}{modules}.{}.", self.name, self.format.extension());
        let name = format!("{prefix}{}", self.key()?);
        let path = directory.join(&name);
        if path.exists() {
            return Ok(path);
        }
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                fs::remove_file(entry.path())?;
            }
        }
        let step = Step::spinner(&format!("image {}: building", self.name));
        self.put(&self.tree()?, &path)?;
        step.done(&format!("image {}: {}", self.name, path.display()));
        Ok(path)
    }

    /// Writes the image to the user's file.
    pub fn write(&self, path: &Path) -> Result<Made> {
        let step = Step::spinner(&format!("image {}: building", self.name));
        let made = self.made(path)?;
        step.done(&format!("image {}: {}", self.name, path.display()));
        Ok(made)
    }

    /// The same without progress.
    pub fn made(&self, path: &Path) -> Result<Made> {
        let tree = self.tree()?;
        let container = self.put(&tree, path)?;
        let engine = rows::ENGINE.iter().map(|(at, _)| tree.size(at)).collect();
        Ok(Made {
            bill: tree.bytes(bill::PLACE).map(<[u8]>::to_vec),
            sizes: tree.sizes(),
            engine,
            container,
        })
    }

    fn put(&self, tree: &Tree, path: &Path) -> Result<Option<(String, Vec<Layer>)>> {
        let directory = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let aside = tempfile::Builder::new()
            .prefix(".image-")
            .tempdir_in(directory)
            .with_context(|| format!("write to {}", directory.display()))?;
        let file = aside.path().join("image");
        let container = write::write(tree, self.format, &file, aside.path())?;
        fs::rename(&file, path).with_context(|| format!("rename to {}", path.display()))?;
        Ok(container)
    }

    fn tree(&self) -> Result<Tree> {
        let mut tree = Tree::default();
        fill::fill(&mut tree, &self.packages.root, self.program, self.groups)?;
        if self.groups.contains(&Group::Modules) {
            modules::fill(&mut tree, &self.packages.root, self.unsigned_modules)?;
        }
        for (path, entry) in &self.extra {
            tree.put(path, entry.clone());
        }
        let more = self.more.map(|more| more.root.as_path());
        let roots: Vec<&Path> = [self.packages.root.as_path()]
            .into_iter()
            .chain(more)
            .collect();
        libraries::fill(&mut tree, &roots)?;
        if self.groups.contains(&Group::Bill) {
            bill::fill(&mut tree, self.packages)?;
        }
        Ok(tree)
    }

    /// A digest of everything that goes into the image.
    fn key(&self) -> Result<String> {
        let mut digest = Sha256::new();
        let mut add = |part: &[u8]| {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        };
        MAKING.iter().for_each(|source| add(source.as_bytes()));
        add(self.packages.id.as_bytes());
        add(self.more.map_or("", |more| &more.id).as_bytes());
        add(&read(self.program)?);
        add(format!("{:?} {}", self.groups, self.unsigned_modules).as_bytes());
        for (path, entry) in &self.extra {
            add(path.as_bytes());
            add(format!("{:o}", entry.mode).as_bytes());
            match &entry.content {
                Content::File(path) => add(&read(path)?),
                Content::Start(path, length) => {
                    add(&length.to_le_bytes());
                    add(&read(path)?);
                }
                Content::Joined(paths) => {
                    for path in paths {
                        add(&read(path)?);
                    }
                }
                Content::Bytes(bytes) => add(bytes),
                Content::Link(to) => add(to.as_bytes()),
                Content::Directory => add(b""),
            }
        }
        Ok(format!("{:x}", digest.finalize())[..16].to_owned())
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("read {}", path.display()))
}

/// The kernel of a suite's packages.
pub fn kernel(packages: &Unpacked) -> Result<PathBuf> {
    let version = modules::version(&packages.root)?;
    let places = [
        format!("boot/vmlinuz-{version}"),
        format!("usr/lib/modules/{version}/vmlinuz"),
    ];
    let found = places
        .iter()
        .map(|place| packages.root.join(place))
        .find(|path| path.is_file());
    found.with_context(|| {
        format!(
            "no kernel {version} in {}: {}",
            packages.root.display(),
            places.join(", ")
        )
    })
}

/// The table that `cargo qemu image` prints.
pub fn report(made: &Made, path: &Path) -> Result<String> {
    let mut lines = Vec::new();
    let mut line = |name: &str, bytes: u64, about: &str| {
        let text = format!("{name:<34}{bytes:>12}  {about}");
        lines.push(text.trim_end().to_owned());
    };
    for (group, bytes) in &made.sizes {
        line(&group.name(), *bytes, group.about());
        if *group == Group::Engine {
            for ((at, about), bytes) in rows::ENGINE.iter().zip(&made.engine) {
                line(&format!("  {at}"), *bytes, about);
            }
        }
    }
    line("all files", made.sizes.values().sum(), "");
    if let Some((digest, layers)) = &made.container {
        for layer in layers {
            line(
                &format!("layer {}", layer.group.name()),
                layer.size,
                "compressed",
            );
        }
        line(
            "all layers",
            layers.iter().map(|layer| layer.size).sum(),
            digest,
        );
    }
    let file = fs::metadata(path)?;
    let disk = file.blocks() * 512;
    let sparse = if disk < file.len() {
        format!("{disk} on the disk")
    } else {
        String::new()
    };
    line("image", file.len(), &sparse);
    Ok(lines.join("\n") + "\n")
}
