//! Which ends of an engine a guest may survive: those that a check causes, and one that is a fault of the emulator. PID 1, or the
//! harness, starts the engine again, so any other crash would go unnoticed.

use anyhow::{Result, bail};

use crate::machine::SPEAKER;

/// dockerd ends with this when containerd has not answered for 15 s, as happens where both are emulated and their files are not
/// yet in memory.
pub(super) const TOO_SLOW: &str =
    "failed to start containerd: timeout waiting for containerd to start";

/// dockerd logs this when it answers, once in each life.
pub(super) const ANSWERS: &str = "API listen on /";

/// PID 1's line when a daemon has ended and another one follows.
const AGAIN: &str = " is started again in ";

/// Judges a guest's console, whose checks have killed the engine this often. The returned note is about the one end that is
/// excused: containerd did not answer dockerd in time.
pub(crate) fn of_guest<'a>(
    lines: impl IntoIterator<Item = &'a str>,
    killed: usize,
) -> Result<Option<String>> {
    let (mut slow, mut excused, mut kills) = (false, None, killed);
    for line in lines {
        if line.contains(TOO_SLOW) {
            slow = true;
        }
        if !(line.starts_with(SPEAKER) && line.contains(AGAIN)) {
            continue;
        }
        let line = line.trim_start_matches(SPEAKER);
        if slow && excused.is_none() {
            excused = Some(format!("{line}: {TOO_SLOW}"));
        } else if kills > 0 {
            kills -= 1;
        } else {
            bail!("the engine ended by itself: {line}");
        }
        slow = false;
    }
    Ok(excused)
}

/// What follows when a container's engine has ended before it answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// containerd was too slow, for the first time since the last answer: it may be started once more.
    Excused,
    Failed,
}

/// Judges the logs of a container whose engine has ended. `excused`: an end since its last answer was excused already.
pub(super) fn of_container(said: &str, excused: bool) -> Verdict {
    let since = said.rfind(ANSWERS).map_or(said, |at| &said[at..]);
    match since.matches(TOO_SLOW).count() {
        1 if !excused => Verdict::Excused,
        _ => Verdict::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIED: &str = "dockerlaunch: dockerd ended with status 1";
    const STARTED: &str = "dockerlaunch: dockerd is started again in 1 s";
    const READY: &str = "dockerlaunch: docker is ready, 9876 ms after kernel start";
    const LISTENS: &str = "time=\"x\" level=info msg=\"API listen on [::]:2375\"";
    const SLOW: &str = "failed to start containerd: timeout waiting for containerd to start";

    fn guest(lines: &[&str], killed: usize) -> Result<Option<String>> {
        of_guest(lines.iter().copied(), killed)
    }

    #[test]
    fn g3_an_engine_that_never_ended_needs_no_excuse() {
        assert_eq!(guest(&[], 0).unwrap(), None);
        assert_eq!(guest(&[LISTENS, READY], 0).unwrap(), None);
        // Another program's line, and a timeout after which the engine went on.
        assert_eq!(guest(&["x is started again in y", SLOW], 0).unwrap(), None);
    }

    #[test]
    fn g3_an_engine_that_dies_before_it_is_ready_is_a_failure() {
        let error = guest(&[DIED, STARTED, LISTENS, READY], 0).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("dockerd is started again in 1 s")
        );
        assert!(guest(&[STARTED, SLOW, READY], 0).is_err()); // The timeout came later.
        assert!(guest(&[LISTENS, READY, DIED, STARTED], 0).is_err()); // After it was ready, too.
    }

    #[test]
    fn g3_the_emulators_own_timeout_is_noted_once() {
        let note = guest(&[SLOW, DIED, STARTED, LISTENS, READY], 0).unwrap();
        assert!(note.unwrap().contains("timeout waiting for containerd"));
        assert!(guest(&[SLOW, DIED, STARTED, SLOW, DIED, STARTED, READY], 0).is_err());
        assert!(guest(&[SLOW, DIED, STARTED, DIED, STARTED, READY], 0).is_err());
    }

    #[test]
    fn g3_what_a_check_kills_is_its_own_doing() {
        assert_eq!(guest(&[READY, STARTED, READY], 1).unwrap(), None);
        assert!(guest(&[READY, STARTED, STARTED], 1).is_err());
        let killed_and_slow = [READY, STARTED, SLOW, STARTED, READY];
        assert!(guest(&killed_and_slow, 1).unwrap().is_some());
    }

    fn container(lines: &[&str], excused: bool) -> Verdict {
        of_container(&lines.join("\n"), excused)
    }

    const ANSWERED: &str = "msg=\"API listen on /run/docker.sock\"";

    #[test]
    fn g4_a_timeout_before_the_last_answer_excuses_nothing() {
        assert_eq!(
            container(&[SLOW, ANSWERED, "panic: x"], false),
            Verdict::Failed
        );
        assert_eq!(
            container(&[SLOW, ANSWERED, SLOW, ANSWERED], false),
            Verdict::Failed
        );
        assert_eq!(container(&["panic: x"], false), Verdict::Failed);
        assert_eq!(container(&[], false), Verdict::Failed);
    }

    #[test]
    fn g4_one_timeout_behind_the_last_answer_is_excused() {
        assert_eq!(container(&[SLOW], false), Verdict::Excused);
        assert_eq!(container(&[SLOW, ANSWERED, SLOW], false), Verdict::Excused);
        // Started again, and ended again: by the same, or by something else.
        assert_eq!(container(&[ANSWERED, SLOW, SLOW], true), Verdict::Failed);
        assert_eq!(
            container(&[ANSWERED, SLOW, "panic: x"], true),
            Verdict::Failed
        );
        assert_eq!(container(&[SLOW, SLOW], false), Verdict::Failed);
    }
}
