//! The wire format: fields as tags and values, read as they stand.

use crate::Refusal;

/// How long a value is, the lower three bits of its tag. Groups are history and have none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireType {
    Varint,
    Fixed64,
    /// A length, and as many bytes.
    Bytes,
    Fixed32,
}

/// A field as it stands in a message.
#[derive(Clone, Copy, Debug)]
pub struct WireField<'b> {
    pub number: u32,
    pub wire_type: WireType,
    pub tag: &'b [u8],
    /// The value, without its length.
    pub value: &'b [u8],
    /// Tag, length and value.
    pub whole: &'b [u8],
}

/// The fields of a message, one after the other, up to the first refusal.
#[derive(Debug)]
pub struct WireFields<'b> {
    rest: &'b [u8],
}

/// Bytes that a varint has at most: ten times seven bits hold 64.
const VARINT_BYTES: usize = 10;
/// Bytes that a tag has at most: parsers differ in what they make of longer ones.
const TAG_BYTES: usize = 5;
const LARGEST_NUMBER: u64 = (1 << 29) - 1;

impl<'b> WireFields<'b> {
    pub fn of(message: &'b [u8]) -> Self {
        Self { rest: message }
    }

    fn field(&self) -> Result<WireField<'b>, Refusal> {
        let bytes = self.rest;
        let (tag, tag_length) = varint(bytes)?;
        let number = tag >> 3;
        if tag_length > TAG_BYTES || number == 0 || number > LARGEST_NUMBER {
            return Err(Refusal::Syntax);
        }
        let after = &bytes[tag_length..];
        let (wire_type, start, length) = match tag & 7 {
            0 => (WireType::Varint, 0, varint(after)?.1),
            1 => (WireType::Fixed64, 0, 8),
            2 => {
                let (length, start) = varint(after)?;
                (WireType::Bytes, start, usize::try_from(length).map_err(|_| Refusal::Truncated)?)
            }
            5 => (WireType::Fixed32, 0, 4),
            _ => return Err(Refusal::Syntax),
        };
        let value = after[start..].get(..length).ok_or(Refusal::Truncated)?;
        Ok(WireField {
            number: u32::try_from(number).map_err(|_| Refusal::Syntax)?,
            wire_type,
            tag: &bytes[..tag_length],
            value,
            whole: &bytes[..tag_length + start + length],
        })
    }
}

impl<'b> Iterator for WireFields<'b> {
    type Item = Result<WireField<'b>, Refusal>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let found = self.field();
        self.rest = found.map_or(&[], |field| &self.rest[field.whole.len()..]);
        Some(found)
    }
}

/// The number at the beginning of `bytes`, and how many of them it takes.
pub fn varint(bytes: &[u8]) -> Result<(u64, usize), Refusal> {
    let mut found = 0;
    for (place, &byte) in bytes.iter().take(VARINT_BYTES).enumerate() {
        // The tenth byte has room for the last of 64 bits alone.
        if place == VARINT_BYTES - 1 && byte > 1 {
            return Err(Refusal::Syntax);
        }
        found |= u64::from(byte & 0x7f) << (7 * place);
        if byte < 0x80 {
            return Ok((found, place + 1));
        }
    }
    Err(Refusal::Truncated)
}

/// Appends a number in its shortest form.
pub fn write_varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

/// Whether `bytes` are values of a packed field, one after the other.
pub fn check_packed(wire_type: WireType, mut bytes: &[u8]) -> Result<(), Refusal> {
    let size = match wire_type {
        WireType::Fixed64 => 8,
        WireType::Fixed32 => 4,
        WireType::Bytes => return Err(Refusal::Syntax),
        WireType::Varint => {
            while !bytes.is_empty() {
                bytes = &bytes[varint(bytes)?.1..];
            }
            return Ok(());
        }
    };
    if bytes.len().is_multiple_of(size) { Ok(()) } else { Err(Refusal::Truncated) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(message: &[u8]) -> Result<Vec<u32>, Refusal> {
        WireFields::of(message).map(|field| field.map(|field| field.number)).collect()
    }

    #[test]
    fn fields_are_told_by_tag_and_length() {
        let message = b"\x08\x96\x01\x12\x02hi\x1d\x01\x02\x03\x04\x21\x01\x02\x03\x04\x05\x06\x07\x08";
        assert_eq!(numbers(message), Ok(vec![1, 2, 3, 4]));
        let values: Vec<_> = WireFields::of(message).map(|field| field.unwrap().value.len()).collect();
        assert_eq!(values, [2, 2, 4, 8]);
    }

    #[test]
    fn a_message_that_ends_in_a_field_is_truncated() {
        for message in [&b"\x08"[..], b"\x08\x80", b"\x80", b"\x12\x02h", b"\x12", b"\x1d\x01\x02\x03", b"\x21\x01"] {
            assert_eq!(numbers(message), Err(Refusal::Truncated), "{message:?}");
        }
        assert_eq!(numbers(b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), Err(Refusal::Truncated));
    }

    #[test]
    fn groups_and_unknown_wire_types_are_refused() {
        for wire_type in [3, 4, 6, 7] {
            assert_eq!(numbers(&[8 | wire_type, 0]), Err(Refusal::Syntax), "{wire_type}");
        }
    }

    #[test]
    fn numbers_end_at_29_bits_and_begin_at_one() {
        assert_eq!(numbers(b"\x00\x01"), Err(Refusal::Syntax));
        assert_eq!(numbers(b"\xf8\xff\xff\xff\x0f\x01"), Ok(vec![(1 << 29) - 1]));
        assert_eq!(numbers(b"\x80\x80\x80\x80\x10\x01"), Err(Refusal::Syntax));
        assert_eq!(numbers(b"\x88\x80\x80\x80\x80\x00\x01"), Err(Refusal::Syntax));
    }

    #[test]
    fn varints_hold_64_bits() {
        let largest = b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
        assert_eq!(varint(largest), Ok((u64::MAX, 10)));
        assert_eq!(varint(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), Err(Refusal::Syntax));
        assert_eq!(varint(b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00"), Err(Refusal::Syntax));
        for number in [0, 1, 127, 128, 300, u64::MAX] {
            let mut written = Vec::new();
            write_varint(number, &mut written);
            assert_eq!(varint(&written), Ok((number, written.len())));
        }
    }

    #[test]
    fn packed_values_are_whole() {
        assert_eq!(check_packed(WireType::Varint, b"\x01\x96\x01"), Ok(()));
        assert_eq!(check_packed(WireType::Varint, b"\x01\x96"), Err(Refusal::Truncated));
        assert_eq!(check_packed(WireType::Fixed32, &[0; 8]), Ok(()));
        assert_eq!(check_packed(WireType::Fixed64, &[0; 12]), Err(Refusal::Truncated));
        assert_eq!(check_packed(WireType::Bytes, b""), Err(Refusal::Syntax));
    }
}
