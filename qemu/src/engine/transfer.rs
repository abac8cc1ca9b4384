//! Images into an engine and out of it: import, pull, push, build.

use std::{fs, io::Cursor, path::Path};

use anyhow::{Context, Result};
use bollard::{
    body_full,
    query_parameters::{
        BuildImageOptionsBuilder, CreateImageOptionsBuilder, PushImageOptionsBuilder,
        RemoveImageOptions, TagImageOptionsBuilder,
    },
};
use futures_util::TryStreamExt;

use super::client::Engine;

/// The programs that containers here use, as links to busybox.
const APPLETS: &[&str] = &[
    "cat", "dd", "echo", "hostname", "httpd", "ip", "ls", "mkdir", "nc", "ping", "sh", "sleep",
    "true", "wc",
];

impl Engine {
    /// Makes the image from busybox and gives it to the engine.
    pub(crate) fn load_busybox(&self, busybox: &Path) -> Result<()> {
        let root = busybox_root(busybox)
            .with_context(|| format!("make an image of {}", busybox.display()))?;
        self.import("busybox", root)
    }

    /// `docker import`: an archive, compressed or not, becomes an image.
    pub(crate) fn import(&self, name: &str, archive: Vec<u8>) -> Result<()> {
        let options = CreateImageOptionsBuilder::new()
            .from_src("-")
            .repo(name)
            .tag("latest")
            .build();
        let import = self
            .docker
            .create_image(Some(options), Some(body_full(archive.into())), None);
        self.ask("import an image", import.try_collect::<Vec<_>>())
            .map(drop)
    }

    /// `docker pull`.
    pub(crate) fn pull(&self, name: &str) -> Result<()> {
        let options = CreateImageOptionsBuilder::new()
            .from_image(name)
            .tag("latest")
            .build();
        let pull = self.docker.create_image(Some(options), None, None);
        self.ask("pull an image", pull.try_collect::<Vec<_>>())
            .map(drop)
    }

    /// `docker tag` and `docker push`.
    pub(crate) fn push(&self, image: &str, name: &str) -> Result<()> {
        let tag = TagImageOptionsBuilder::new()
            .repo(name)
            .tag("latest")
            .build();
        self.ask("tag an image", self.docker.tag_image(image, Some(tag)))?;
        let options = PushImageOptionsBuilder::new().tag("latest").build();
        let push = self.docker.push_image(name, Some(options), None);
        self.ask("push an image", push.try_collect::<Vec<_>>())
            .map(drop)
    }

    pub(crate) fn remove_image(&self, name: &str) -> Result<()> {
        let removed = self
            .docker
            .remove_image(name, None::<RemoveImageOptions>, None);
        self.ask("remove an image", removed).map(drop)
    }

    /// `docker build` of a URL by the engine's own builder, without its cache: the engine fetches the URL itself.
    pub(crate) fn build(&self, url: &str) -> Result<()> {
        let options = BuildImageOptionsBuilder::new()
            .remote(url)
            .nocache(true)
            .build();
        let nothing = body_full(Vec::new().into());
        let build = self.docker.build_image(options, None, Some(nothing));
        self.ask("build an image", build.try_collect::<Vec<_>>())
            .map(drop)
    }
}

/// A file system of busybox and its links, as a tar archive.
pub(crate) fn busybox_root(busybox: &Path) -> Result<Vec<u8>> {
    let program = fs::read(busybox)?;
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o755);
    header.set_size(program.len() as u64);
    archive.append_data(&mut header, "bin/busybox", Cursor::new(program))?;
    for applet in APPLETS {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_mode(0o777);
        header.set_size(0);
        archive.append_link(&mut header, format!("bin/{applet}"), "busybox")?;
    }
    Ok(archive.into_inner()?)
}
