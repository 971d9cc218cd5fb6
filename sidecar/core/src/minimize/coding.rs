//! Content codings (RFC 9110, section 8.4.1): what is compressed is read as what it is, and leaves uncompressed.

use std::io::Write;

use flate2::write::{GzDecoder, ZlibDecoder};

use crate::Refusal;

/// Bytes that are decoded at once: deflate makes at most 1032 bytes of one (zlib's technical details), so that this
/// bounds what a body can cost before its limit is looked at.
const PIECE: usize = 1024;

/// Decodes one body.
#[derive(Debug)]
pub enum Coding {
    /// The body is as it is.
    Identity,
    Gzip(GzDecoder<Vec<u8>>),
    /// The zlib format, as the header means by this name.
    Deflate(ZlibDecoder<Vec<u8>>),
}

impl Coding {
    /// The coding that a `content-encoding` names. Fails for several and for unknown ones.
    pub fn new(content_encoding: Option<&[u8]>) -> Result<Self, Refusal> {
        let name = content_encoding.unwrap_or_default().trim_ascii().to_ascii_lowercase();
        match name.as_slice() {
            b"" | b"identity" => Ok(Self::Identity),
            b"gzip" | b"x-gzip" => Ok(Self::Gzip(GzDecoder::new(Vec::new()))),
            b"deflate" => Ok(Self::Deflate(ZlibDecoder::new(Vec::new()))),
            _ => Err(Refusal::ContentEncoding),
        }
    }

    /// Hands what a chunk decodes to on, piece by piece.
    pub fn feed(&mut self, chunk: &[u8], mut to: impl FnMut(&[u8]) -> Result<(), Refusal>) -> Result<(), Refusal> {
        for piece in chunk.chunks(PIECE) {
            let decoded = match self {
                Self::Identity => return to(chunk),
                Self::Gzip(decoder) => written(decoder, piece, GzDecoder::get_mut)?,
                Self::Deflate(decoder) => written(decoder, piece, ZlibDecoder::get_mut)?,
            };
            to(&decoded)?;
        }
        Ok(())
    }

    /// Ends the body. Fails where it was cut off.
    pub fn finish(&mut self, mut to: impl FnMut(&[u8]) -> Result<(), Refusal>) -> Result<(), Refusal> {
        let rest = match self {
            Self::Identity => return Ok(()),
            Self::Gzip(decoder) => {
                decoder.try_finish().map_err(|_| Refusal::ContentEncoding)?;
                std::mem::take(decoder.get_mut())
            }
            Self::Deflate(decoder) => {
                decoder.try_finish().map_err(|_| Refusal::ContentEncoding)?;
                std::mem::take(decoder.get_mut())
            }
        };
        to(&rest)
    }
}

fn written<D: Write>(decoder: &mut D, piece: &[u8], out: impl Fn(&mut D) -> &mut Vec<u8>) -> Result<Vec<u8>, Refusal> {
    // A decoder that has met the end takes nothing more in: what follows is not what it is said to be.
    decoder.write_all(piece).map_err(|_| Refusal::ContentEncoding)?;
    Ok(std::mem::take(out(decoder)))
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn decoded(coding: &str, body: &[u8], chunk: usize) -> Result<Vec<u8>, Refusal> {
        let mut coding = Coding::new(Some(coding.as_bytes()))?;
        let mut found = Vec::new();
        let mut collect = |bytes: &[u8]| {
            found.extend_from_slice(bytes);
            Ok(())
        };
        for piece in body.chunks(chunk) {
            coding.feed(piece, &mut collect)?;
        }
        coding.finish(&mut collect)?;
        Ok(found)
    }

    #[test]
    fn a_body_is_what_it_decodes_to_however_it_is_cut() {
        let text = b"{\"a\": 1, \"b\": 2}".repeat(500);
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(&text).unwrap();
        let zlib = zlib.finish().unwrap();
        for chunk in [1, 7, 4096] {
            assert_eq!(decoded("gzip", &gzip(&text), chunk).as_deref(), Ok(&text[..]));
            assert_eq!(decoded("Deflate", &zlib, chunk).as_deref(), Ok(&text[..]));
            assert_eq!(decoded(" identity", &text, chunk).as_deref(), Ok(&text[..]));
        }
    }

    #[test]
    fn what_is_cut_off_goes_on_or_is_something_else_is_refused() {
        let body = gzip(b"{\"a\": 1}");
        assert_eq!(decoded("gzip", &body[..body.len() - 1], 64), Err(Refusal::ContentEncoding));
        assert_eq!(decoded("gzip", &[&body[..], b"{}"].concat(), 64), Err(Refusal::ContentEncoding));
        assert_eq!(decoded("gzip", &[body.clone(), gzip(b"{\"b\": 2}")].concat(), 64), Err(Refusal::ContentEncoding));
        assert_eq!(decoded("gzip", b"{\"a\": 1}", 64), Err(Refusal::ContentEncoding));
        for unknown in ["br", "zstd", "gzip, gzip", "compress", "gzip;q=1"] {
            assert!(Coding::new(Some(unknown.as_bytes())).is_err(), "{unknown}");
        }
    }

    #[test]
    fn a_bomb_is_handed_on_in_pieces() {
        let body = gzip(&vec![b' '; 50_000_000]);
        let mut coding = Coding::new(Some(b"gzip")).unwrap();
        let mut left = 1_usize << 20;
        let fed = coding.feed(&body, |bytes| {
            assert!(bytes.len() <= PIECE * 1032 + PIECE);
            left = left.checked_sub(bytes.len()).ok_or(Refusal::BodySize)?;
            Ok(())
        });
        assert_eq!(fed, Err(Refusal::BodySize));
    }
}
