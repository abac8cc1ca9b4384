//! Which iptables the daemon finds first: the setting decides, else the kernel. Guests assert what happens on a kernel without
//! nf_tables, because the kernel that runs these tests may have it.

use crate::{
    prerequisites::{assert_ends, assert_starts, complete, remove},
    root::Root,
    running::Start,
    util::{Before, Needs, tests},
};

tests![Needs::Iptables;
    legacy_is_first_in_path_if_the_setting_says_so,
    legacy_tables_choose_legacy,
    the_setting_takes_precedence_over_the_kernel,
    nothing_is_chosen_for_a_daemon_without_iptables,
    without_the_legacy_programs_path_stays,
    without_cap_net_admin_nothing_is_chosen,
    the_check_at_boot_uses_the_chosen_programs,
    a_path_that_is_too_long_is_refused;
    Needs::Features(&["iptables", "modprobe"]) => the_modules_of_the_chosen_one_are_loaded;
    Needs::Features(&["iptables", "supervise"]) => a_supervised_daemon_gets_the_same_path
];

const VARIABLE: &str = "DOCKER_IPTABLES_LEGACY";
const FOLDER: &str = "/usr/local/sbin/.iptables-legacy";
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// An image with both variants.
fn image() -> Root {
    let root = Root::new();
    for name in ["iptables", "ip6tables"] {
        let link = format!("{FOLDER}/{name}");
        root.link(&link, "/usr/sbin/xtables-legacy-multi");
    }
    root.file("/usr/sbin/xtables-legacy-multi", "")
        .mode("/usr/sbin/xtables-legacy-multi", 0o755);
    root
}

/// A container whose network namespace shows these kernel files and no others.
fn with<'r>(root: &'r Root, files: &[(&str, &str)]) -> Start<'r> {
    root.directory("/net");
    for (file, contents) in files {
        root.file(&format!("/net/{file}"), contents);
    }
    let net = Before::bind(root.path("/net"), "/proc/self/net");
    root.container()
        .before(net)
        .variable("DOCKER_LAUNCH_DEBUG", "true")
}

/// The daemon's PATH, and the log lines about iptables.
fn started(start: Start<'_>) -> (String, Vec<String>) {
    let daemon = start.running();
    let path = daemon.environment().into_iter();
    let path = path.filter_map(|variable| Some(variable.strip_prefix("PATH=")?.to_string()));
    let lines = daemon.log();
    let lines = lines.lines().filter(|line| line.contains("iptables"));
    let said = lines.map(|line| {
        line.split_once("] ")
            .map_or(line, |(_, said)| said)
            .to_string()
    });
    (path.collect::<Vec<_>>().join(" and "), said.collect())
}

fn legacy_is_first_in_path_if_the_setting_says_so() {
    let root = image();
    let (path, said) = started(with(&root, &[]).variable(VARIABLE, "1"));
    assert_eq!(path, format!("{FOLDER}:{PATH}"));
    assert!(
        said.iter()
            .any(|line| line.ends_with("iptables legacy: DOCKER_IPTABLES_LEGACY is set")),
        "{said:?}"
    );
    let start = with(&root, &[]).variable("PATH", "/usr/bin:/usr/sbin");
    let (path, _) = started(start.variable(VARIABLE, "no"));
    assert_eq!(path, format!("{FOLDER}:/usr/bin:/usr/sbin"));
    let daemon = with(&root, &[]).variable(VARIABLE, "1").running();
    let variable = format!("{VARIABLE}=1");
    assert!(daemon.environment().contains(&variable));
}

fn legacy_tables_choose_legacy() {
    let root = image();
    for file in ["ip_tables_names", "ip6_tables_names", "arp_tables_names"] {
        let (path, said) = started(with(&root, &[(file, "nat\nfilter\n")]));
        assert_eq!(path, format!("{FOLDER}:{PATH}"), "{file}");
        assert!(
            said.iter()
                .any(|line| line.ends_with("iptables legacy: the kernel has legacy tables")),
            "{said:?}"
        );
        root.file(&format!("/net/{file}"), "");
    }
}

fn the_setting_takes_precedence_over_the_kernel() {
    let root = image();
    let start = with(&root, &[("ip_tables_names", "nat\n")]);
    let (path, said) = started(start.variable(VARIABLE, ""));
    assert_eq!(path, PATH);
    assert!(
        said.iter()
            .any(|line| line.ends_with("iptables nft: DOCKER_IPTABLES_LEGACY is empty")),
        "{said:?}"
    );
}

fn nothing_is_chosen_for_a_daemon_without_iptables() {
    let root = image();
    for words in [
        &["--iptables=false"][..],
        &["--firewall-backend=nftables"],
        &["--config-file=/none.json"],
    ] {
        root.file("/none.json", r#"{"iptables": false}"#);
        let start = with(&root, &[("ip_tables_names", "nat\n")])
            .variable("DOCKER_LAUNCH_PREREQUISITES", "skip");
        let (path, said) = started(start.variable(VARIABLE, "1").words(words));
        assert_eq!(path, PATH, "{words:?}");
        assert_eq!(said, [""; 0], "{words:?}");
    }
}

/// There is a warning only if something is lost.
fn without_the_legacy_programs_path_stays() {
    let warnings = |start: Start<'_>| {
        let (path, said) = started(start);
        assert_eq!(path, PATH);
        let said = said.into_iter().filter(|line| line.contains("warning"));
        said.collect::<Vec<_>>()
    };
    let root = Root::new();
    let tables = with(&root, &[("ip_tables_names", "nat\n")]);
    assert_eq!(warnings(tables), [""; 0]);
    let asked = || with(&root, &[]).variable(VARIABLE, "1");
    let [warning] = warnings(asked()).try_into().unwrap();
    let line = format!(
        "warning: {FOLDER}/iptables is missing: DOCKER_IPTABLES_LEGACY is set, but iptables in PATH is used"
    );
    assert!(warning.ends_with(&line), "{warning}");
    // The iptables in PATH is the legacy one.
    std::fs::remove_file(root.path("/usr/sbin/iptables")).unwrap();
    root.link("/usr/sbin/iptables", "/etc/alternatives/iptables")
        .link(
            "/etc/alternatives/iptables",
            "/usr/sbin/xtables-legacy-multi",
        )
        .file("/usr/sbin/xtables-legacy-multi", "")
        .mode("/usr/sbin/xtables-legacy-multi", 0o755);
    assert_eq!(warnings(asked()), [""; 0]);
    // If there is no iptables, the check of prerequisites reports that.
    std::fs::remove_file(root.path("/usr/sbin/iptables")).unwrap();
    let skipped = asked().variable("DOCKER_LAUNCH_PREREQUISITES", "skip");
    assert_eq!(warnings(skipped), [""; 0]);
}

/// Without the right to configure the network, the launch ends at lo.
fn without_cap_net_admin_nothing_is_chosen() {
    const NET_ADMIN: u32 = 12;
    let root = image();
    let ended = with(&root, &[])
        .before(Before::DropCapability(NET_ADMIN))
        .ended();
    assert!(ended.stderr.contains("iptables nft: "), "{}", ended.stderr);
}

fn the_modules_of_the_chosen_one_are_loaded() {
    let root = image();
    root.stand_in("/usr/sbin/modprobe");
    // The kernel has one of the two tables; the missing one makes sure that the launch runs modprobe.
    let start = || with(&root, &[("ip_tables_names", "")]).variable("DOCKER_LAUNCH_MODULES", "x");
    drop(start().variable(VARIABLE, "1").running());
    let words = root.read("/modprobe.words");
    let asked: Vec<_> = words
        .lines()
        .filter(|word| word.ends_with("_tables"))
        .collect();
    assert_eq!(asked, ["ip6_tables"], "{words}");
    drop(start().variable(VARIABLE, "").running());
    let words = root.read("/modprobe.words");
    assert!(!words.contains("_tables"), "{words}");
}

fn the_check_at_boot_uses_the_chosen_programs() {
    let root = complete();
    remove(&root, "iptables");
    let legacy = format!("{FOLDER}/iptables");
    root.file(&legacy, "").mode(&legacy, 0o755);
    let start = || root.container().variable(VARIABLE, "1");
    assert_starts(start(), &[]);
    assert_ends(root.container().variable(VARIABLE, ""), "iptables");
}

fn a_supervised_daemon_gets_the_same_path() {
    let root = image();
    let daemon = with(&root, &[])
        .variable(VARIABLE, "1")
        .variable("DOCKER_LAUNCH_REAP", "true")
        .running();
    let [child] = daemon.children().try_into().unwrap();
    let environment = std::fs::read_to_string(format!("/proc/{child}/environ")).unwrap();
    let path = format!("PATH={FOLDER}:{PATH}");
    assert!(environment.split('\0').any(|variable| variable == path));
}

/// PATH is never truncated.
fn a_path_that_is_too_long_is_refused() {
    let root = image();
    let path = format!("/usr/bin:/usr/sbin{}", ":/opt".repeat(1000));
    let start = || root.container().variable("PATH", &path);
    assert_starts(start(), &[]);
    let ended = start().variable(VARIABLE, "1").ended();
    let line = "exec /usr/bin/dockerd: file name too long (ENAMETOOLONG)";
    assert_eq!(ended.status, 126);
    assert!(ended.stderr.contains(line), "{}", ended.stderr);
}
