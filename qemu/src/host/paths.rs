//! Where files lie: what is built in target/ of this clone, what is fetched in the user's cache folder.

use std::{
    env, fs,
    fs::File,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

/// The workspace's root folder.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("qemu/ is a folder of the workspace")
        .to_owned()
}

/// CARGO_TARGET_DIR, or target/ of the workspace.
pub fn target() -> Result<PathBuf> {
    let path =
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from);
    fs::create_dir_all(&path).with_context(|| format!("create {}", path.display()))?;
    path.canonicalize()
        .with_context(|| format!("find {}", path.display()))
}

/// $XDG_CACHE_HOME/dockerlaunch, or ~/.cache/dockerlaunch: shared by all clones, and by processes that run at the same time.
pub fn cache() -> Result<PathBuf> {
    let base = match env::var_os("XDG_CACHE_HOME").filter(|path| Path::new(path).is_absolute()) {
        Some(path) => PathBuf::from(path),
        None => PathBuf::from(
            env::var_os("HOME")
                .context("neither XDG_CACHE_HOME nor HOME is set: set one of them")?,
        )
        .join(".cache"),
    };
    let path = base.join("dockerlaunch");
    fs::create_dir_all(&path)
        .with_context(|| format!("create the cache folder {}", path.display()))?;
    Ok(path)
}

/// Waits until no other process works below `directory`; the lock is released when the returned file is dropped.
pub fn lock(directory: &Path) -> Result<File> {
    fs::create_dir_all(directory).with_context(|| format!("create {}", directory.display()))?;
    let path = directory.join(".lock");
    let file = File::create(&path).with_context(|| format!("create {}", path.display()))?;
    if file.try_lock().is_err() {
        eprintln!(
            "waiting for another process, which works in {}",
            directory.display()
        );
        file.lock()
            .with_context(|| format!("lock {}", path.display()))?;
    }
    Ok(file)
}
