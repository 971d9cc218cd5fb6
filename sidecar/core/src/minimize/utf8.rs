//! UTF-8 over chunks: a character may begin in one and end in the next.

use crate::Refusal;

/// The first bytes of a character whose rest has not come yet.
#[derive(Debug, Default)]
pub struct Utf8 {
    begun: [u8; 4],
    length: usize,
}

impl Utf8 {
    /// Takes in the next chunk. Fails with [`Refusal::Encoding`] where it cannot be UTF-8, whatever follows.
    pub fn feed(&mut self, mut chunk: &[u8]) -> Result<(), Refusal> {
        while self.length > 0 {
            let Some((&byte, rest)) = chunk.split_first() else { return Ok(()) };
            self.begun[self.length] = byte;
            self.length += 1;
            chunk = rest;
            match std::str::from_utf8(&self.begun[..self.length]) {
                Ok(_) => self.length = 0,
                Err(error) if error.error_len().is_some() => return Err(Refusal::Encoding),
                Err(_) => {}
            }
        }
        if let Err(error) = simdutf8::compat::from_utf8(chunk) {
            if error.error_len().is_some() {
                return Err(Refusal::Encoding);
            }
            // At most three bytes: a fourth would have completed the character or shown that there is none.
            let begun = &chunk[error.valid_up_to()..];
            self.begun[..begun.len()].copy_from_slice(begun);
            self.length = begun.len();
        }
        Ok(())
    }

    /// Whether no character is left half.
    pub fn is_complete(&self) -> bool {
        self.length == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_every_cut(bytes: &[u8]) -> Vec<bool> {
        (0..=bytes.len())
            .map(|cut| {
                let mut utf8 = Utf8::default();
                let fed = utf8.feed(&bytes[..cut]).and_then(|()| utf8.feed(&bytes[cut..]));
                fed.is_ok() && utf8.is_complete()
            })
            .collect()
    }

    #[test]
    fn characters_may_be_cut_anywhere() {
        assert!(at_every_cut("a§€😀z".as_bytes()).iter().all(|&good| good));
    }

    #[test]
    fn what_is_no_utf_8_stays_so_wherever_it_is_cut() {
        let surrogate = b"a\xed\xa0\x80";
        let overlong = b"\xc0\xafa";
        let beyond = b"\xf4\x90\x80\x80";
        let half = b"abc\xe2\x82";
        let alone = b"\x80";
        for bytes in [&surrogate[..], overlong, beyond, half, alone, b"\xff"] {
            assert!(at_every_cut(bytes).iter().all(|&good| !good), "{bytes:?}");
        }
    }
}
