//! Messages in a row, and bodies of them.

use std::sync::Arc;

use lawflow_core::{Body, BodyHead, Found, GrpcFilter, Limits, MessageFilter, Refusal, Selection, Treatment};

use super::schema::{bytes, filtered, number, passing, selection};

const MOST: usize = 64;

fn frame(flag: u8, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[flag][..], &length, message].concat()
}

fn passed(chunks: &[&[u8]]) -> (Vec<u8>, Result<(), Refusal>) {
    let messages = MessageFilter::new(passing(&["/orderId"]), Limits::default(), None);
    let mut filter = GrpcFilter::new(messages, MOST);
    let mut out = Vec::new();
    let result = chunks.iter().try_for_each(|chunk| filter.feed(chunk, &mut out)).and_then(|()| filter.finish());
    (out, result)
}

#[test]
fn every_message_is_filtered_and_framed_anew_however_it_is_cut() {
    let order = [bytes(1, "o-1"), number(300, 7)].concat();
    let body = [frame(0, &order), frame(0, b""), frame(0, &number(300, 7)), frame(0, &order)].concat();
    let kept = [frame(0, &bytes(1, "o-1")), frame(0, b""), frame(0, b""), frame(0, &bytes(1, "o-1"))].concat();
    for cut in 0..=body.len() {
        assert_eq!(passed(&[&body[..cut], &body[cut..]]), (kept.clone(), Ok(())), "cut at {cut}");
    }
    assert_eq!(passed(&body.chunks(1).collect::<Vec<_>>()), (kept, Ok(())));
    assert_eq!(passed(&[]), (Vec::new(), Ok(())));
}

#[test]
fn a_message_passes_as_soon_as_it_is_complete() {
    let body = [frame(0, &bytes(1, "a")), frame(0, &bytes(1, "b"))].concat();
    let (out, result) = passed(&[&body[..body.len() - 1]]);
    assert_eq!((out, result), (frame(0, &bytes(1, "a")), Err(Refusal::Truncated)));
}

#[test]
fn compressed_and_overlong_messages_are_refused_before_they_come() {
    let long = u32::try_from(MOST).unwrap() + 1;
    for (prefix, refusal) in [
        (vec![1], Refusal::ContentEncoding),
        (vec![2], Refusal::Syntax),
        ([&[0][..], &long.to_be_bytes()].concat(), Refusal::BodySize),
        (vec![0, 0xff, 0xff, 0xff, 0xff], Refusal::BodySize),
    ] {
        assert_eq!(passed(&[&frame(0, b""), &prefix]), (frame(0, b""), Err(refusal)), "{prefix:?}");
    }
    let longest = bytes(1, "x".repeat(MOST - 2));
    assert_eq!(passed(&[&frame(0, &longest)]), (frame(0, &longest), Ok(())));
}

#[test]
fn a_refused_message_leaves_nothing_of_itself() {
    let body = [frame(0, &bytes(1, "a")), frame(0, &[bytes(1, "b"), bytes(1, "c")].concat())].concat();
    assert_eq!(passed(&[&body]), (frame(0, &bytes(1, "a")), Err(Refusal::DuplicateName)));
}

fn body(content_type: &str, most: usize) -> Result<Body, Refusal> {
    let head = BodyHead { content_type: Some(content_type.as_bytes()), ..BodyHead::default() };
    let limits = Limits { message_bytes: MOST, ..Limits::default() };
    let subject = Treatment { is_subject: true, ..Treatment::PASS };
    let fields = Arc::new(Selection::with([("/orderId", subject.clone())]).unwrap());
    Body::new(&fields, Some(&selection([("/orderId", subject)])), &head, limits, most, true)
}

fn through(content_type: &str, most: usize, chunk: &[u8]) -> Result<(Vec<u8>, Option<String>), Refusal> {
    let mut body = body(content_type, most)?;
    let mut out = Vec::new();
    body.feed(chunk, &mut out)?;
    let Found { subject } = body.finish(&mut out)?;
    Ok((out, subject))
}

#[test]
fn the_media_type_says_whether_it_is_one_message_or_a_row() {
    let order = [bytes(1, "o-1"), number(300, 7)].concat();
    let subject = Some("o-1".to_owned());
    for plain in ["application/protobuf", "application/x-protobuf; messageType=\"shop.Order\""] {
        assert_eq!(through(plain, MOST, &order), Ok((bytes(1, "o-1"), subject.clone())));
        assert!(!body(plain, MOST).unwrap().streams());
    }
    let framed = frame(0, &order);
    for grpc in ["application/grpc", "application/grpc+proto"] {
        assert_eq!(through(grpc, MOST, &framed), Ok((frame(0, &bytes(1, "o-1")), subject.clone())));
        assert!(body(grpc, MOST).unwrap().streams());
    }
    assert_eq!(through("application/json", MOST, br#"{"orderId":"o-1","x":1}"#).unwrap().0, br#"{"orderId":"o-1"}"#);
    for other in ["application/grpc+json", "application/grpc-web", "application/vnd.google.protobuf"] {
        assert_eq!(through(other, MOST, &framed), Err(Refusal::ContentType), "{other}");
    }
}

#[test]
fn a_message_has_a_limit_and_a_row_of_them_none() {
    let long = bytes(1, "x".repeat(MOST - 1));
    assert_eq!(through("application/protobuf", usize::MAX, &long), Err(Refusal::BodySize));
    assert_eq!(through("application/protobuf", 3, &bytes(1, "o-1")), Err(Refusal::BodySize));
    let row = frame(0, &bytes(1, "o-1")).repeat(50);
    assert_eq!(through("application/grpc", MOST, &row), Ok((row.clone(), Some("o-1".to_owned()))));
}

#[test]
fn without_a_declared_message_fields_cannot_be_told() {
    let fields = Arc::new(Selection::new(["/orderId"]).unwrap());
    for content_type in ["application/protobuf", "application/grpc"] {
        let head = BodyHead { content_type: Some(content_type.as_bytes()), ..BodyHead::default() };
        let made = Body::new(&fields, None, &head, Limits::default(), MOST, false);
        assert_eq!(made.map(|_| ()), Err(Refusal::ContentType), "{content_type}");
    }
}

#[test]
fn a_call_that_declares_nothing_still_is_one() {
    let head = BodyHead { content_type: Some(b"application/grpc"), ..BodyHead::default() };
    let nothing = Arc::new(Selection::new([]).unwrap());
    let mut body = Body::new(&nothing, Some(&passing(&[])), &head, Limits::default(), MOST, false).unwrap();
    let mut out = Vec::new();
    assert!(!body.is_dropped());
    body.feed(&frame(0, &bytes(1, "o-1")), &mut out).unwrap();
    body.finish(&mut out).unwrap();
    assert_eq!(out, frame(0, b""));
    assert_eq!(filtered(&passing(&[]), b""), Ok(Vec::new()));
}

#[test]
fn a_call_that_is_compressed_as_a_whole_is_refused() {
    let head = BodyHead { content_encoding: Some(b"gzip"), content_type: Some(b"application/grpc"), subject: None };
    let nothing = Arc::new(Selection::new([]).unwrap());
    let made = Body::new(&nothing, Some(&passing(&[])), &head, Limits::default(), MOST, false);
    assert_eq!(made.map(|_| ()), Err(Refusal::ContentEncoding));
}
