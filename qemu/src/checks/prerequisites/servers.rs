//! The servers that the engine in the guest fetches from: a registry with TLS, git over its own protocol and over ssh. Each guest
//! gets new keys, certificates and repositories.

use std::{fs, process::Command};

use anyhow::Result;

use super::guest::Guest;
use crate::{host::tools, image::Change};

/// The pushed image in the registry, by the guest's address on the user network. (dockerd trusts a registry on 127.0.0.1
/// without a certificate.)
pub(super) const PUSHED: &str = "10.0.2.15:5000/pushed";
/// Repositories: a plain one, and one with a submodule.
pub(super) const PLAIN: &str = "git://10.0.2.15/plain#main";
pub(super) const WITH_SUBMODULE: &str = "git://10.0.2.15/outer#main";
pub(super) const OVER_SSH: &str = "git@10.0.2.15:/srv/git/plain#main";

/// What the guest's image needs beside all groups.
pub(crate) const PACKAGED: &[Change] = &[
    Change::Packaged("usr/bin/docker-registry"),
    Change::Packaged("usr/sbin/dropbear"),
    Change::Packaged("usr/bin/ssh-keygen"),
    Change::Packaged("usr/lib/git-core/git-daemon"),
    Change::Link("usr/bin/git-upload-pack", "git"),
    Change::File(
        "usr/share/registry.yml",
        0o644,
        "version: 0.1\n\
         storage: {filesystem: {rootdirectory: /srv/registry}}\n\
         http: {addr: 10.0.2.15:5000, tls: {certificate: /srv/certificate.pem, key: /srv/key.pem}}\n",
    ),
];

/// A repository is a folder with one commit; `outer` has `inner` as a submodule, beside it on the same server.
const REPOSITORIES: &str = r#"set -e
export HOME=/root
git config --global user.name test
git config --global user.email test@test
mkdir -p /srv/git && cd /srv/git
for name in plain inner outer; do
    git init -q -b main $name
    echo $name > $name/file
done
printf 'FROM scratch\nCOPY file /\n' > plain/Dockerfile
printf 'FROM scratch\nCOPY inner/file /\n' > outer/Dockerfile
printf '[submodule "inner"]\n\tpath = inner\n\turl = ../inner\n' > outer/.gitmodules
for name in plain inner; do git -C $name add . && git -C $name commit -q -m test; done
git -C outer update-index --add --cacheinfo 160000,$(git -C inner rev-parse HEAD),inner
git -C outer add Dockerfile .gitmodules && git -C outer commit -q -m test
"#;

/// The engine's git runs as root; the server accepts root's key for the user git.
const KEYS: &str = r"
echo 'git:x:0:0::/root:/bin/sh' >> /etc/passwd
mkdir -p /etc/dropbear && cd /root/.ssh
ssh-keygen -q -t ed25519 -N '' -f id_ed25519
cp id_ed25519.pub authorized_keys
chmod 600 authorized_keys
echo 'StrictHostKeyChecking accept-new' > config
";

const SERVERS: &str = r"
exec < /dev/null > /srv/servers.log 2>&1
docker-registry serve /usr/share/registry.yml &
git daemon --detach --reuseaddr --export-all --base-path=/srv/git
dropbear -R -s -p 22
";

/// An authority's certificate, and a certificate that it signed for the guest's address. openssl makes them on this machine.
const CERTIFICATES: &str = "set -e
new='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
openssl req -x509 $new -subj '/CN=an authority made for a test' -keyout authority-key.pem -out authority.pem
openssl req $new -subj /CN=registry -keyout key.pem -out request.pem
echo subjectAltName=IP:10.0.2.15 > extensions
openssl x509 -req -in request.pem -extfile extensions -CA authority.pem -CAkey authority-key.pem -CAcreateserial -out certificate.pem
";

/// Prepares and starts them with one script.
pub(super) fn start(guest: &Guest) -> Result<()> {
    let [authority, certificate, key] = certificates()?;
    // Adds one certificate to those of the image.
    let certificates = format!(
        "echo '{certificate}' > /srv/certificate.pem; echo '{key}' > /srv/key.pem\n\
         echo '{authority}' >> /etc/ssl/certs/ca-certificates.crt\n"
    );
    guest
        .run(&[REPOSITORIES, KEYS, &certificates, SERVERS].concat())
        .map(drop)
}

/// The authority's certificate; the certificate that it signed, and the key of the latter.
fn certificates() -> Result<[String; 3]> {
    let folder = tempfile::tempdir()?;
    tools::output(
        Command::new("sh")
            .args(["-c", CERTIFICATES])
            .current_dir(&folder),
    )?;
    let read = |name| fs::read_to_string(folder.path().join(name));
    Ok([
        read("authority.pem")?,
        read("certificate.pem")?,
        read("key.pem")?,
    ])
}
