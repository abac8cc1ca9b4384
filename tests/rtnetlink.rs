//! rtnetlink(7), to set up interfaces before a program starts.

use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

/// Every kernel for Docker can make these Ethernet interfaces (rtnetlink(7)): a bridge without ports, or a veth.
pub(crate) fn add_interface(name: &str, kind: &str) {
    const NEW_LINK: u16 = 16;
    const IFLA_IFNAME: u16 = 3;
    const IFLA_LINKINFO: u16 = 18;
    const IFLA_INFO_KIND: u16 = 1;
    let name = attribute(IFLA_IFNAME, &[name.as_bytes(), b"\0"].concat());
    let kind = attribute(
        IFLA_LINKINFO,
        &attribute(IFLA_INFO_KIND, &[kind.as_bytes(), b"\0"].concat()),
    );
    request(NEW_LINK, &[vec![0; 16], name, kind].concat());
}

pub(crate) fn set_hardware_address(interface: &str, address: [u8; 6]) {
    const NEW_LINK: u16 = 16;
    const IFLA_ADDRESS: u16 = 1;
    let index = nix::net::if_::if_nametoindex(interface).unwrap();
    let header = [&[0; 4][..], &index.to_ne_bytes(), &[0; 8]].concat();
    let attribute = attribute(IFLA_ADDRESS, &address);
    request(NEW_LINK, &[header, attribute].concat());
}

/// An address of 24 bits for the network.
pub(crate) fn add_address(interface: &str, address: [u8; 4]) {
    const NEW_ADDRESS: u16 = 20;
    const IFA_LOCAL: u16 = 2;
    const INET: u8 = 2;
    let index = nix::net::if_::if_nametoindex(interface).unwrap();
    let header = [&[INET, 24, 0, 0][..], &index.to_ne_bytes()].concat();
    request(
        NEW_ADDRESS,
        &[header, attribute(IFA_LOCAL, &address)].concat(),
    );
}

pub(crate) fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).unwrap();
    let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

pub(crate) fn request(kind: u16, body: &[u8]) {
    const REQUEST_CREATE_ACK: u16 = 0x1 | 0x400 | 0x4;
    let length = u32::try_from(16 + body.len()).unwrap().to_ne_bytes();
    let header = [
        &length[..],
        &kind.to_ne_bytes(),
        &REQUEST_CREATE_ACK.to_ne_bytes(),
        &[0; 8],
    ];
    let socket = socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        None,
    )
    .unwrap();
    let mut answer = [0; 1024];
    rustix::io::write(&socket, &[&header.concat(), body].concat()).unwrap();
    rustix::io::read(&socket, &mut answer).unwrap();
    assert_eq!(answer[16..20], [0; 4], "rtnetlink answers with an error");
}
