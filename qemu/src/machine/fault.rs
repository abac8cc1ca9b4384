//! Tells a fault of the emulator from one of dockerlaunch: only the former allows a second start.
//!
//! dockerlaunch can make the kernel panic (PID 1 ended), but it can neither make it oops nor keep it from starting PID 1.

/// Messages of the kernel about a fault of its own.
const OOPS: &[&str] = &[
    "Oops",
    "BUG: unable to handle",
    "double fault",
    "int3:",
    "general protection fault",
    "invalid opcode:",
    "stack-protector",
    "Fatal exception",
    "soft lockup",
    "detected stalls on CPUs",
];

/// The same messages about a program: `traps: runc[91] general protection fault ip:…`.
const PROGRAM: &str = "traps: ";

/// The fault that the lines show, if any. `alive`: the guest still runs, so it was only slow.
pub(super) fn find<'a>(
    mut lines: impl Iterator<Item = &'a str> + Clone,
    init: &str,
    alive: bool,
) -> Option<String> {
    let oops = |line: &&str| {
        line.starts_with('[')
            && !line.contains(PROGRAM)
            && OOPS.iter().any(|word| line.contains(word))
    };
    if let Some(line) = lines.clone().find(oops) {
        return Some(format!("the kernel met a fault of the emulator ({line})"));
    }
    let reached = lines.any(|line| starts(line, init));
    match (reached, alive) {
        (true, _) => None,
        (false, true) => Some("the kernel did not reach PID 1 in time".to_owned()),
        (false, false) => Some("the guest ended before PID 1 was started".to_owned()),
    }
}

/// The kernel's line before it starts PID 1.
pub(super) fn starts(line: &str, init: &str) -> bool {
    line.contains(&format!("Run {init} as init process"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INIT: &str = "/usr/bin/dockerlaunch";
    const RUN: &str = "[    1.65] Run /usr/bin/dockerlaunch as init process";

    #[test]
    fn only_the_kernels_own_faults_count() {
        let find = |lines: &[&str], alive| find(lines.iter().copied(), INIT, alive);
        assert_eq!(
            find(
                &[
                    RUN,
                    "[    2.0] Kernel panic - not syncing: Attempted to kill init!"
                ],
                false
            ),
            None
        );
        assert_eq!(
            find(
                &[
                    RUN,
                    "[    2.0] traps: runc[91] general protection fault ip:1"
                ],
                true
            ),
            None
        );
        assert_eq!(find(&[RUN, "a program prints Oops"], true), None);
        assert!(
            find(&[RUN, "[    2.0] Oops: int3: 0000 [#1] PREEMPT SMP"], false)
                .unwrap()
                .contains("int3")
        );
        assert!(find(&["[    0.1] PANIC: double fault, error_code: 0x0"], false).is_some());
        assert!(
            find(&["[    0.0] Linux version 6.12"], true)
                .unwrap()
                .contains("in time")
        );
        assert!(find(&[], false).unwrap().contains("ended before"));
    }
}
