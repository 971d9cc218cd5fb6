//! Bodies of any media type and coding, in any chunks: they are let through or refused alike however they are cut, no body
//! passes beyond its limit, and what leaves is bounded by what may come.

#![no_main]

#[allow(dead_code)] // the tests use more of it
#[path = "../../core/tests/protobuf/schema.rs"]
mod schema;

use std::io::Write;
use std::sync::{Arc, LazyLock};

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use lawflow_core::{Body, BodyHead, Key, Limits, MessageSelection, Protection, Refusal, Selection, Treatment};
use lawflow_fuzz::{Input, chunks, mask};
use libfuzzer_sys::fuzz_target;

const TYPES: &[&[u8]] = &[
    b"application/json",
    b"application/problem+json; charset=\"UTF-8\"",
    b"application/x-ndjson",
    b"application/x-www-form-urlencoded",
    b"application/protobuf",
    b"application/grpc",
    b"text/plain",
];
const CODINGS: &[&[u8]] = &[b"", b"gzip", b"deflate", b"identity", b"br"];
/// Bytes of a body that is held.
const MOST: usize = 160;
/// Bytes that may become of one: a character of a form three (`%2A`), an encrypted value of one byte about 150.
const GROWTH: usize = 160;

/// A message that bodies may be declared to be.
static MESSAGE: LazyLock<Arc<MessageSelection>> = LazyLock::new(|| {
    schema::selection([("/orderId", Treatment::PASS), ("/tags/*", mask()), ("/customer/**", Treatment::PASS)])
});

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let shape = input.byte();
    let message = (shape & 128 == 128).then(|| &*MESSAGE);
    let content_type = if shape & 1 == 1 { input.part() } else { *input.one_of(TYPES) };
    let content_encoding = if shape & 2 == 2 { input.part() } else { *input.one_of(CODINGS) };
    let (streams, is_encoded) = (shape & 4 == 4, shape & 8 == 8);
    let selection = selection(shape >> 4 & 3);
    let cuts = input.cuts();
    let plain = input.rest;
    let body = if is_encoded { encoded(content_encoding, plain) } else { plain.to_vec() };
    let head = BodyHead {
        content_type: Some(content_type).filter(|_| shape & 64 == 0),
        content_encoding: Some(content_encoding),
        subject: Some("jane"),
    };

    let filtered = |chunks: &[&[u8]]| filtered(&selection, message, &head, streams, chunks);
    let whole = filtered(&[&body]);
    for cut in [filtered(&chunks(&body, &cuts)), filtered(&body.chunks(1).collect::<Vec<_>>())] {
        // What is encrypted is never the same twice, but always as long.
        assert_eq!(cut.as_ref().map(Vec::len).ok(), whole.as_ref().map(Vec::len).ok(), "{cut:?} {whole:?}");
        assert!(shape >> 4 & 3 == 3 || cut.ok() == whole.clone().ok());
    }
    let Ok(out) = whole else { return };
    let is_known_length = is_encoded || content_encoding.is_empty();
    // A call of gRPC may go on; each of its messages has a limit.
    let is_call = message.is_some() && content_type.starts_with(b"application/grpc");
    let may_go_on = streams || is_call;
    assert!(may_go_on || selection.is_empty() || !is_known_length || plain.len() <= MOST, "it is beyond its limit");
    assert!(may_go_on || out.len() <= MOST * GROWTH, "{} bytes leave", out.len());
});

fn selection(which: u8) -> Arc<Selection> {
    let encrypt = Protection::Encrypt(Key { id: "k".into(), secret: [7; 32] });
    let encrypt = Treatment { protection: Some(Arc::new(encrypt)), ..Treatment::PASS };
    let subject = Treatment { is_subject: true, ..Treatment::PASS };
    let rules: &[(&str, Treatment)] = match which {
        0 => &[],
        1 => &[("/a", Treatment::PASS), ("/b", mask()), ("/s", subject)],
        2 => &[("/**", Treatment::PASS)],
        _ => &[("/*", encrypt), ("/s", subject)],
    };
    Arc::new(Selection::with(rules.iter().cloned()).unwrap())
}

fn encoded(coding: &[u8], body: &[u8]) -> Vec<u8> {
    match coding {
        b"gzip" => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(body).unwrap();
            encoder.finish().unwrap()
        }
        b"deflate" => {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(body).unwrap();
            encoder.finish().unwrap()
        }
        _ => body.to_vec(),
    }
}

fn filtered(
    selection: &Arc<Selection>,
    message: Option<&Arc<MessageSelection>>,
    head: &BodyHead<'_>,
    streams: bool,
    chunks: &[&[u8]],
) -> Result<Vec<u8>, Refusal> {
    let mut body = Body::new(selection, message, head, Limits::default(), MOST, streams)?;
    let mut out = Vec::new();
    for chunk in chunks {
        body.feed(chunk, &mut out)?;
    }
    body.finish(&mut out)?;
    Ok(out)
}
