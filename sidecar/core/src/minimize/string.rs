//! Strings of JSON: where one may go on, and what it stands for.

use super::scan::{hexadecimal, plain_text};
use crate::Refusal;

/// Where in a string: a character may be written as an escape of up to twelve bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escape {
    Text,
    Backslash,
    /// After `\u`: digits still to come, and their value so far; the first half where this is the second.
    Hex {
        left: u8,
        value: u16,
        high: Option<u16>,
    },
    /// The first half of a surrogate pair: a backslash must follow.
    High(u16),
    /// … and a `u`.
    HighBackslash(u16),
}

/// Reads on in a string from `at`. Returns where it stands in it, `None` after the closing quote, and the next place.
#[inline]
pub fn text(mut escape: Escape, chunk: &[u8], mut at: usize) -> Result<(Option<Escape>, usize), Refusal> {
    loop {
        if escape == Escape::Text {
            at += plain_text(&chunk[at..]);
            // Most escapes are these, whole in their chunk.
            if let Some(b"\\\"" | b"\\\\" | b"\\/" | b"\\n" | b"\\t" | b"\\r") = chunk.get(at..at + 2) {
                at += 2;
                continue;
            }
        }
        let Some(&byte) = chunk.get(at) else { return Ok((Some(escape), at)) };
        at += 1;
        escape = match (escape, byte) {
            (Escape::Text, b'"') => return Ok((None, at)),
            (Escape::Text, b'\\') => Escape::Backslash,
            (Escape::Backslash, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Escape::Text,
            (Escape::Backslash, b'u') => Escape::Hex { left: 4, value: 0, high: None },
            (Escape::Hex { left, value, high }, _) => {
                let Some(digit) = hexadecimal(byte) else { return Err(Refusal::Syntax) };
                let value = value << 4 | u16::from(digit);
                if left > 1 { Escape::Hex { left: left - 1, value, high } } else { character(value, high)? }
            }
            (Escape::High(high), b'\\') => Escape::HighBackslash(high),
            (Escape::HighBackslash(high), b'u') => Escape::Hex { left: 4, value: 0, high: Some(high) },
            (Escape::High(_) | Escape::HighBackslash(_), _) => return Err(Refusal::Encoding),
            _ => return Err(Refusal::Syntax),
        };
    }
}

/// Where a string ends, behind its closing quote, of which the inside begins at `at`; `None` where it does not end in the
/// chunk, is wrong, or holds an escape of more than two bytes.
#[inline]
pub fn whole(chunk: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += plain_text(chunk.get(at..)?);
        match chunk.get(at..at + 2)? {
            [b'"', _] => return Some(at + 1),
            [b'\\', b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't'] => at += 2,
            _ => return None,
        }
    }
}

/// What a unit of UTF-16 means after the one before it.
fn character(unit: u16, high: Option<u16>) -> Result<Escape, Refusal> {
    match (unit, high) {
        (0xd800..=0xdbff, None) => Ok(Escape::High(unit)),
        (0xdc00..=0xdfff, Some(_)) => Ok(Escape::Text),
        (0xdc00..=0xdfff, None) | (_, Some(_)) => Err(Refusal::Encoding),
        _ => Ok(Escape::Text),
    }
}

/// The characters that a valid string of JSON stands for.
pub fn unescaped(inside: &[u8]) -> Vec<u8> {
    let mut found = Vec::with_capacity(inside.len());
    let mut rest = inside;
    while let Some(start) = rest.iter().position(|&byte| byte == b'\\') {
        found.extend_from_slice(&rest[..start]);
        let byte = rest[start + 1];
        rest = &rest[start + 2..];
        match byte {
            b'b' => found.push(8),
            b'f' => found.push(12),
            b'n' => found.push(b'\n'),
            b'r' => found.push(b'\r'),
            b't' => found.push(b'\t'),
            b'u' => {
                let mut units = vec![unit(rest)];
                rest = &rest[4..];
                if (0xd800..0xdc00).contains(&units[0]) {
                    units.push(unit(&rest[2..]));
                    rest = &rest[6..];
                }
                let mut buffer = [0; 4];
                for character in char::decode_utf16(units).flatten() {
                    found.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
                }
            }
            other => found.push(other),
        }
    }
    found.extend_from_slice(rest);
    found
}

/// Appends a text as a string of JSON (RFC 8259, section 7): only what must be is written as an escape.
pub fn quoted(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    loop {
        let plain = plain_text(rest);
        out.extend_from_slice(&rest[..plain]);
        let Some(&byte) = rest.get(plain) else { break };
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            control => out.extend_from_slice(format!("\\u{control:04x}").as_bytes()),
        }
        rest = &rest[plain + 1..];
    }
    out.push(b'"');
}

fn unit(hex: &[u8]) -> u16 {
    hex[..4].iter().fold(0, |value, &byte| value << 4 | u16::from(hexadecimal(byte).unwrap_or(0)))
}
