//! Proof, by a process without any right, that this pod's traffic meets the rules.
//!
//! The rules are put all at once or not at all, so what can be seen of them stands for the rest.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use crate::settings::Settings;

/// Addresses that nobody has (RFC 5737, RFC 3849), and where a connection to them is to end.
const FAMILIES: [(IpAddr, IpAddr); 2] = [
    (IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), IpAddr::V4(Ipv4Addr::LOCALHOST)),
    (IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)), IpAddr::V6(Ipv6Addr::LOCALHOST)),
];
const DISCARD: u16 = 9;
const PATIENCE: Duration = Duration::from_secs(3);
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

/// Finds out whether the rules are there.
///
/// # Errors
/// A sentence that tells what is missing, or why that cannot be found out.
pub fn check(settings: &Settings) -> Result<(), String> {
    if rustix::process::geteuid().as_raw() == settings.sidecar_user {
        return Err(format!(
            "run as another user than {}: the sidecar's own connections are not captured",
            settings.sidecar_user
        ));
    }
    let mut captured = 0;
    for (nowhere, loopback) in FAMILIES {
        let target = SocketAddr::new(nowhere, DISCARD);
        // A socket for datagrams sends nothing when it is connected: it tells whether there is a way out at all.
        if UdpSocket::bind(SocketAddr::new(any(nowhere), 0)).and_then(|socket| socket.connect(target)).is_ok() {
            is_captured(target, SocketAddr::new(loopback, settings.outbound_port))?;
            captured += 1;
        }
    }
    if captured == 0 {
        return Err("this pod has no route to anywhere, so nothing can be said of its rules".to_owned());
    }
    is_guarded(settings.health_port)
}

fn any(like: IpAddr) -> IpAddr {
    if like.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() }
}

fn is_captured(target: SocketAddr, sidecar: SocketAddr) -> Result<(), String> {
    let taken = |error: io::Error| format!("{sidecar} cannot be listened at to see where connections end: {error}");
    let listener = TcpListener::bind(sidecar).map_err(taken)?;
    listener.set_nonblocking(true).map_err(taken)?;
    let missing = |what: String| {
        format!(
            "outbound connections of this pod are not sent to its sidecar: one to {target} {what}. Is the DaemonSet \
             lawflow-network ready on this node, and was it when the pod was made?"
        )
    };
    let stream =
        TcpStream::connect_timeout(&target, PATIENCE).map_err(|error| missing(format!("ended with: {error}")))?;
    let own = stream.local_addr().map_err(|error| missing(format!("broke: {error}")))?;
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        match listener.accept() {
            Ok((_, peer)) if peer == own => return Ok(()),
            Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(taken(error)),
            _ => std::thread::sleep(BETWEEN_LOOKS),
        }
    }
    Err(missing("was answered by somebody else".to_owned()))
}

/// The first rule of the guard refuses a datagram that would arrive without it.
fn is_guarded(port: u16) -> Result<(), String> {
    let unknown =
        |error: io::Error| format!("UDP port {port} on loopback cannot be used to look for the guard: {error}");
    let receiver = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).map_err(unknown)?;
    let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map_err(unknown)?;
    sender.connect((Ipv4Addr::LOCALHOST, port)).map_err(unknown)?;
    for socket in [&receiver, &sender] {
        socket.set_nonblocking(true).map_err(unknown)?;
    }
    sender.send(b"?").map_err(unknown)?;
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if receiver.recv(&mut [0]).is_ok() {
            return Err(
                "inbound connections of this pod are not guarded: its network has other rules than it needs".to_owned()
            );
        }
        if sender.recv(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused) {
            return Ok(());
        }
        std::thread::sleep(BETWEEN_LOOKS);
    }
    Err(format!("a datagram to port {port} on loopback was neither refused nor received"))
}
