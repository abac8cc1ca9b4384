//! The rows, in the order of dockerlaunch's own table; nft is not among them, because no suite has an engine that uses it.

use anyhow::Result;

use super::{
    proofs,
    world::{
        Requirement,
        Without::{self, AtStart, Elsewhere, InUse, NothingLost, Once},
        World,
    },
};
use crate::engine::Engine;

type Proof = fn(&World, &Engine) -> Result<()>;
type Text = &'static str;

const fn optional(name: Text, file: Text, proof: Proof, without: Without) -> Requirement {
    Requirement {
        name,
        file,
        proof,
        without,
        fault: "is missing",
        refused: 0,
    }
}

const fn required(name: Text, file: Text, proof: Proof, without: Without) -> Requirement {
    Requirement {
        refused: 125,
        ..optional(name, file, proof, without)
    }
}

/// Before version 27 the engine makes IPv6 rules only with these arguments.
const IPV6: &[&str] = &["--experimental", "--ip6tables"];

pub(super) const TABLE: &[Requirement] = &[
    Requirement {
        fault: "no such file or directory",
        refused: 127,
        ..required("dockerd", "sbin/dockerd", proofs::answers, AtStart(&[]))
    },
    required("containerd", "bin/containerd", proofs::exec, AtStart(&[])),
    required(
        "containerd-shim-runc-v2",
        "bin/containerd-shim-runc-v2",
        proofs::container,
        Once(&[]),
    ),
    required("runc", "sbin/runc", proofs::exec, AtStart(&[])),
    required(
        "docker-proxy",
        "sbin/docker-proxy",
        proofs::loopback_port,
        AtStart(&[]),
    ),
    required(
        "iptables",
        "sbin/iptables",
        proofs::published_port,
        AtStart(&[]),
    ),
    optional(
        "ip6tables",
        "sbin/ip6tables",
        proofs::ipv6_rules,
        AtStart(IPV6),
    ),
    optional(
        "ca-certificates.crt",
        "etc/ssl/certs/ca-certificates.crt",
        proofs::pull,
        Once(&[]),
    ),
    optional("docker-init", "bin/docker-init", proofs::init, InUse),
    optional("ps", "bin/ps", proofs::top, InUse),
    optional("modprobe", "sbin/modprobe", proofs::modules, Elsewhere),
    optional("xz", "bin/xz", proofs::xz, InUse),
    optional("git", "bin/git", proofs::git, InUse),
    optional(
        "git-submodule",
        "lib/git-core/git-submodule",
        proofs::submodule,
        InUse,
    ),
    optional(
        "git-clone",
        "lib/git-core/git-clone",
        proofs::submodule,
        NothingLost,
    ),
    optional(
        "git-checkout",
        "lib/git-core/git-checkout",
        proofs::submodule,
        NothingLost,
    ),
    optional("ssh", "bin/ssh", proofs::ssh, InUse),
    optional(
        "apparmor_parser",
        "sbin/apparmor_parser",
        proofs::confined,
        Once(&["the container's profile is unconfined"]),
    ),
];
