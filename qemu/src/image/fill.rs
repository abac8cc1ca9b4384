//! Fills a tree with the files of its groups, from the packages.

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};

use super::{
    groups::Group,
    rows::{From, TABLE},
    tree::{Entry, Tree},
};

/// Puts the files of the groups into the tree.
pub fn fill(tree: &mut Tree, packages: &Path, program: &Path, groups: &[Group]) -> Result<()> {
    for row in TABLE.iter().filter(|row| groups.contains(&row.group)) {
        match row.from {
            From::Program => tree.put(row.at, Entry::file(row.group, program.to_owned())?),
            From::Link(to) => tree.put(row.at, Entry::link(row.group, to)),
            From::Directory(mode) => tree.put(row.at, Entry::directory(row.group, mode)),
            From::Joined { folder, suffix } => {
                let paths = matching(packages, folder, "", suffix)?;
                let paths = paths.iter().map(|path| packages.join(path)).collect();
                tree.put(row.at, Entry::joined(row.group, paths));
            }
            From::Package => {
                for path in named(packages, row.at)? {
                    let brought = if path.starts_with("usr/etc/") {
                        &path["usr/".len()..]
                    } else {
                        &path
                    };
                    let source = packages
                        .join(brought)
                        .canonicalize()
                        .with_context(|| format!("no package brings {brought}"))?;
                    tree.put(&path, Entry::file(row.group, source)?);
                }
            }
        }
    }
    Ok(())
}

/// The path itself, or all paths that match its `*`.
fn named(packages: &Path, at: &str) -> Result<Vec<String>> {
    let Some((before, suffix)) = at.split_once('*') else {
        return Ok(vec![at.to_owned()]);
    };
    let (folder, prefix) = before
        .rsplit_once('/')
        .context("a pattern without a folder")?;
    matching(packages, folder, prefix, suffix)
}

fn matching(packages: &Path, folder: &str, prefix: &str, suffix: &str) -> Result<Vec<String>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(packages.join(folder))
        .with_context(|| format!("no package brings {folder}"))?
    {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with(prefix) && name.ends_with(suffix) {
            paths.push(format!("{folder}/{name}"));
        }
    }
    ensure!(
        !paths.is_empty(),
        "no package brings {folder}/{prefix}*{suffix}"
    );
    paths.sort();
    Ok(paths)
}
