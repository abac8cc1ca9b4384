//! JSON files that a power failure left empty are set aside, and the engine's settings come back from the image.

use crate::{
    root::Root,
    running::Running,
    util::{Needs, tests},
};

tests![Needs::Root;
    an_empty_daemon_json_comes_back_from_the_image,
    without_one_in_the_image_a_warning_is_logged,
    empty_files_of_the_engine_are_set_aside,
    files_that_are_not_empty_stay,
];

const DAEMON_JSON: &str = "/etc/docker/daemon.json";

fn warnings(daemon: &Running<'_>) -> Vec<String> {
    let log = daemon.log();
    let lines = log.lines().filter(|line| line.contains(".json"));
    lines.map(String::from).collect()
}

fn set_aside(name: &str) -> String {
    format!(
        "dockerlaunch: warning: {name} was empty, as after a power cut: renamed to {name}.corrupt"
    )
}

/// This happens before anything reads the data root from it.
fn an_empty_daemon_json_comes_back_from_the_image() {
    for empty in ["", "\n"] {
        let root = Root::new();
        let contents = "{\"data-root\": \"/srv/docker\"}";
        root.file(DAEMON_JSON, empty)
            .file("/usr/etc/docker/daemon.json", contents)
            .file("/srv/docker/image/overlay2/repositories.json", "");
        let daemon = root.machine().running();
        let again = "dockerlaunch: warning: daemon.json is restored from /usr/etc";
        assert_eq!(
            warnings(&daemon),
            [
                set_aside("daemon.json"),
                again.into(),
                set_aside("repositories.json")
            ]
        );
        assert_eq!(root.read(DAEMON_JSON), contents);
        assert_eq!(root.read("/etc/docker/daemon.json.corrupt"), empty);
    }
}

fn without_one_in_the_image_a_warning_is_logged() {
    let root = Root::new();
    root.file(DAEMON_JSON, "");
    let daemon = root.machine().running();
    let loud = "dockerlaunch: warning: there is no daemon.json any more and none in /usr/etc: THE ENGINE RUNS WITHOUT ITS SETTINGS";
    assert_eq!(warnings(&daemon), [set_aside("daemon.json"), loud.into()]);
    assert!(!root.path(DAEMON_JSON).exists());
    drop(daemon);
    // The warning appears once.
    assert_eq!(warnings(&root.machine().running()), [""; 0]);
}

fn empty_files_of_the_engine_are_set_aside() {
    let root = Root::new();
    let below = "/var/lib/docker/image/overlay2";
    root.file("/etc/docker/key.json", "")
        .file("/etc/docker/key.json.corrupt", "older")
        .file(&format!("{below}/repositories.json"), "")
        .file("/var/lib/docker/image/vfs/other.json", "")
        .file("/var/lib/docker/image/file", "");
    let daemon = root.container().running();
    assert_eq!(
        warnings(&daemon),
        [set_aside("key.json"), set_aside("repositories.json")]
    );
    assert_eq!(root.read("/etc/docker/key.json.corrupt"), "");
    assert_eq!(root.read(&format!("{below}/repositories.json.corrupt")), "");
    assert!(!root.path(&format!("{below}/repositories.json")).exists());
    assert!(root.path("/var/lib/docker/image/vfs/other.json").exists());
}

fn files_that_are_not_empty_stay() {
    let root = Root::new();
    let repositories = "/var/lib/docker/image/overlay2/repositories.json";
    root.file(DAEMON_JSON, "{}")
        .file("/etc/docker/key.json", "{}")
        .file(repositories, "{}");
    let daemon = root.machine().running();
    assert_eq!(warnings(&daemon), [""; 0]);
    for path in [DAEMON_JSON, "/etc/docker/key.json", repositories] {
        assert_eq!(root.read(path), "{}");
    }
}
