//! The rows. Guests without each program check that the engine reports its absence in these words.

use super::{Kernel, Need, Place, Requirement, Texts};
use crate::docker::options::*;

/// Where dockerd looks for its own programs before PATH (moby, daemon/config/config_linux.go).
pub(super) const LIBEXEC: &str =
    "/usr/local/libexec/docker:/usr/local/lib/docker:/usr/libexec/docker:/usr/lib/docker";
/// What `git --exec-path` is, by distribution.
#[cfg(feature = "git")]
const GIT_CORE: &str = "/usr/lib/git-core:/usr/libexec/git-core";
/// Where Go looks for roots, by distribution (crypto/x509, root_linux.go).
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt:/etc/pki/tls/certs/ca-bundle.crt:/etc/ssl/ca-bundle.pem:\
    /etc/pki/tls/cacert.pem:/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem:/etc/ssl/cert.pem";

/// The texts of a row. A program without `check` leaves out the texts that only --check and the guide print.
macro_rules! texts {
    (lost: $lost:literal; package: $package:literal; feature: $feature:literal; needed_by: $needed_by:literal;
        error: $error:literal; ignorable: $ignorable:literal;) => {
        if cfg!(feature = "check") {
            let all = concat!($lost, $package, $feature, $needed_by, $error, $ignorable);
            let lengths = [$lost, $package, $feature, $needed_by, $error, $ignorable];
            Texts::new(all, lengths)
        } else {
            Texts::new(concat!($lost, $package), [$lost, $package, "", "", "", ""])
        }
    };
}

/// In the order in which Docker meets them.
pub(crate) const TABLE: &[Requirement] = &[
    Requirement {
        name: "dockerd",
        place: Place::Daemon,
        need: Need::Required,
        unless: 0,
        only: 0,
        kernel: Kernel::Any,
        texts: texts! {
            lost: "there is no engine";
            package: "docker.io";
            feature: "";
            needed_by: "everything";
            error: "";
            ignorable: "No";
        },
    },
    Requirement {
        name: "containerd",
        place: Place::Path,
        need: Need::Required,
        unless: OTHER_CONTAINERD | EMBEDDED_CONTAINERD,
        only: 0,
        kernel: Kernel::Any,
        texts: texts! {
            lost: "dockerd does not start";
            package: "containerd";
            feature: "";
            needed_by: "dockerd, which starts it";
            error: "failed to start containerd: exec: \"containerd\": executable file not found in $PATH";
            ignorable: "Only where another containerd serves a socket (--containerd=SOCKET), or from Docker 29.7 with the feature embedded-containerd";
        },
    },
    Requirement {
        name: "containerd-shim-runc-v2",
        place: Place::BesideContainerd,
        need: Need::Required,
        unless: OTHER_CONTAINERD | OTHER_RUNTIME,
        only: 0,
        kernel: Kernel::Any,
        texts: texts! {
            lost: "no container starts";
            package: "containerd";
            feature: "";
            needed_by: "containerd, for every container";
            error: "runtime \"io.containerd.runc.v2\" binary not installed \"containerd-shim-runc-v2\": file does not exist";
            ignorable: "Only with another default runtime that brings its own shim";
        },
    },
    Requirement {
        name: "runc",
        place: Place::Path,
        need: Need::Required,
        unless: 0,
        only: 0,
        kernel: Kernel::Any,
        texts: texts! {
            lost: "dockerd does not start; older engines start no container";
            package: "runc";
            feature: "";
            needed_by: "dockerd, for builds; containerd-shim-runc-v2, for every container";
            error: "failed to find runc binary";
            ignorable: "No: BuildKit in dockerd runs it, whatever the default runtime is";
        },
    },
    Requirement {
        name: "docker-proxy",
        place: Place::Libexec,
        need: Need::Required,
        unless: NO_PROXY | OTHER_PROXY,
        only: 0,
        kernel: Kernel::Any,
        texts: texts! {
            lost: "Docker 25 and newer does not start; older engines publish no port";
            package: "docker.io";
            feature: "";
            needed_by: "dockerd, for published ports on localhost";
            error: "invalid userland-proxy-path: userland-proxy is enabled, but userland-proxy-path is not set";
            ignorable: "Yes, add --userland-proxy=false; ports are then published by the kernel alone";
        },
    },
    #[cfg(feature = "iptables")]
    Requirement {
        name: "iptables",
        place: Place::Path,
        need: Need::Required,
        unless: NO_IPTABLES | NFTABLES,
        only: 0,
        kernel: Kernel::Any,
        texts: texts! {
            lost: "dockerd does not start";
            package: "iptables";
            feature: "iptables";
            needed_by: "dockerd, for NAT, published ports and the isolation of networks";
            error: "failed to create NAT chain DOCKER: iptables not found";
            ignorable: "Yes, add --iptables=false, and configure networking by hand. Or, from Docker 29, --firewall-backend=nftables";
        },
    },
    #[cfg(feature = "iptables")]
    Requirement {
        name: "ip6tables",
        place: Place::Path,
        need: Need::Optional,
        unless: NO_IP6TABLES | NFTABLES,
        only: 0,
        kernel: Kernel::Any,
        texts: texts! {
            lost: "networks with IPv6 get no rules: no NAT, no published ports, no isolation there";
            package: "iptables";
            feature: "iptables";
            needed_by: "dockerd, for IPv6 networks";
            error: "failed to create NAT chain DOCKER: ip6tables is missing";
            ignorable: "Yes, without IPv6 networks: add --ip6tables=false";
        },
    },
    #[cfg(feature = "iptables")]
    Requirement {
        name: "nft",
        place: Place::Path,
        need: Need::Required,
        unless: 0,
        only: NFTABLES,
        kernel: Kernel::Any,
        texts: texts! {
            lost: "dockerd does not start";
            package: "nftables";
            feature: "iptables";
            needed_by: "dockerd with --firewall-backend=nftables";
            error: "firewall-backend is set to nftables: failed to find nft tool";
            ignorable: "Yes, it is needed with --firewall-backend=nftables only";
        },
    },
    Requirement {
        name: "ca-certificates.crt",
        place: Place::Certificates(CERTIFICATES),
        need: Need::Optional,
        unless: 0,
        only: 0,
        kernel: Kernel::Any,
        texts: texts! {
            lost: "no image is pulled from a registry with TLS, docker.io among them";
            package: "ca-certificates";
            feature: "";
            needed_by: "dockerd, to trust registries";
            error: "tls: failed to verify certificate: x509: certificate signed by unknown authority";
            ignorable: "Only where images come by docker load, or from a registry without TLS";
        },
    },
    Requirement {
        name: "docker-init",
        place: Place::Libexec,
        need: Need::Optional,
        unless: OTHER_INIT,
        only: 0,
        kernel: Kernel::Any,
        texts: texts! {
            lost: "docker run --init fails";
            package: "tini";
            feature: "";
            needed_by: "docker run --init";
            error: "exec: \"docker-init\": executable file not found in $PATH";
            ignorable: "Yes, do not use --init";
        },
    },
    Requirement {
        name: "ps",
        place: Place::Path,
        need: Need::Optional,
        unless: 0,
        only: 0,
        kernel: Kernel::Any,
        texts: texts! {
            lost: "docker top fails";
            package: "procps";
            feature: "";
            needed_by: "docker top; docker ps never needed it";
            error: "ps: exec: \"ps\": executable file not found in $PATH";
            ignorable: "Yes, do not use docker top";
        },
    },
    #[cfg(feature = "modprobe")]
    Requirement {
        name: "modprobe",
        place: Place::Path,
        need: Need::Optional,
        unless: 0,
        only: 0,
        kernel: Kernel::Modules,
        texts: texts! {
            lost: "no kernel module is loaded when Docker or iptables asks for it";
            package: "kmod";
            feature: "modprobe";
            needed_by: "dockerlaunch and dockerd, for overlay, bridge, br_netfilter, nf_nat; the kernel, for the matches of iptables' rules";
            error: "Running modprobe bridge br_netfilter failed with message";
            ignorable: "Yes, if the modules are built in or already loaded; for a container load them on the host";
        },
    },
    #[cfg(feature = "xz")]
    Requirement {
        name: "xz",
        place: Place::Path,
        need: Need::Optional,
        unless: 0,
        only: 0,
        kernel: Kernel::Any,
        texts: texts! {
            lost: "docker import, load and build refuse archives compressed with xz";
            package: "xz-utils";
            feature: "xz";
            needed_by: "dockerd, to unpack such archives";
            error: "exec: \"xz\": executable file not found in $PATH";
            ignorable: "Yes, use archives compressed with gzip or zstd";
        },
    },
    #[cfg(feature = "git")]
    Requirement {
        name: "git",
        place: Place::Path,
        need: Need::Optional,
        unless: 0,
        only: 0,
        kernel: Kernel::Any,
        texts: texts! {
            lost: "docker build of a git URL fails";
            package: "git";
            feature: "git";
            needed_by: "docker build of a git URL";
            error: "exec: \"git\": executable file not found in $PATH";
            ignorable: "Yes, do not build from git URLs";
        },
    },
    #[cfg(feature = "git")]
    Requirement {
        name: "git-submodule",
        place: Place::Directories(GIT_CORE),
        need: Need::Optional,
        unless: 0,
        only: 0,
        kernel: Kernel::Any,
        texts: texts! {
            lost: "docker build of a git URL fails";
            package: "git";
            feature: "git";
            needed_by: "git: a docker build of any git URL asks it for submodules";
            error: "error initializing submodules: git: 'submodule' is not a git command";
            ignorable: "Yes, do not build from git URLs";
        },
    },
    #[cfg(feature = "git")]
    Requirement {
        name: "git-clone",
        place: Place::Directories(GIT_CORE),
        need: Need::Obsolete,
        unless: 0,
        only: 0,
        kernel: Kernel::Any,
        texts: texts! {
            lost: "nothing";
            package: "git";
            feature: "git";
            needed_by: "nothing: git has it built in";
            error: "";
            ignorable: "Yes";
        },
    },
    #[cfg(feature = "git")]
    Requirement {
        name: "git-checkout",
        place: Place::Directories(GIT_CORE),
        need: Need::Obsolete,
        unless: 0,
        only: 0,
        kernel: Kernel::Any,
        texts: texts! {
            lost: "nothing";
            package: "git";
            feature: "git";
            needed_by: "nothing: git has it built in";
            error: "";
            ignorable: "Yes";
        },
    },
    #[cfg(feature = "git")]
    Requirement {
        name: "ssh",
        place: Place::Path,
        need: Need::Optional,
        unless: 0,
        only: 0,
        kernel: Kernel::Any,
        texts: texts! {
            lost: "docker build of a git URL over ssh fails";
            package: "openssh-client";
            feature: "git";
            needed_by: "git, for URLs of ssh";
            error: "cannot run ssh: No such file or directory";
            ignorable: "Yes, do not build from git URLs over ssh";
        },
    },
    Requirement {
        name: "apparmor_parser",
        place: Place::Directories("/sbin"),
        need: Need::Optional,
        unless: 0,
        only: 0,
        kernel: Kernel::AppArmor,
        texts: texts! {
            lost: "containers run without an AppArmor profile, which nothing else reports";
            package: "apparmor";
            feature: "";
            needed_by: "dockerd, to load its profile docker-default";
            error: "";
            ignorable: "Yes, if the kernel has no AppArmor; else containers are less confined";
        },
    },
];
