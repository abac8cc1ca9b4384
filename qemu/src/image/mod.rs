//! An image: what goes in (`Image`), and the file that comes out, made again only when something that goes in changed.

mod bill;
mod file_systems;
mod formats;
mod libraries;
mod licences;
mod modules;
mod oci;
pub mod table;
pub mod tree;

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use clap::ValueEnum;
use sha2::{Digest, Sha256};

use crate::{host::Need, packages::Unpacked, paths, progress::Step};
pub use bill::PLACE as BILL;
use oci::Layer;
use table::Group;
use tree::{Content, Entry, Tree};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
pub enum Format {
    /// A raw disk with ext4 on it and no partitions.
    Disk,
    /// A file system that is never written, lz4-compressed.
    Erofs,
    /// Another, zstd-compressed.
    Squashfs,
    /// A cpio archive for the kernel to unpack, zstd-compressed.
    Initramfs,
    /// For `ADD files.tar /` in a Dockerfile, or `docker import`.
    Tar,
    /// A container image for `docker load`, skopeo and registries: without the kernel's modules.
    Oci,
}

/// What goes into an image.
pub struct Image<'a> {
    /// The first part of the file's name.
    pub name: String,
    pub packages: &'a Unpacked,
    /// Where else the libraries of `extra` are.
    pub more: Option<&'a Unpacked>,
    /// dockerlaunch.
    pub program: &'a Path,
    pub groups: &'a [Group],
    /// More than the table says: a probe, a daemon.json. They replace what the table has in the same place.
    pub extra: Vec<(String, Entry)>,
    pub format: Format,
}

/// How images are made is an input like the others.
const MAKING: &[&str] = &[
    include_str!("bill.rs"),
    include_str!("file_systems.rs"),
    include_str!("formats.rs"),
    include_str!("libraries.rs"),
    include_str!("licences.rs"),
    include_str!("mod.rs"),
    include_str!("modules.rs"),
    include_str!("oci.rs"),
    include_str!("table.rs"),
    include_str!("table/rows.rs"),
    include_str!("tree.rs"),
];

/// dockerlaunch's, which is the image's.
pub fn version() -> &'static str {
    let mut lines = include_str!("../../../Cargo.toml").lines();
    let version = lines.find_map(|line| line.strip_prefix("version = \""));
    version.map_or("", |text| text.trim_end_matches('"'))
}

/// Bytes by group.
pub type Sizes = BTreeMap<Group, u64>;

/// An image that was written for the user.
pub struct Made {
    /// The bill of materials, if there is one.
    pub bill: Option<Vec<u8>>,
    /// Bytes of each group, and of each of the engine's files.
    sizes: Sizes,
    engine: Vec<u64>,
    /// Its digest and its layers, where it has such.
    container: Option<(String, Vec<Layer>)>,
}

impl Made {
    /// Of a container image.
    pub fn digest(&self) -> Option<&str> {
        self.container.as_ref().map(|(digest, _)| digest.as_str())
    }
}

impl<'a> Image<'a> {
    /// The initramfs that goes on to a root which needs drivers: the same program, what loads drivers, and the drivers.
    pub fn switching(name: &str, packages: &'a Unpacked, program: &'a Path) -> Self {
        Self {
            name: format!("switch-{name}"),
            packages,
            more: None,
            program,
            groups: Group::INITRAMFS,
            extra: Vec::new(),
            format: Format::Initramfs,
        }
    }

    /// The image below target/. An earlier one of the same name is removed.
    pub fn built(&self) -> Result<PathBuf> {
        let directory = paths::target()?.join("qemu/images");
        let _lock = paths::lock(&directory)?;
        let prefix = format!("{}.{}.", self.name, self.format.extension());
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

    /// Writes the image to a file of the user's choice.
    pub fn write(&self, path: &Path) -> Result<Made> {
        let step = Step::spinner(&format!("image {}: building", self.name));
        let made = self.made(path)?;
        step.done(&format!("image {}: {}", self.name, path.display()));
        Ok(made)
    }

    /// The same, without a word.
    pub fn made(&self, path: &Path) -> Result<Made> {
        let tree = self.tree()?;
        let container = self.put(&tree, path)?;
        let engine = table::ENGINE.iter().map(|(at, _)| tree.size(at)).collect();
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
        let container = formats::write(tree, self.format, &file, aside.path())?;
        fs::rename(&file, path).with_context(|| format!("rename to {}", path.display()))?;
        Ok(container)
    }

    fn tree(&self) -> Result<Tree> {
        let mut tree = Tree::default();
        table::fill(&mut tree, &self.packages.root, self.program, self.groups)?;
        if self.groups.contains(&Group::Modules) {
            modules::fill(&mut tree, &self.packages.root)?;
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

    /// A digest of all that goes in.
    fn key(&self) -> Result<String> {
        let mut digest = Sha256::new();
        let mut add = |part: &[u8]| {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        };
        MAKING.iter().for_each(|source| add(source.as_bytes()));
        add(self.packages.id.as_bytes());
        add(self.more.map_or("", |more| &more.id).as_bytes());
        add(&fs::read(self.program).with_context(|| format!("read {}", self.program.display()))?);
        add(format!("{:?}", self.groups).as_bytes());
        for (path, entry) in &self.extra {
            add(path.as_bytes());
            add(format!("{:o}", entry.mode).as_bytes());
            match &entry.content {
                Content::File(path) => {
                    add(&fs::read(path).with_context(|| format!("read {}", path.display()))?)
                }
                Content::Joined(paths) => {
                    for path in paths {
                        add(&fs::read(path).with_context(|| format!("read {}", path.display()))?);
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

impl Format {
    /// What this machine must have to make one.
    pub fn need(self) -> Need {
        match self {
            Self::Erofs | Self::Squashfs => Need::ReadOnly,
            Self::Initramfs => Need::Initramfs,
            Self::Disk | Self::Tar | Self::Oci => Need::Image,
        }
    }

    /// What it holds of the groups: a container has its host's kernel. Links into /usr would replace the folders of a root
    /// that the archive is unpacked on.
    pub fn groups(self, appliance: bool) -> impl Iterator<Item = Group> {
        let groups = if appliance {
            Group::APPLIANCE
        } else {
            Group::ALL
        };
        let (without, with): (&[Group], &[Group]) = match self {
            Self::Oci if appliance => (&[Group::Modules], &[]),
            Self::Oci => (&[Group::Modules], &[Group::Links]),
            Self::Tar => (&[Group::Modules, Group::Links], &[]),
            Self::Disk | Self::Erofs | Self::Squashfs | Self::Initramfs => (&[], &[]),
        };
        let kept = groups.iter().filter(move |group| !without.contains(group));
        kept.chain(with).copied()
    }

    fn extension(self) -> &'static str {
        match self {
            Self::Disk => "ext4",
            Self::Erofs => "erofs",
            Self::Squashfs => "squashfs",
            Self::Initramfs => "cpio.zst",
            Self::Tar => "tar",
            Self::Oci => "oci.tar",
        }
    }
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
            for ((at, about), bytes) in table::ENGINE.iter().zip(&made.engine) {
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
