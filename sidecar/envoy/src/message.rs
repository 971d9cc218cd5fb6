//! One direction of an exchange: a head, a body in pieces and trailers, of which the declared part goes on.

use std::time::Instant;

use lawflow_core::{Body, BodyHead, Direction, Found, HeaderFate, Operation, Policy, Refusal, is_error};

use crate::abi::raw::{BodyKind, HeaderKind};
use crate::abi::stream::Stream;
use crate::config::Metrics;
use crate::filter::Pass;
use crate::head::{Edits, Head};

/// Why a message does not go on, and whether its sender can still be told.
#[derive(Clone, Copy)]
pub struct Stopped {
    pub refusal: Refusal,
    /// Whether a part of it has already left, so that the stream can only be broken off.
    pub has_begun: bool,
}

/// A message while it passes.
pub struct Message {
    direction: Direction,
    work: Option<Work>,
}

struct Work {
    body: Body,
    /// A body that cannot be told is dropped, and its message passes.
    is_error: bool,
    /// Whether what passes is handed on at once, and not held until the message ends.
    streams: bool,
    /// What passes and has not been handed on.
    out: Vec<u8>,
    bytes_in: u64,
    bytes_out: u64,
    microseconds: u64,
}

impl Message {
    pub fn new(direction: Direction) -> Self {
        Self { direction, work: None }
    }

    /// The head: undeclared headers go, and the body's filter is made. `subject` is whom the head names.
    pub fn head(
        &mut self,
        head: &Head<'_>,
        edits: &mut Edits,
        policy: &Policy,
        operation: &Operation,
        subject: Option<&str>,
        end: bool,
    ) -> Result<Pass, Refusal> {
        let Some(payload) = operation.payload(self.direction) else { return Ok(Pass::On) };
        let direction = self.direction;
        filter_headers(head, edits, subject, |name, value| payload.headers.fate(direction, name, value))?;
        if end {
            if direction == Direction::Response {
                // To a HEAD, or of a 304: the length of what would have come, before it was filtered.
                edits.remove(CONTENT_LENGTH.as_bytes());
            }
            return Ok(Pass::On);
        }
        let status = head.first(":status").map_or(&b""[..], |(value, _)| value);
        let body = operation.body(payload, policy, status, &body_head(head, subject)?)?;
        if head.first(CONTENT_ENCODING).is_some() {
            edits.remove(CONTENT_ENCODING.as_bytes());
        }
        if body.is_dropped() {
            edits.remove(CONTENT_TYPE.as_bytes());
        }
        let length = head.first(CONTENT_LENGTH).and_then(|(value, _)| std::str::from_utf8(value).ok()?.parse().ok());
        let streams = operation.stream || body.streams();
        self.work = Some(Work {
            body,
            is_error: is_error(status),
            streams,
            out: Vec::with_capacity(length.unwrap_or(0).min(policy.body_bytes)),
            bytes_in: 0,
            bytes_out: 0,
            microseconds: 0,
        });
        if streams && length.is_some() {
            edits.remove(CONTENT_LENGTH.as_bytes());
        }
        Ok(if streams { Pass::On } else { Pass::Stop })
    }

    /// Whether a part of the message may have left, so that its stream can only be broken off.
    pub fn has_begun(&self) -> bool {
        self.work.as_ref().is_some_and(|work| work.streams)
    }

    /// A piece of the body, the last one where `end` says so.
    pub fn piece(
        &mut self,
        stream: &mut Stream<'_>,
        metrics: &Metrics,
        end: bool,
    ) -> Result<(Pass, Option<Found>), Stopped> {
        let (received, headers) = (self.received(), self.headers());
        let Some(work) = &mut self.work else { return Ok((Pass::On, None)) };
        let start = Instant::now();
        let (mut length, mut fed) = (0, Ok(()));
        for chunk in stream.chunks(received) {
            #[cfg(feature = "defect")]
            assert!(!chunk.starts_with(b"defect"), "a defect was asked for: {}", String::from_utf8_lossy(chunk));
            length += chunk.len();
            fed = fed.and_then(|()| work.body.feed(chunk, &mut work.out));
        }
        let found = match fed.and_then(|()| if end { work.body.finish(&mut work.out).map(Some) } else { Ok(None) }) {
            Ok(found) => found,
            Err(_) if work.is_droppable() => {
                work.drop(stream, headers);
                None
            }
            Err(refusal) => return Err(work.stopped(refusal)),
        };
        work.bytes_in += length as u64;
        work.microseconds += u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
        if !end && !work.streams {
            stream.replace(received, length, &[]);
            return Ok((Pass::Stop, None));
        }
        if !work.streams {
            stream.set_header(headers, CONTENT_LENGTH.as_bytes(), work.out.len().to_string().as_bytes());
        }
        work.bytes_out += work.out.len() as u64;
        stream.replace(received, length, &work.out);
        work.out.clear();
        if end {
            self.ended(stream, metrics);
        }
        Ok((Pass::On, found))
    }

    /// The trailers end the body where they come; of their own, only what says how the call went passes.
    pub fn trailers(
        &mut self,
        stream: &mut Stream<'_>,
        metrics: &Metrics,
        operation: &Operation,
    ) -> Result<Option<Found>, Stopped> {
        let Some(payload) = operation.payload(self.direction) else { return Ok(None) };
        let (kind, buffered) = match self.direction {
            Direction::Request => (HeaderKind::RequestTrailer, BodyKind::BufferedRequest),
            Direction::Response => (HeaderKind::ResponseTrailer, BodyKind::BufferedResponse),
        };
        let headers = self.headers();
        let mut found = None;
        if let Some(work) = &mut self.work {
            found = match work.body.finish(&mut work.out) {
                Ok(found) => Some(found),
                Err(_) if work.is_droppable() => {
                    work.drop(stream, headers);
                    None
                }
                Err(refusal) => return Err(work.stopped(refusal)),
            };
            work.bytes_out += work.out.len() as u64;
            if !work.streams {
                // Of a message with trailers Envoy does not know the length.
                stream.remove_header(headers, CONTENT_LENGTH.as_bytes());
            }
            if !stream.replace(buffered, 0, &work.out) {
                return Err(work.stopped(Refusal::Unprotected));
            }
            self.ended(stream, metrics);
        }
        let (mut edits, direction) = (Edits::default(), self.direction);
        filter_headers(&Head::read(stream, kind), &mut edits, None, |name, value| {
            payload.headers.trailer_fate(direction, name, value)
        })
        .map_err(|refusal| Stopped { refusal, has_begun: true })?;
        edits.apply(stream, kind);
        Ok(found)
    }

    fn ended(&mut self, stream: &mut Stream<'_>, metrics: &Metrics) {
        if let Some(work) = self.work.take() {
            stream.count(metrics.body_bytes_in, work.bytes_in);
            stream.count(metrics.body_bytes_out, work.bytes_out);
            stream.record(metrics.filter_microseconds, work.microseconds);
        }
    }

    fn headers(&self) -> HeaderKind {
        match self.direction {
            Direction::Request => HeaderKind::Request,
            Direction::Response => HeaderKind::Response,
        }
    }

    fn received(&self) -> BodyKind {
        match self.direction {
            Direction::Request => BodyKind::ReceivedRequest,
            Direction::Response => BodyKind::ReceivedResponse,
        }
    }
}

/// What the head says of its body. Receivers differ in which of several headers of one name they believe.
fn body_head<'h>(head: &Head<'h>, subject: Option<&'h str>) -> Result<BodyHead<'h>, Refusal> {
    let only = |name, refusal| match head.first(name) {
        Some((_, count)) if count > 1 => Err(refusal),
        found => Ok(found.map(|(value, _)| value)),
    };
    let content_type = only(CONTENT_TYPE, Refusal::ContentType)?;
    let content_encoding = only(CONTENT_ENCODING, Refusal::ContentEncoding)?;
    Ok(BodyHead { content_type, content_encoding, subject })
}

/// Notes what becomes of each header.
fn filter_headers<'f>(
    head: &Head<'_>,
    edits: &mut Edits,
    subject: Option<&str>,
    fate: impl Fn(&[u8], &[u8]) -> HeaderFate<'f>,
) -> Result<(), Refusal> {
    for (name, value) in head.iter() {
        let left = match fate(name, value) {
            HeaderFate::Passes => continue,
            HeaderFate::Dropped => {
                if !edits.holds(name) {
                    edits.remove(name);
                }
                continue;
            }
            HeaderFate::Refused(refusal) => return Err(refusal),
            HeaderFate::Becomes(left) => left,
            HeaderFate::Protected(protection) => {
                let value = std::str::from_utf8(value).map_err(|_| Refusal::Encoding)?;
                protection.protect(value, subject)?
            }
        };
        let is_alone = head.iter().filter(|header| header.0 == name).count() == 1;
        if left.as_bytes() != value || !is_alone {
            edits.extend(name, &left);
        }
    }
    Ok(())
}

impl Work {
    fn is_droppable(&self) -> bool {
        self.is_error && !self.streams
    }

    /// Lets the message go on without its body.
    fn drop(&mut self, stream: &mut Stream<'_>, headers: HeaderKind) {
        self.out.clear();
        self.body = Body::dropped();
        stream.remove_header(headers, CONTENT_TYPE.as_bytes());
    }

    fn stopped(&self, refusal: Refusal) -> Stopped {
        Stopped { refusal, has_begun: self.streams }
    }
}

const CONTENT_LENGTH: &str = "content-length";
const CONTENT_ENCODING: &str = "content-encoding";
const CONTENT_TYPE: &str = "content-type";
