//! The libraries of the image's programs: the closure of NEEDED, and each program's interpreter. They are read from the files
//! themselves, so that no list has to be kept.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use goblin::elf::Elf;

use super::{
    groups::Group,
    tree::{Content, Entry, Tree},
};

/// Where Debian's ld.so looks without a cache.
const FOLDERS: &[&str] = &["usr/lib/x86_64-linux-gnu", "usr/lib"];

/// What a file needs to be loaded.
#[derive(Default)]
struct Wants {
    interpreter: Option<String>,
    libraries: Vec<String>,
}

/// `roots`: where packages are unpacked; the first one with the library provides it.
pub fn fill(tree: &mut Tree, roots: &[&Path]) -> Result<()> {
    let mut files: Vec<PathBuf> = tree
        .iter()
        .filter_map(|(_, entry)| file(&entry.content))
        .collect();
    while let Some(file) = files.pop() {
        let wants = wants(&file)?;
        for place in wants
            .interpreter
            .iter()
            .map(|path| interpreter(path))
            .chain(libraries(roots, &wants, &file)?)
        {
            if tree.contains(&place) {
                continue;
            }
            let source = root_with(roots, &place)
                .context("no package brings it")
                .and_then(|root| resolved(&root.join(&place), root))
                .with_context(|| format!("{} needs {place}", file.display()))?;
            files.push(source.clone());
            tree.put(&place, Entry::file(Group::Libraries, source)?);
        }
    }
    Ok(())
}

fn file(content: &Content) -> Option<PathBuf> {
    match content {
        Content::File(path) => Some(path.clone()),
        Content::Start(..)
        | Content::Joined(_)
        | Content::Bytes(_)
        | Content::Link(_)
        | Content::Directory => None,
    }
}

fn wants(path: &Path) -> Result<Wants> {
    let bytes = fs::read(path).with_context(|| format!("read {}", path.display()))?;
    if !bytes.starts_with(b"\x7fELF") {
        return Ok(Wants::default());
    }
    let elf = Elf::parse(&bytes).with_context(|| format!("read {}", path.display()))?;
    let own = |words: Vec<&str>| words.into_iter().map(str::to_owned).collect();
    Ok(Wants {
        interpreter: elf.interpreter.map(str::to_owned),
        libraries: own(elf.libraries),
    })
}

/// `/lib64/ld-linux-x86-64.so.2` is in usr/lib64, to which /lib64 is a link.
fn interpreter(path: &str) -> String {
    let path = path.trim_start_matches('/');
    if path.starts_with("usr/") {
        path.to_owned()
    } else {
        format!("usr/{path}")
    }
}

/// The first of the roots that has something at this path.
fn root_with<'r>(roots: &[&'r Path], place: &str) -> Option<&'r Path> {
    let there = |root: &&Path| root.join(place).symlink_metadata().is_ok();
    roots.iter().copied().find(there)
}

fn libraries(roots: &[&Path], wants: &Wants, file: &Path) -> Result<Vec<String>> {
    let mut places = Vec::new();
    for library in &wants.libraries {
        if library.starts_with("ld-linux") {
            continue; // The interpreter by its other name: it is loaded already.
        }
        let candidates = FOLDERS.iter().map(|folder| format!("{folder}/{library}"));
        match candidates
            .into_iter()
            .find(|place| root_with(roots, place).is_some())
        {
            Some(place) => places.push(place),
            None => bail!(
                "{} needs {library}, which no package brings: add one to the suite's",
                file.display()
            ),
        }
    }
    Ok(places)
}

/// Follows a link that may be absolute inside the packages' root, as bookworm's link to the interpreter is.
fn resolved(path: &Path, packages: &Path) -> Result<PathBuf> {
    match fs::read_link(path) {
        Ok(target) if target.is_absolute() => {
            let inside = interpreter(&target.display().to_string());
            resolved(&packages.join(inside), packages)
        }
        _ => path
            .canonicalize()
            .with_context(|| format!("find {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpreters_lie_below_usr() {
        assert_eq!(
            interpreter("/lib64/ld-linux-x86-64.so.2"),
            "usr/lib64/ld-linux-x86-64.so.2"
        );
        assert_eq!(interpreter("/usr/lib64/ld.so"), "usr/lib64/ld.so");
    }

    #[test]
    fn this_test_itself_needs_libc() {
        let wants = wants(&std::env::current_exe().unwrap()).unwrap();
        assert!(wants.libraries.iter().any(|library| library == "libc.so.6"));
        assert!(wants.interpreter.is_some());
    }
}
