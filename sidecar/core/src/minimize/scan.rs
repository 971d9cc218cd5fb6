//! How far plain bytes go: sixteen at a time where the processor has vectors, else eight, in safe code.
//!
//! Inside a string three kinds of byte matter: the quote, the backslash, and control characters. For a word `w` of
//! eight bytes, `(w ^ (LOW * b)) - LOW & !(..) & HIGH` has the high bit of the first byte that equals `b` (and maybe of
//! some after it, which do not matter, because the first is what is asked for); `w - LOW * 0x20 & !w & HIGH` that of the
//! first byte below 0x20. See Hacker's Delight, section 6-1.

use wide::u8x16;

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// How many bytes at the start of `bytes` are plain text of a string: no quote, no backslash, no control character.
#[inline]
pub fn plain_text(bytes: &[u8]) -> usize {
    let (blocks, rest) = bytes.as_chunks::<BLOCK>();
    for (number, block) in blocks.iter().enumerate() {
        let special = special_in(block);
        if special < BLOCK {
            return number * BLOCK + special;
        }
    }
    blocks.len() * BLOCK + plain_end(rest)
}

/// The same for the last bytes of a chunk, which fill no block.
#[cold]
#[inline(never)]
fn plain_end(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let special = special_bytes(u64::from_le_bytes(*word));
        if special != 0 {
            return number * 8 + (special.trailing_zeros() / 8) as usize;
        }
    }
    words.len() * 8 + rest.iter().position(|&byte| byte == b'"' || byte == b'\\' || byte < 0x20).unwrap_or(rest.len())
}

const BLOCK: usize = 16;

/// Where in a block the first special byte stands; its length where there is none.
#[inline]
fn special_in(block: &[u8; BLOCK]) -> usize {
    let bytes = u8x16::new(*block);
    let control = bytes.min(u8x16::splat(0x1f)).simd_eq(bytes);
    let special = control | bytes.simd_eq(u8x16::splat(b'"')) | bytes.simd_eq(u8x16::splat(b'\\'));
    (special.to_bitmask() | 1 << BLOCK).trailing_zeros() as usize
}

#[inline]
fn special_bytes(word: u64) -> u64 {
    let equals = |byte: u8| {
        let difference = word ^ (LOW * u64::from(byte));
        difference.wrapping_sub(LOW) & !difference
    };
    let control = word.wrapping_sub(LOW * 0x20) & !word;
    (equals(b'"') | equals(b'\\') | control) & HIGH
}

/// How many bytes at the start of `bytes` are white space of JSON.
#[inline]
pub fn white_space(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| !matches!(byte, b' ' | b'\n' | b'\r' | b'\t')).unwrap_or(bytes.len())
}

/// How many bytes at the start of `bytes` are decimal digits.
#[inline]
pub fn digits(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(bytes.len())
}

/// What a hexadecimal digit stands for.
#[inline]
pub fn hexadecimal(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_special_byte_ends_plain_text_wherever_it_stands() {
        for length in 0..40 {
            for special in [b'"', b'\\', 0, 0x1f] {
                for plain in [b'a', b' ', 0x7f, 0x80, 0xff, b'!', b'#', b'[', b']'] {
                    let mut bytes = vec![plain; length];
                    assert_eq!(plain_text(&bytes), length);
                    for position in 0..length {
                        bytes[position] = special;
                        assert_eq!(plain_text(&bytes), position, "{special:#x} at {position} of {length}");
                        bytes[position] = plain;
                    }
                }
            }
        }
    }

    #[test]
    fn every_single_byte_is_judged_as_rfc_8259_says() {
        for byte in 0..=255_u8 {
            let plain = byte >= 0x20 && byte != b'"' && byte != b'\\';
            assert_eq!(plain_text(&[byte; 8]), if plain { 8 } else { 0 }, "{byte:#x}");
        }
    }
}
