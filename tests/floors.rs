//! The promises about the source: a file uses only what lib.rs declares above it, unsafe code stands in two places and says
//! why it is sound, and no file is long.

use crate::util::{Needs, tests};
use std::{collections::BTreeMap, fs, path::Path};

tests![Needs::Nothing;
    a_file_uses_only_floors_below_its_own,
    unsafe_code_stands_in_two_places_and_says_why,
    no_file_is_long,
    uses_are_read,
];

/// The path below a folder of the crate and the text of each file, without `.rs`.
fn files(folder: &str) -> BTreeMap<String, String> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let (mut found, mut folders) = (BTreeMap::new(), vec![top.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&top).unwrap().with_extension("");
                found.insert(
                    name.to_str().unwrap().into(),
                    fs::read_to_string(&path).unwrap(),
                );
            }
        }
    }
    found
}

pub(crate) fn sources() -> BTreeMap<String, String> {
    files("src")
}

/// What is compiled without tests, and without comments.
pub(crate) fn code(source: &str) -> String {
    let source = source.split("#[cfg(test)]\nmod tests").next().unwrap();
    source
        .lines()
        .map(|line| line.split("//").next().unwrap())
        .collect::<Vec<_>>()
        .join("\n")
}

/// The files in the order in which lib.rs declares them, and the number of each one's group: a blank line parts groups.
fn floors(lib: &str) -> BTreeMap<String, usize> {
    let mut floors = BTreeMap::new();
    let mut floor = 0;
    for line in lib.lines() {
        match line
            .trim_start_matches("pub ")
            .strip_prefix("mod ")
            .and_then(|line| line.strip_suffix(';'))
        {
            Some(name) => _ = floors.insert(name.to_string(), floor),
            None if line.is_empty() => floor += 1,
            None => {}
        }
    }
    floors
}

/// What follows `crate::`: a name, or the first names of a list in braces.
fn uses(code: &str) -> Vec<String> {
    let mut used = Vec::new();
    for rest in code.split("crate::").skip(1) {
        let name = |text: &str| {
            text.chars()
                .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
                .collect::<String>()
        };
        let Some(list) = rest.strip_prefix('{') else {
            used.push(name(rest));
            continue;
        };
        let mut depth = 0;
        let mut item = String::new();
        for letter in list.chars() {
            match letter {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => used.push(name(std::mem::take(&mut item).trim())),
                _ if depth == 0 => item.push(letter),
                _ => {}
            }
        }
        used.push(name(item.trim()));
    }
    used.retain(|name| !name.is_empty());
    used
}

fn a_file_uses_only_floors_below_its_own() {
    let sources = sources();
    let floors = floors(&sources["lib"]);
    for (file, source) in sources
        .iter()
        .filter(|(file, _)| !["lib", "main", "start"].contains(&file.as_str()))
    {
        let own = floors
            .get(file.split('/').next().unwrap())
            .unwrap_or_else(|| panic!("lib.rs does not declare {file}"));
        for used in uses(&code(source)) {
            let floor = floors
                .get(&used)
                .unwrap_or_else(|| panic!("{file}.rs uses crate::{used}, which is no file"));
            assert!(
                floor < own,
                "{file}.rs uses {used}.rs, which lib.rs declares beside it or below"
            );
        }
    }
}

fn uses_are_read() {
    let code = "use crate::{\n    a::{B, C},\n    d::{self, E},\n    f,\n};\nuse crate::g::H;\nlet x = crate::i::j();";
    assert_eq!(uses(code), ["a", "d", "f", "g", "i"]);
    let floors = floors("mod a;\nmod b;\n\n#[cfg(x)]\nmod c;\nmod d {\n");
    assert_eq!(
        floors,
        [("a".into(), 0), ("b".into(), 0), ("c".into(), 1)].into()
    );
}

fn unsafe_code_stands_in_two_places_and_says_why() {
    for (file, source) in sources() {
        let lines: Vec<&str> = source.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            let code = line.split("//").next().unwrap();
            let mut words = code.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
            if !words.any(|word| word == "unsafe") || code.trim_start().starts_with("#[unsafe(") {
                continue;
            }
            let file_or_folder = file.split('/').next().unwrap();
            assert!(
                ["start", "sys"].contains(&file_or_folder),
                "unsafe in {file}.rs: {line}"
            );
            let above = &lines[number.saturating_sub(4)..number];
            let says = above
                .iter()
                .any(|line| line.contains("// SAFETY:") || line.contains("/// # Safety"));
            assert!(
                says,
                "{file}.rs, line {}: no SAFETY above: {line}",
                number + 1
            );
        }
    }
}

fn no_file_is_long() {
    const MOST: usize = 400;
    let lines = |(file, source): (String, String)| (file, source.lines().count());
    let all = sources().into_iter().chain(files("tests")).map(lines);
    let long: Vec<_> = all.filter(|(_, lines)| *lines > MOST).collect();
    assert_eq!(long, [], "over {MOST} lines");
}
