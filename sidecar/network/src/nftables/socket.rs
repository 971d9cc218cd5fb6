//! A netlink socket: sends requests, and reads answers to the end.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recv, sendto, socket_with,
};

use super::message::Batch;

const HEADER: usize = 16;
const ERROR: u16 = 2; // NLMSG_ERROR
const DONE: u16 = 3; // NLMSG_DONE
const KERNEL: SocketAddrNetlink = SocketAddrNetlink::new(0, 0);
/// The kernel answers at once; a bound keeps a broken one from holding up a pod for ever.
const PATIENCE: Duration = Duration::from_secs(10);

/// A message that the kernel sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it is.
    pub kind: u16,
    /// Its content, without the header.
    pub payload: Vec<u8>,
}

/// A socket to one subsystem of the kernel, in the network namespace in which it was opened.
pub struct Netlink(OwnedFd);

impl Netlink {
    /// For nftables.
    ///
    /// # Errors
    /// Where the kernel has no netfilter.
    pub fn netfilter() -> io::Result<Self> {
        Self::open(netlink::NETFILTER)
    }

    /// For addresses.
    ///
    /// # Errors
    /// Where no socket can be had.
    pub fn route() -> io::Result<Self> {
        Self::open(None)
    }

    fn open(protocol: impl Into<Option<Protocol>>) -> io::Result<Self> {
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol.into())?;
        set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
        bind(&socket, &KERNEL)?;
        Ok(Self(socket))
    }

    /// Has the kernel carry out a batch.
    ///
    /// # Errors
    /// What the kernel refused it with; nothing of it was done then.
    pub fn carry_out(&self, batch: &Batch) -> io::Result<()> {
        self.send(&batch.bytes)?;
        let mut answers = 0;
        while answers < batch.answers {
            for message in self.receive()? {
                answers += u32::from(message.kind == ERROR);
                refusal(&message).map_or(Ok(()), Err)?;
            }
        }
        Ok(())
    }

    /// Asks for a list.
    ///
    /// # Errors
    /// What the kernel refused it with.
    pub fn list(&self, request: &[u8]) -> io::Result<Vec<Message>> {
        self.send(request)?;
        let mut found = Vec::new();
        loop {
            for message in self.receive()? {
                refusal(&message).map_or(Ok(()), Err)?;
                if matches!(message.kind, DONE | ERROR) {
                    return Ok(found);
                }
                found.push(message);
            }
        }
    }

    fn send(&self, bytes: &[u8]) -> io::Result<()> {
        let sent = sendto(&self.0, bytes, SendFlags::empty(), &KERNEL)?;
        if sent == bytes.len() { Ok(()) } else { Err(io::Error::other("the kernel took a part of the request alone")) }
    }

    fn receive(&self) -> io::Result<Vec<Message>> {
        let mut buffer = vec![0; 1 << 17];
        let (length, _) = recv(&self.0, buffer.as_mut_slice(), RecvFlags::empty())?;
        Ok(split(&buffer[..length]))
    }
}

/// A message with its header; the length is the header's business.
#[must_use]
pub fn message(kind: u16, flags: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEADER + payload.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::from(length.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// The messages in what was received at once; ends early where it is cut off.
fn split(mut bytes: &[u8]) -> Vec<Message> {
    let mut found = Vec::new();
    while let [a, b, c, d, e, f, ..] = *bytes {
        let Ok(length) = usize::try_from(u32::from_ne_bytes([a, b, c, d])) else { break };
        let Some(payload) = bytes.get(HEADER..length) else { break };
        found.push(Message { kind: u16::from_ne_bytes([e, f]), payload: payload.into() });
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    found
}

fn refusal(message: &Message) -> Option<io::Error> {
    let [a, b, c, d, ..] = *message.payload else { return None };
    let code = i32::from_ne_bytes([a, b, c, d]);
    (matches!(message.kind, ERROR | DONE) && code != 0).then(|| io::Error::from_raw_os_error(-code))
}

/// Asks for every address of this network namespace (`RTM_GETADDR`).
#[must_use]
pub fn list_addresses() -> Vec<u8> {
    const RTM_GETADDR: u16 = 22;
    const REQUEST_DUMP: u16 = 0x301;
    message(RTM_GETADDR, REQUEST_DUMP, 1, &[0; 8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_that_came_together_are_told_apart_and_a_cut_one_is_left() {
        let both = [message(7, 0, 1, b"abc"), message(ERROR, 0, 2, &(-17_i32).to_ne_bytes())].concat();
        let found = split(&both[..both.len()]);
        assert_eq!(found[0], Message { kind: 7, payload: b"abc".into() });
        assert_eq!(refusal(&found[1]).unwrap().kind(), io::ErrorKind::AlreadyExists);
        assert!(refusal(&found[0]).is_none());
        assert_eq!(split(&both[..both.len() - 1]).len(), 1);
    }
}
