//! The pages follow the program: the troubleshooting table quotes its messages, the guide's steps are those of the recipe, and
//! CONTRIBUTING.md names every room.

use crate::{
    floors::{ROOMS, code, sources},
    util::{Needs, tests},
};
use std::fs;

tests![Needs::Nothing;
    troubleshooting_quotes_messages_of_the_program,
    a_quote_without_its_message_is_found,
    the_guide_has_the_steps_of_the_recipe,
    contributing_names_every_room,
];

/// What stands in the quotes for names that differ from machine to machine.
const SAMPLES: &[&str] = &[
    "/run",
    "/usr/bin/dockerd",
    "PID 7",
    "LABEL=state",
    "/dev/vdb",
    "LVM2_member",
    "eth0",
    "splash",
    "v2 is",
    "/usr/local/sbin/.iptables-legacy/iptables",
    "iptables",
];

fn page(name: &str) -> String {
    let path = format!("{}/{name}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The first cell of each row of the table under a heading.
fn first_cells<'p>(page: &'p str, heading: &str) -> Vec<&'p str> {
    let (_, rest) = page.split_once(heading).unwrap();
    let rows = rest.lines().skip_while(|line| !line.starts_with("| ---"));
    let rows = rows.skip(1).take_while(|line| line.starts_with("| "));
    rows.map(|row| row[2..].split(" | ").next().unwrap())
        .collect()
}

/// The parts of a quote that must be the program's: without samples, and without what `…` leaves out.
fn parts(quote: &str) -> Vec<String> {
    let mut quote = quote.to_owned();
    for sample in SAMPLES {
        quote = quote.replace(sample, "…");
    }
    for end in [": ", "; ", " (", ")", ", "] {
        quote = quote.replace(end, "…");
    }
    let parts = quote.split('…').map(str::trim);
    parts
        .filter(|part| part.len() > 2)
        .map(str::to_owned)
        .collect()
}

/// The source without comments; a text that goes on in the next line is in one.
fn program() -> String {
    let all = sources().into_values().map(|source| code(&source));
    let all: String = all.collect();
    let lines = all.split("\\\n").map(str::trim_start);
    lines.collect()
}

fn troubleshooting_quotes_messages_of_the_program() {
    let (readme, program) = (page("README.md"), program());
    let cells = first_cells(&readme, "\n## Troubleshooting\n");
    assert!(cells.len() > 15, "{cells:?}");
    for cell in cells {
        let quotes: Vec<_> = cell.split('`').skip(1).step_by(2).collect();
        assert!(!quotes.is_empty(), "{cell}");
        for part in quotes.into_iter().flat_map(parts) {
            assert!(program.contains(&part), "`{part}` of {cell}");
        }
    }
}

fn a_quote_without_its_message_is_found() {
    let quote = "warning: network eth0: no such card after 10 s; there is …";
    let parts = parts(quote);
    assert_eq!(
        parts,
        ["warning", "network", "no such card after 10 s", "there is"]
    );
    assert!(!program().contains(&parts[2]));
}

/// The modules that the recipe calls, each once.
fn recipe() -> Vec<String> {
    let lib = &sources()["lib"];
    let (_, steps) = lib.split_once("\nfn steps(").unwrap();
    let mut verbs = vec!["switch_root".to_owned()]; // of an initramfs, before the others
    for line in steps.lines().take_while(|line| *line != "}") {
        let call = line.split_once(" = ").map_or(line, |(_, call)| call);
        if let Some((module, _)) = call.trim().split_once("::")
            && module
                .chars()
                .all(|letter| letter.is_ascii_lowercase() || letter == '_')
            && !verbs.iter().any(|verb| verb == module)
        {
            verbs.push(module.into());
        }
    }
    verbs
}

fn the_guide_has_the_steps_of_the_recipe() {
    let guide = page("src/guide/launch.md");
    assert_eq!(first_cells(&guide, "# How Docker"), recipe());
}

fn contributing_names_every_room() {
    let contributing = page("CONTRIBUTING.md");
    for (room, _) in ROOMS {
        let named = |end: &str| contributing.contains(&format!("`{room}{end}`"));
        assert!(named("/") || named(".rs"), "{room}");
    }
    for path in contributing.split('`').skip(1).step_by(2) {
        if ["src/", "tests/", "qemu/"]
            .iter()
            .any(|top| path.starts_with(top))
        {
            let exists = fs::exists(format!("{}/{path}", env!("CARGO_MANIFEST_DIR")));
            assert!(exists.unwrap(), "{path}");
        }
    }
    let harness = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/qemu/src")).unwrap();
    for entry in harness.map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            let folder = format!("`{}/`", entry.file_name().display());
            assert!(contributing.contains(&folder), "{folder}");
        }
    }
}
