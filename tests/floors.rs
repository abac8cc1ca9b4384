//! The promises about the source: which room uses which, unsafe code is in three places and says why it is sound, and no file is
//! long.

use crate::util::{Needs, tests};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// The rooms of src/ in the order of lib.rs, and every room that each uses: the test also fails on a use that is gone.
pub(crate) const ROOMS: &[(&str, &[&str])] = &[
    ("sys", &[]),
    ("text", &[]),
    ("error", &["sys", "text"]),
    ("log", &["sys", "text"]),
    ("fs", &["sys", "text", "error", "log"]),
    ("settings", &["sys", "text", "error", "log"]),
    ("kernel", &["sys", "text", "error", "log", "fs", "settings"]),
    (
        "launch",
        &["sys", "text", "error", "log", "fs", "settings", "kernel"],
    ),
    ("disks", &["sys", "text", "error", "fs", "kernel", "launch"]),
    (
        "docker",
        &["sys", "text", "error", "fs", "settings", "kernel", "launch"],
    ),
    (
        "steps",
        &[
            "sys", "text", "error", "log", "fs", "settings", "kernel", "launch", "disks", "docker",
        ],
    ),
    (
        "check",
        &["sys", "text", "error", "fs", "settings", "kernel", "docker"],
    ),
    (
        "ending",
        &[
            "sys", "text", "error", "log", "fs", "settings", "kernel", "launch", "docker", "steps",
        ],
    ),
    (
        "supervise",
        &[
            "sys", "text", "error", "fs", "settings", "kernel", "launch", "docker", "steps",
            "ending",
        ],
    ),
];

/// The files outside the rooms: the recipe, the program, the pages.
const TOP: &[&str] = &["lib", "main", "start", "memory", "guide"];

/// What the steps share. No step uses another step.
const SHARED: &[&str] = &["become_root", "environment", "files", "programs", "var_run"];

tests![Needs::Nothing;
    a_room_uses_the_rooms_that_the_table_allows,
    the_rooms_are_in_the_order_of_lib_rs,
    a_step_uses_no_other_step,
    unsafe_code_is_in_few_places_and_says_why,
    no_file_is_long,
    uses_are_parsed,
];

/// Each file's path below a folder of the crate, without `.rs`, and its text.
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

/// The code that is compiled without tests, and without comments.
pub(crate) fn code(source: &str) -> String {
    let source = source.split("#[cfg(test)]\nmod tests").next().unwrap();
    source
        .lines()
        .map(|line| line.split("//").next().unwrap())
        .collect::<Vec<_>>()
        .join("\n")
}

/// What follows this prefix: one name, or the first names of a list in braces.
fn uses(code: &str, prefix: &str) -> Vec<String> {
    let mut used = Vec::new();
    for rest in code.split(prefix).skip(1) {
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

/// The first folder of a path, or the file if it is in none.
fn room(file: &str) -> &str {
    file.split('/').next().unwrap()
}

fn a_room_uses_the_rooms_that_the_table_allows() {
    let mut used: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let sources = sources();
    for (file, source) in &sources {
        if TOP.contains(&file.as_str()) {
            continue;
        }
        let all = used.entry(room(file)).or_default();
        all.extend(uses(&code(source), "crate::"));
        all.remove(room(file));
    }
    for (number, (room, allowed)) in ROOMS.iter().enumerate() {
        let above = |name: &&str| ROOMS[..number].iter().any(|(above, _)| above == name);
        assert!(allowed.iter().all(above), "{room} uses a room below it");
        let allowed = allowed.iter().map(ToString::to_string).collect();
        assert_eq!(
            used.remove(room),
            Some(allowed),
            "the uses of {room} differ from the table"
        );
    }
    assert_eq!(used, BTreeMap::new(), "the table lacks these rooms");
}

fn the_rooms_are_in_the_order_of_lib_rs() {
    let lib = &sources()["lib"];
    let rooms = lib
        .lines()
        .filter_map(|line| line.strip_prefix("mod ")?.split(';').next());
    assert!(rooms.eq(ROOMS.iter().map(|(room, _)| *room)));
    let labelled = |line: &str| line.starts_with("mod ") && !line.contains("; // ");
    assert!(!lib.lines().any(labelled), "a room has no label");
}

fn a_step_uses_no_other_step() {
    let sources = sources();
    let steps = sources.iter().filter_map(|(file, source)| {
        let step = file.strip_prefix("steps/")?;
        Some((step, source)).filter(|(step, _)| !["mod", "left_out"].contains(step))
    });
    let mut count = 0;
    for (step, source) in steps {
        count += 1;
        let code = code(source).replace("steps::", "crate::steps::");
        for used in uses(&code, "crate::steps::") {
            assert!(
                SHARED.contains(&used.as_str()) || used == room(step),
                "steps/{step}.rs uses the step {used}"
            );
        }
        if !step.contains('/') {
            assert_eq!(
                uses(&code, "super::"),
                [""; 0],
                "super:: in steps/{step}.rs"
            );
        }
    }
    assert!(count > 20, "{count} files in steps/");
}

fn uses_are_parsed() {
    let code = "use crate::{\n    a::{B, C},\n    d::{self, E},\n    f,\n};\nuse crate::g::H;\nlet x = crate::i::j();";
    assert_eq!(uses(code, "crate::"), ["a", "d", "f", "g", "i"]);
}

fn unsafe_code_is_in_few_places_and_says_why() {
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
                ["start", "memory", "sys"].contains(&file_or_folder),
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
