//! The servers that the engine in the guest fetches from: a registry with TLS, git over its own protocol and over ssh. Each guest
//! gets new keys, certificates and repositories.

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

use super::guest::Guest;
use crate::image::Change;

/// The guest's address on the user network. (dockerd trusts a registry on 127.0.0.1 without a certificate.)
const ADDRESS: &str = "10.0.2.15";
/// The pushed image in the registry.
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

/// Prepares and starts them with one script.
pub(super) fn start(guest: &Guest) -> Result<()> {
    let (authority, certificate, key) = certificates()?;
    // Adds one certificate to those of the image.
    let certificates = format!(
        "echo '{certificate}' > /srv/certificate.pem; echo '{key}' > /srv/key.pem\n\
         echo '{authority}' >> /etc/ssl/certs/ca-certificates.crt\n"
    );
    guest
        .run(&[REPOSITORIES, KEYS, &certificates, SERVERS].concat())
        .map(drop)
}

/// An authority's certificate; a certificate that it signed for the guest's address; the key of the latter.
fn certificates() -> Result<(String, String, String)> {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    authority
        .distinguished_name
        .push(DnType::CommonName, "an authority made for a test");
    let authority_key = KeyPair::generate()?;
    let authority_certificate = authority.self_signed(&authority_key)?;
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new([ADDRESS.to_owned()])?
        .signed_by(&key, &Issuer::new(authority, authority_key))?;
    Ok((
        authority_certificate.pem(),
        certificate.pem(),
        key.serialize_pem(),
    ))
}
