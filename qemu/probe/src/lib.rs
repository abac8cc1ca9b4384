//! The probe's report, and its frame on the serial port. The probe and the harness share this definition, so a report that the harness
//! can read is the report that the probe wrote.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Everything that a daemon can see of the system that was prepared for it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Report {
    pub process: Process,
    /// /proc/self/mountinfo, in its order.
    pub mounts: Vec<Mount>,
    pub cgroup: Cgroup,
    /// Soft and hard limit by the name after RLIMIT_; `None` is unlimited.
    pub limits: BTreeMap<String, (Option<u64>, Option<u64>)>,
    pub descriptors: BTreeMap<u32, Descriptor>,
    /// Files by absolute path (`files::WALKS` has the folders).
    pub files: BTreeMap<String, File>,
    pub network: Network,
    /// Files of the kernel that show a state, each one line, by path.
    pub kernel: BTreeMap<String, String>,
    /// Loaded modules.
    pub modules: Vec<String>,
    /// The result of a pivot_root(2) like runc's: `works`, or the step that failed and its errno.
    pub pivot_root: String,
    /// Seconds since 1970, and milliseconds since the kernel started (CLOCK_REALTIME, CLOCK_BOOTTIME).
    pub clock: (i64, i64),
}

/// The process itself.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Process {
    pub arguments: Vec<String>,
    pub environment: BTreeMap<String, String>,
    pub pid: u32,
    pub parent: u32,
    pub session: u32,
    pub working_directory: String,
    pub umask: String,
    /// Signals that are blocked and ignored, as /proc/self/status has them: hexadecimal masks.
    pub blocked: String,
    pub ignored: String,
    pub oom_score_adj: String,
    /// The names of all other processes, without kernel threads.
    pub others: Vec<String>,
}

/// One line of /proc/self/mountinfo, proc_pid_mountinfo(5).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Mount {
    pub root: String,
    pub target: String,
    pub options: Vec<String>,
    /// `shared`, `slave`, `shared,slave`, `unbindable` or `private`.
    pub propagation: String,
    pub file_system: String,
    pub source: String,
    /// The options of the file system rather than of this mount.
    pub super_options: Vec<String>,
}

/// The cgroups of this process, and the mounted controllers.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Cgroup {
    /// /proc/self/cgroup, by line.
    pub own: Vec<String>,
    /// cgroup.controllers and cgroup.subtree_control of the version 2 hierarchy, wherever it is mounted.
    pub controllers: Vec<String>,
    pub subtree_control: Vec<String>,
}

/// An open descriptor.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Descriptor {
    pub target: String,
    pub close_on_exec: bool,
    /// The path of a listening UNIX socket.
    pub listens_on: Option<String>,
}

/// A directory entry.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct File {
    /// `file`, `directory`, `link`, `socket`, `character`, `block` or `fifo`.
    pub kind: String,
    /// The permission bits, in octal.
    pub mode: String,
    pub user: u32,
    pub group: u32,
    /// The target of a link, the content of a small file, or the number of a device.
    pub content: String,
}

/// The network as a daemon finds it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Network {
    pub hostname: String,
    /// `up` or `down` by link.
    pub links: BTreeMap<String, String>,
    /// `LINK ADDRESS/PREFIX`, only IPv4: the kernel makes IPv6 addresses itself.
    pub addresses: Vec<String>,
    /// `DESTINATION/PREFIX via GATEWAY dev LINK`, of the main table.
    pub routes: Vec<String>,
}

/// The agent's answer to a shell command.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The request's number.
    pub number: u32,
    /// The exit status, or as in a shell 128 and the signal.
    pub status: i32,
    /// Standard output, then standard error.
    pub output: String,
}

/// The beginning of a line of the probe, outside a frame.
pub const SAYS: &str = "probe: ";

/// The first word of a frame; it is followed by the length in bytes and the CRC-32 of the body, both decimal.
pub const MAGIC: &str = "DOCKERLAUNCH-PROBE";

/// Why bytes from the serial port are not a report.
#[derive(Debug, PartialEq, Eq)]
pub enum Unframed {
    /// No magic line.
    Nothing,
    /// Fewer bytes followed than the line announces.
    Short { announced: usize, came: usize },
    /// The checksum is wrong, or the body is not a report.
    Damaged(String),
}

impl fmt::Display for Unframed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => formatter.write_str("the probe sent nothing"),
            Self::Short { announced, came } => write!(
                formatter,
                "the probe's report ends after {came} of {announced} bytes"
            ),
            Self::Damaged(why) => write!(formatter, "the probe's report is damaged: {why}"),
        }
    }
}

impl std::error::Error for Unframed {}

/// The bytes that go over the wire: the magic line, then a report or an answer as JSON.
pub fn frame(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let body = serde_json::to_vec(value)?;
    let mut bytes = format!("{MAGIC} {} {}\n", body.len(), crc32fast::hash(&body)).into_bytes();
    bytes.extend(body);
    bytes.push(b'\n');
    Ok(bytes)
}

/// The first frame of the bytes; bytes before the magic line are ignored.
pub fn unframe<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Unframed> {
    let start = find(bytes, MAGIC.as_bytes()).ok_or(Unframed::Nothing)?;
    let rest = &bytes[start + MAGIC.len()..];
    let line = find(rest, b"\n").ok_or(Unframed::Nothing)?;
    let damaged = |why: &str| Unframed::Damaged(why.into());
    let mut numbers = std::str::from_utf8(&rest[..line])
        .unwrap_or("")
        .split_whitespace()
        .map(str::parse::<u32>);
    let (Some(Ok(length)), Some(Ok(checksum)), None) =
        (numbers.next(), numbers.next(), numbers.next())
    else {
        return Err(damaged("its first line has no length and checksum"));
    };
    let (body, announced) = (&rest[line + 1..], length as usize);
    let body = body.get(..announced).ok_or(Unframed::Short {
        announced,
        came: body.len(),
    })?;
    if crc32fast::hash(body) != checksum {
        return Err(damaged("the checksum does not match"));
    }
    serde_json::from_slice(body).map_err(|error| Unframed::Damaged(error.to_string()))
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_survives_the_wire() {
        let report = Report {
            pivot_root: "works".into(),
            ..Report::default()
        };
        let mut bytes = b"noise of the firmware\r\n".to_vec();
        bytes.extend(frame(&report).unwrap());
        assert_eq!(unframe::<Report>(&bytes).unwrap().pivot_root, "works");
    }

    #[test]
    fn what_is_cut_or_changed_is_told() {
        let bytes = frame(&Report::default()).unwrap();
        assert_eq!(unframe::<Report>(b"").unwrap_err(), Unframed::Nothing);
        assert_eq!(
            unframe::<Report>(&bytes[..MAGIC.len() + 2]).unwrap_err(),
            Unframed::Nothing
        );
        assert!(matches!(
            unframe::<Report>(&bytes[..bytes.len() - 2]),
            Err(Unframed::Short { .. })
        ));
        let mut flipped = bytes.clone();
        let last = flipped.len() - 2;
        flipped[last] ^= 1;
        assert!(matches!(
            unframe::<Report>(&flipped),
            Err(Unframed::Damaged(_))
        ));
        assert!(matches!(
            unframe::<Report>(b"DOCKERLAUNCH-PROBE x y\n{}"),
            Err(Unframed::Damaged(_))
        ));
    }
}
