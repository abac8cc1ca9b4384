//! The program reads the kernel command line as the kernel does: quotes, words after `--`, lines of any length.

use crate::{
    network::{addresses, with_one_card},
    root::Root,
    util::{Needs, tests},
};

tests![Needs::Network;
    d3_quotes_are_removed,
    d3_only_words_before_the_two_dashes_are_read,
    d3_a_long_line_is_read_to_its_end,
    d3_an_argument_that_is_too_long_is_logged,
];

/// The first address after a launch with that line, and the log.
fn address(line: &str) -> (String, String) {
    let root = Root::new();
    let daemon = with_one_card(&root, line);
    let found = addresses(&daemon).into_iter().next().unwrap_or_default();
    let [_, address, ..] = found;
    (address, daemon.log())
}

fn d3_quotes_are_removed() {
    for line in [
        r#"ip="10.9.8.7/24""#,
        r#""ip=10.9.8.7/24""#,
        r#"a="b ip=10.1.1.1/24" ip="10.9.8.7/24"#,
        "quiet\tip=10.9.8.7/24\n",
    ] {
        assert_eq!(address(line).0, "10.9.8.7", "{line}");
    }
}

fn d3_only_words_before_the_two_dashes_are_read() {
    for line in [
        "-- ip=10.1.1.1/24",
        r#""--" ip=10.1.1.1/24"#,
        r#"x="-- ip=10.1.1.1/24""#,
    ] {
        assert_eq!(address(line).0, "", "{line}");
    }
    assert_eq!(address("--=x ip=10.9.8.7/24 --").0, "10.9.8.7");
}

/// A buffer of 4,096 bytes would truncate this line.
fn d3_a_long_line_is_read_to_its_end() {
    let line = format!("{}ip=10.9.8.7/24\n", "quiet splash ".repeat(1000));
    assert_eq!(address(&line).0, "10.9.8.7");
}

fn d3_an_argument_that_is_too_long_is_logged() {
    let line = format!("long={} ip=10.9.8.7/24\n", "x".repeat(4096));
    let (address, log) = address(&line);
    assert_eq!(address, "10.9.8.7");
    let warning = "dockerlaunch: warning: long... on the kernel command line is ignored: it is longer than 4,096 bytes\n";
    assert!(log.contains(warning), "{log}");
}
