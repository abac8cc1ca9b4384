//! Networks: the default bridge, a published port, a user-defined network.

use std::{
    collections::HashMap,
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use bollard::models::{ContainerCreateBody, HostConfig, PortBinding};

use super::place::{ANSWERS_WITHIN, PUBLISHED, Place, until, with};

/// Serves one page.
pub(in crate::checks) const SERVE: &str =
    "mkdir /www && echo served > /www/index.html && exec httpd -f -p 80 -h /www";

pub(super) fn bridge_address(place: &Place) -> Result<()> {
    // The bridge answers, so the link to it is up.
    let output = place.engine.run(&[
        "sh",
        "-c",
        "ip -4 addr show eth0 && ping -c 1 -W 10 172.17.0.1",
    ])?;
    let address = output
        .split_whitespace()
        .skip_while(|word| *word != "inet")
        .nth(1);
    let address =
        address.with_context(|| format!("eth0 in the container has no address: {output}"))?;
    ensure!(
        address.starts_with("172.17."),
        "{address} is not of the default bridge"
    );
    Ok(())
}

pub(in crate::checks) fn published_port(place: &Place) -> Result<()> {
    let body = publishing(80, None, PUBLISHED, HostConfig::default());
    let container = place.engine.start(None, &["sh", "-c", SERVE], body)?;
    let page = fetch(place.published);
    place.engine.remove(&container)?;
    let page = page?;
    ensure!(
        page.contains("200 OK") && page.ends_with("served\n"),
        "the page is not the container's: {page}"
    );
    Ok(())
}

/// A container with one published port.
pub(in crate::checks) fn publishing(
    port: u16,
    address: Option<&str>,
    as_port: u16,
    host: HostConfig,
) -> ContainerCreateBody {
    let port = format!("{port}/tcp");
    let binding = PortBinding {
        host_ip: address.map(str::to_owned),
        host_port: Some(as_port.to_string()),
    };
    let host = HostConfig {
        port_bindings: Some(HashMap::from([(port.clone(), Some(vec![binding]))])),
        ..host
    };
    ContainerCreateBody {
        exposed_ports: Some(vec![port]),
        ..with(host)
    }
}

/// A static busybox looks names up with its C library; its wget crashes there, nc and ping do not.
const ASK: &str = "for n in 1 2 3 4 5 6 7 8 9 10; do
    page=$(printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 5 $SERVER 80) && echo \"$page\" && exit 0; sleep 1; done; exit 9";

pub(super) fn user_network(place: &Place) -> Result<()> {
    place.engine.create_network("own", None)?;
    let ask = format!("ping -c 1 -W 10 web && SERVER=web; {ASK}");
    served(place, "own", |_| Ok(ask))
}

/// A network with IPv6: one container reaches another by its IPv6 address.
pub(super) fn ipv6_network(place: &Place) -> Result<()> {
    const SUBNET: &str = "fd00:d0c:6::/64";
    place.engine.create_network("six", Some(SUBNET))?;
    served(place, "six", |server| {
        let address = place.engine.ipv6_address(server, "six")?;
        ensure!(
            address.starts_with("fd00:d0c:6:"),
            "{address} is not of {SUBNET}"
        );
        Ok(format!(
            "ping -6 -c 1 -W 10 {address} && SERVER={address}; {ASK}"
        ))
    })
}

/// One container on the network serves a page, and another one fetches it with the command of `ask`.
fn served(place: &Place, network: &str, ask: impl FnOnce(&str) -> Result<String>) -> Result<()> {
    let on = || {
        with(HostConfig {
            network_mode: Some(network.into()),
            ..HostConfig::default()
        })
    };
    let server = place
        .engine
        .start(Some("web"), &["sh", "-c", SERVE], on())?;
    let ran = ask(&server).and_then(|ask| place.engine.run_with(&["sh", "-c", &ask], on()));
    place.engine.remove(&server)?;
    let ran = ran?;
    ensure!(
        ran.status == 0 && ran.output.contains("served"),
        "status {}: {}",
        ran.status,
        ran.output
    );
    Ok(())
}

/// Fetches a page by HTTP/1.0, from the host.
pub(super) fn fetch(port: u16) -> Result<String> {
    let attempt = || {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
        let mut page = String::new();
        stream.read_to_string(&mut page)?;
        ensure!(
            !page.is_empty(),
            "the server closed the connection without an answer"
        );
        Ok(page)
    };
    until(ANSWERS_WITHIN, "the published port", attempt)
}
