//! daemon.json in odd forms, as dockerd's own reader takes them.

use super::*;
use proptest::prelude::*;
use std::{string::String, vec::Vec};

fn scan(json: &[u8]) -> Result<Vec<(String, String)>, TooLong> {
    let (mut found, mut scanner) = (Vec::new(), Scanner::new());
    for byte in json {
        scanner.feed(*byte, &mut |key, value| {
            let value = value.map(|value| String::from_utf8_lossy(value).into());
            found.push(value.map(|value| (String::from_utf8_lossy(key).into(), value)));
        });
    }
    found.into_iter().collect()
}

#[test]
fn the_top_counts_and_objects_as_far_as_a_runtimes_fields() {
    let json = br#"{ "data-root" : "/srv/\"d\"\u00e9", "hosts": ["fd://", "tcp://[::]:1"], "iptables":false,
        "log-opts": {"tag": "x", "deep": ["no", {"a": "no"}], "b": true}, "runtimes": {"a": {"path": "x", "options": {"y": "no"}}}, "n": 12}"#;
    let expected = [
        ("data-root", "/srv/\"d\"é"),
        ("hosts", "["),
        ("hosts", "fd://"),
        ("hosts", "tcp://[::]:1"),
        ("iptables", "false"),
        ("log-opts.tag", "x"),
        ("log-opts.b", "true"),
        ("runtimes.a.path", "x"),
        ("n", "12"),
    ];
    let found = scan(json).unwrap();
    assert_eq!(
        found
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect::<Vec<_>>(),
        expected
    );
}

#[test]
fn too_long_a_value_is_an_error_and_not_a_cut() {
    let path = "x".repeat(VALUE);
    assert_eq!(
        scan(std::format!("{{\"pidfile\":\"{path}\"}}").as_bytes()),
        Err(TooLong)
    );
    assert!(
        scan(std::format!("{{\"a\":{{\"b\":{{\"c\":{{\"d\":\"{path}\"}}}}}}}}").as_bytes())
            .unwrap()
            .is_empty()
    );
}

fn scanned(json: &str) -> Vec<(String, String)> {
    scan(json.as_bytes()).unwrap()
}

/// What encoding/json and moby's getConflictFreeConfiguration make of each; the last of a key counts to its reader.
#[test]
fn d7_odd_files_are_read_as_go_reads_them() {
    let long = "k".repeat(2 * KEY);
    let deep = std::format!(
        "{{\"x\": {}{}, \"a\": \"1\"}}",
        "[".repeat(5000),
        "]".repeat(5000)
    );
    let beside = std::format!("{{\"o\": {{\"{long}\": \"no\", \"a\": \"1\"}}}}");
    for (json, expected) in [
        ("", &[][..]),
        (" \n", &[]),
        ("{}", &[]),
        ("\u{feff}{\"a\": \"1\"}", &[("a", "1")]),
        // Surrogate pairs, and halves.
        (r#"{"a": "\ud83d\udc33/x"}"#, &[("a", "\u{1f433}/x")]),
        (r#"{"a": "\uD83D\uDC33"}"#, &[("a", "\u{1f433}")]),
        (r#"{"a": "\ud83dx"}"#, &[("a", "\u{fffd}x")]),
        (r#"{"a": "\ud83d"}"#, &[("a", "\u{fffd}")]),
        (r#"{"a": "\ud83d\n"}"#, &[("a", "\u{fffd}\n")]),
        (
            r#"{"a": "\udc33\ud83d\udc33"}"#,
            &[("a", "\u{fffd}\u{1f433}")],
        ),
        (
            r#"{"a": "\ud83d\ud83d\udc33"}"#,
            &[("a", "\u{fffd}\u{1f433}")],
        ),
        (
            r#"{"\u0061": "1", "b\/c": "\/x"}"#,
            &[("a", "1"), ("b/c", "/x")],
        ),
        // Nothing is set by null.
        (
            r#"{"a": "1", "a": null, "b": "null"}"#,
            &[("a", "1"), ("b", "null")],
        ),
        (r#"{"a": "1", "a": "2"}"#, &[("a", "1"), ("a", "2")]),
        (
            r#"{"h": ["1"], "h": []}"#,
            &[("h", "["), ("h", "1"), ("h", "[")],
        ),
        (
            r#"{"h": [["no"], {"k": "no"}, "1"]}"#,
            &[("h", "["), ("h", "1")],
        ),
        (r#"[{"a": "no"}, "no"]"#, &[]),
        (
            r#"{"o": {"a": ["no", {"b": "no"}], "c": "1"}, "d": "2"}"#,
            &[("o.c", "1"), ("d", "2")],
        ),
        (&deep, &[("a", "1")]),
        (&beside, &[("", "no"), ("o.a", "1")]),
    ] {
        let expected: Vec<(String, String)> = expected
            .iter()
            .map(|(key, value)| (String::from(*key), String::from(*value)))
            .collect();
        let found: Vec<_> = scanned(json)
            .into_iter()
            .filter(|(key, _)| key != "x")
            .collect();
        assert_eq!(found, expected, "{json}");
    }
}

#[test]
fn d7_utf_16_is_read_behind_its_mark() {
    let json = "\u{feff}{\"data-root\": \"/\u{e9}\u{1f433}\", \"hosts\": [\"fd://\"], \"o\": {\"a\": \"\\u00e9\"}}\r\n";
    let expected = scanned(json);
    assert_eq!(expected.len(), 4);
    let units: Vec<u16> = json.encode_utf16().collect();
    let low: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    let high: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
    assert_eq!(scan(&low).unwrap(), expected);
    assert_eq!(scan(&high).unwrap(), expected);
}

proptest! {
    #[test]
    fn any_bytes_are_scanned(json: Vec<u8>) {
        let _ = scan(&json);
    }

    #[test]
    fn strings_are_those_of_serde(key in "[a-z-]{1,40}", value in "\\PC{0,60}") {
        let outer = serde_json::json!({ key.clone(): value.clone(), "O": { key.clone(): value.clone() } });
        let mut found = scan(&serde_json::to_vec(&outer).unwrap()).unwrap();
        found.sort();
        let mut expected = [(key.clone(), value.clone()), (std::format!("O.{key}"), value)];
        expected.sort();
        prop_assert_eq!(found, expected);
    }
}
