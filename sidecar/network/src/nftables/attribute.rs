//! Netlink attributes: length, type and payload, padded to four bytes (Linux, `include/uapi/linux/netlink.h`).

const NESTED: u16 = 0x8000;
const TYPE: u16 = 0x3fff;
const HEADER: usize = 4;

/// A list of attributes that is being written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes(Vec<u8>);

impl Attributes {
    /// An empty list.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes as they are. Longer ones than 65531 bytes do not fit, and are cut; no caller has such.
    #[must_use]
    pub fn bytes(mut self, kind: u16, payload: &[u8]) -> Self {
        let length = u16::try_from(payload.len() + HEADER).unwrap_or(u16::MAX);
        self.0.extend(length.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(&payload[..usize::from(length) - HEADER]);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    /// Adds a number in network order, as netfilter wants it.
    #[must_use]
    pub fn number(self, kind: u16, number: u32) -> Self {
        self.bytes(kind, &number.to_be_bytes())
    }

    /// Adds text, with the zero at its end.
    #[must_use]
    pub fn text(self, kind: u16, text: &str) -> Self {
        self.bytes(kind, &[text.as_bytes(), b"\0"].concat())
    }

    /// Adds a list within.
    #[must_use]
    pub fn nested(self, kind: u16, within: &Self) -> Self {
        self.bytes(kind | NESTED, &within.0)
    }

    /// What was written.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The types and payloads of a list that the kernel wrote; ends early where it is cut off.
pub fn read(mut list: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let [first, second, third, fourth, ..] = *list else { return None };
        let length = usize::from(u16::from_ne_bytes([first, second]));
        let payload = list.get(HEADER..length)?;
        list = list.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((u16::from_ne_bytes([third, fourth]) & TYPE, payload))
    })
}

/// The payload of the first attribute of a type.
#[must_use]
pub fn find(list: &[u8], kind: u16) -> Option<&[u8]> {
    read(list).find(|(found, _)| *found == kind).map(|(_, payload)| payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_are_padded_and_lengths_are_not() {
        let made = Attributes::new().text(1, "abcd").nested(2, &Attributes::new().number(3, 1));
        let expected = b"\x09\0\x01\0abcd\0\0\0\0\x0c\0\x02\x80\x08\0\x03\0\0\0\0\x01";
        assert_eq!(made.as_bytes(), expected);
    }

    #[test]
    fn what_was_written_is_read() {
        let made = Attributes::new().bytes(7, b"x").nested(8, &Attributes::new().number(1, 5));
        let found: Vec<_> = read(made.as_bytes()).collect();
        assert_eq!(found[0], (7, &b"x"[..]));
        assert_eq!(find(found[1].1, 1), Some(&[0, 0, 0, 5][..]));
        assert_eq!(find(made.as_bytes(), 9), None);
    }

    #[test]
    fn a_list_that_is_cut_off_or_lies_about_a_length_ends() {
        assert_eq!(read(b"\x09\0\x01\0ab").count(), 0);
        assert_eq!(read(b"\0\0\x01\0abcd").count(), 0);
        assert_eq!(read(b"\x05\0\x01\0a").count(), 1);
    }
}
