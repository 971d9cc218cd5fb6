//! A body of any declared media type, in chunks: what passes of it, and what was found in it.

use std::sync::Arc;

use super::coding::Coding;
use super::form::filter_form;
use super::json::JsonFilter;
use super::limits::Limits;
use super::lines::LinesFilter;
use super::protobuf::grpc::GrpcFilter;
use super::protobuf::message::MessageFilter;
use super::protobuf::selection::MessageSelection;
use crate::{Refusal, Selection};

/// Which way a body goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the source of a flow to its destination.
    Request,
    /// Back.
    Response,
}

/// What a body held, once it has ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The data subject, where the body names it.
    pub subject: Option<String>,
}

/// Filters one body.
#[derive(Debug)]
pub struct Body {
    coding: Coding,
    format: Format,
    /// Bytes that may still come.
    left: usize,
    is_empty: bool,
}

/// What the head of a message says of its body.
#[derive(Clone, Copy, Debug, Default)]
pub struct BodyHead<'h> {
    /// The header `content-type`.
    pub content_type: Option<&'h [u8]>,
    /// The header `content-encoding`.
    pub content_encoding: Option<&'h [u8]>,
    /// The data subject, where the head names it.
    pub subject: Option<&'h str>,
}

#[derive(Debug)]
enum Format {
    Json(Box<JsonFilter>),
    /// JSON that is read twice: once for the data subject, and then to encrypt for that one.
    JsonForSubject {
        seek: Box<JsonFilter>,
        filter: Box<JsonFilter>,
        held: Vec<u8>,
    },
    Lines(Box<LinesFilter>),
    /// Forms are held until they end: a pair is known when the next one begins, and forms are small.
    Form {
        selection: Arc<Selection>,
        subject: Option<String>,
        held: Vec<u8>,
    },
    /// One message of protocol buffers, which is held until it ends.
    Message {
        filter: Box<MessageFilter>,
        held: Vec<u8>,
    },
    Grpc(Box<GrpcFilter>),
    /// Nothing of it is declared, so nothing of it passes.
    Nothing,
}

impl Body {
    /// The filter for a body of at most `most` bytes, once it is decoded, where it is held: one that `streams` may go on
    /// for ever, but for forms, which are held all the same. So may a call of gRPC, each of whose messages has a limit.
    /// Protocol buffers pass where the fields of their `message` are declared.
    ///
    /// # Errors
    ///
    /// [`Refusal::ContentType`] where fields cannot be told in such a body, [`Refusal::ContentEncoding`] where it
    /// cannot be decoded.
    pub fn new(
        selection: &Arc<Selection>,
        message: Option<&Arc<MessageSelection>>,
        head: &BodyHead<'_>,
        limits: Limits,
        most: usize,
        streams: bool,
    ) -> Result<Self, Refusal> {
        let subject = head.subject;
        let selection = Arc::clone(selection);
        let media_type = media_type(head.content_type.unwrap_or_default());
        let message = message.filter(|_| matches!(media_type, Some(MediaType::Grpc | MediaType::Message)));
        // A call of gRPC is a row of messages, also where nothing of them is declared.
        if message.is_none() && selection.is_empty() && !selection.seeks_subject() {
            return Ok(Self::dropped());
        }
        let media_type = media_type.ok_or(Refusal::ContentType)?;
        let coding = Coding::new(head.content_encoding)?;
        let mut left = most;
        let messages = || {
            let message = message.ok_or(Refusal::ContentType)?;
            Ok(MessageFilter::new(Arc::clone(message), limits, subject))
        };
        let format = match media_type {
            MediaType::Json if selection.needs_subject_first() => {
                let new = || Box::new(JsonFilter::new(Arc::clone(&selection), limits));
                Format::JsonForSubject { seek: new(), filter: new(), held: Vec::new() }
            }
            MediaType::Json => {
                let mut filter = JsonFilter::new(selection, limits);
                filter.set_subject(subject);
                Format::Json(Box::new(filter))
            }
            MediaType::Lines => {
                let mut filter = LinesFilter::new(selection, limits);
                filter.set_subject(subject);
                Format::Lines(Box::new(filter))
            }
            MediaType::Form => Format::Form { selection, subject: subject.map(str::to_owned), held: Vec::new() },
            MediaType::Message => {
                left = most.min(limits.message_bytes);
                Format::Message { filter: Box::new(messages()?), held: Vec::new() }
            }
            MediaType::Grpc if !matches!(coding, Coding::Identity) => return Err(Refusal::ContentEncoding),
            MediaType::Grpc => {
                left = usize::MAX;
                Format::Grpc(Box::new(GrpcFilter::new(messages()?, limits.message_bytes)))
            }
        };
        if streams && matches!(format, Format::Json(_) | Format::Lines(_)) {
            left = usize::MAX;
        }
        Ok(Self { coding, format, left, is_empty: true })
    }

    /// The filter that lets nothing through, whatever comes.
    #[must_use]
    pub fn dropped() -> Self {
        Self { coding: Coding::Identity, format: Format::Nothing, left: usize::MAX, is_empty: true }
    }

    /// Whether the body goes as a whole, so that its media type goes with it.
    #[must_use]
    pub fn is_dropped(&self) -> bool {
        matches!(self.format, Format::Nothing)
    }

    /// Whether its parts go on as soon as they have passed, though bodies of its operation are held: those of gRPC may
    /// answer each other.
    #[must_use]
    pub fn streams(&self) -> bool {
        matches!(self.format, Format::Grpc(_))
    }

    /// Takes in the next chunk and appends what passes to `out`.
    ///
    /// # Errors
    ///
    /// [`Refusal`]; the filter is of no more use then.
    pub fn feed(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
        self.is_empty &= chunk.is_empty();
        let (format, left) = (&mut self.format, &mut self.left);
        self.coding.feed(chunk, |decoded| format.feed(decoded, left, out))
    }

    /// Ends the body and appends what was waiting for that to `out`. No body at all is fine for any media type.
    ///
    /// # Errors
    ///
    /// [`Refusal`], where the body is not complete or what was waiting is refused.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<Found, Refusal> {
        if self.is_empty {
            return Ok(Found::default());
        }
        let (format, left) = (&mut self.format, &mut self.left);
        self.coding.finish(|decoded| format.feed(decoded, left, out))?;
        self.format.finish(out)
    }
}

impl Format {
    fn feed(&mut self, chunk: &[u8], left: &mut usize, out: &mut Vec<u8>) -> Result<(), Refusal> {
        *left = left.checked_sub(chunk.len()).ok_or(Refusal::BodySize)?;
        match self {
            Self::Json(filter) => filter.feed(chunk, out),
            Self::Lines(filter) => filter.feed(chunk, out),
            Self::Grpc(filter) => filter.feed(chunk, out),
            Self::JsonForSubject { held, .. } | Self::Form { held, .. } | Self::Message { held, .. } => {
                held.extend_from_slice(chunk);
                Ok(())
            }
            Self::Nothing => Ok(()),
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> Result<Found, Refusal> {
        let subject = match self {
            Self::Json(filter) => {
                filter.finish()?;
                filter.subject().map(str::to_owned)
            }
            Self::JsonForSubject { seek, filter, held } => {
                seek.feed(held, &mut Vec::new())?;
                seek.finish()?;
                filter.set_subject(seek.subject());
                filter.feed(held, out)?;
                filter.finish()?;
                filter.subject().map(str::to_owned)
            }
            Self::Lines(filter) => {
                filter.finish()?;
                None
            }
            Self::Form { selection, subject, held } => filter_form(selection, subject.as_deref(), held, out)?,
            Self::Message { filter, held } => {
                filter.filter(held, out)?;
                filter.subject().map(str::to_owned)
            }
            Self::Grpc(filter) => {
                filter.finish()?;
                filter.subject().map(str::to_owned)
            }
            Self::Nothing => None,
        };
        Ok(Found { subject })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MediaType {
    Json,
    Lines,
    Form,
    /// One message of protocol buffers.
    Message,
    /// A row of them.
    Grpc,
}

/// What a `content-type` names (RFC 9110, section 8.3.1), if fields can be told in it; JSON is UTF-8 whatever else is
/// said (RFC 8259, section 8.1).
fn media_type(content_type: &[u8]) -> Option<MediaType> {
    // What nearly every message says is worth no look at its parts.
    if content_type == b"application/json" {
        return Some(MediaType::Json);
    }
    let text = std::str::from_utf8(content_type).ok()?;
    let mut parts = text.split(';').map(str::trim);
    let essence = parts.next()?.to_ascii_lowercase();
    for parameter in parts {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let value = value.trim_matches('"');
        if name.eq_ignore_ascii_case("charset") && !value.eq_ignore_ascii_case("utf-8") {
            return None;
        }
    }
    match essence.as_str() {
        "application/json" | "text/json" => Some(MediaType::Json),
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/x-jsonlines" => {
            Some(MediaType::Lines)
        }
        "application/x-www-form-urlencoded" => Some(MediaType::Form),
        "application/protobuf" | "application/x-protobuf" => Some(MediaType::Message),
        "application/grpc" | "application/grpc+proto" => Some(MediaType::Grpc),
        // Messages in other forms are framed as well.
        other if other.starts_with("application/grpc") => None,
        other if other.starts_with("application/") && other.ends_with("+json") => Some(MediaType::Json),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Protection, Treatment};

    fn filtered(content_type: &str, body: &str) -> Result<String, Refusal> {
        filtered_as(content_type, body, false)
    }

    fn filtered_as(content_type: &str, body: &str, streams: bool) -> Result<String, Refusal> {
        let selection = Arc::new(Selection::new(["/a"]).unwrap());
        let head = BodyHead { content_type: Some(content_type.as_bytes()), ..BodyHead::default() };
        let mut body_filter = Body::new(&selection, None, &head, Limits::default(), 40, streams)?;
        let mut out = Vec::new();
        for byte in body.bytes() {
            body_filter.feed(&[byte], &mut out)?;
        }
        body_filter.finish(&mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn the_media_type_says_how_fields_are_told() {
        for json in ["application/json", "Application/JSON; charset=UTF-8", "application/problem+json", "text/json"] {
            assert_eq!(filtered(json, r#"{"a":1,"b":2}"#).as_deref(), Ok(r#"{"a":1}"#), "{json}");
        }
        assert_eq!(filtered("application/x-ndjson", "{\"b\":2}\n{\"a\":1}").as_deref(), Ok("{}\n{\"a\":1}"));
        assert_eq!(filtered("application/x-www-form-urlencoded", "a=1&b=2").as_deref(), Ok("a=1"));
    }

    #[test]
    fn where_it_says_nothing_the_body_is_refused() {
        for other in
            ["text/plain", "", "multipart/form-data; boundary=x", "application/json; charset=utf-16", "application/xml"]
        {
            assert_eq!(filtered(other, "{}"), Err(Refusal::ContentType), "{other}");
        }
    }

    #[test]
    fn a_body_that_declares_nothing_is_dropped_whatever_it_is() {
        let nothing = Arc::new(Selection::new([]).unwrap());
        let mut body = Body::new(&nothing, None, &BodyHead::default(), Limits::default(), 40, false).unwrap();
        let mut out = Vec::new();
        assert!(body.is_dropped());
        body.feed(b"whatever", &mut out).unwrap();
        body.finish(&mut out).unwrap();
        assert!(out.is_empty());
    }

    #[test]
    fn values_are_encrypted_for_the_subject_wherever_the_body_names_it() {
        let key = crate::Key { id: "k".into(), secret: [7; 32] };
        let encrypt = Treatment { protection: Some(Arc::new(Protection::Encrypt(key))), ..Treatment::PASS };
        let subject = Treatment { is_subject: true, ..Treatment::default() };
        let selection = Arc::new(Selection::with([("/diagnosis", encrypt), ("/patient", subject)]).unwrap());
        let header = |text: &str| {
            let head = BodyHead { content_type: Some(b"application/json"), ..BodyHead::default() };
            let mut body = Body::new(&selection, None, &head, Limits::default(), 400, false).unwrap();
            let mut out = Vec::new();
            body.feed(text.as_bytes(), &mut out).unwrap();
            assert_eq!(body.finish(&mut out).unwrap().subject.as_deref(), Some("anna"));
            String::from_utf8(out).unwrap().split('.').next().unwrap().to_owned()
        };
        let first = header(r#"{"patient":"anna","diagnosis":"flu"}"#);
        assert!(first.starts_with(r#"{"diagnosis":"ey"#), "{first}");
        assert_eq!(first, header(r#"{"diagnosis":"flu","patient":"anna"}"#));
    }

    #[test]
    fn a_value_that_is_changed_by_name_is_so_though_all_below_that_name_passes() {
        let mask = Treatment { protection: Some(Arc::new(Protection::Mask)), ..Treatment::PASS };
        let selection = Arc::new(Selection::with([("/a", mask), ("/a/**", Treatment::PASS)]).unwrap());
        for (text, passes) in [(r#"{"a":"jane"}"#, r#"{"a":"****"}"#), (r#"{"a":["jane"]}"#, r#"{"a":["jane"]}"#)] {
            let head = BodyHead { content_type: Some(b"application/json"), ..BodyHead::default() };
            let mut body = Body::new(&selection, None, &head, Limits::default(), 40, false).unwrap();
            let mut out = Vec::new();
            body.feed(text.as_bytes(), &mut out).unwrap();
            body.finish(&mut out).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), passes);
        }
    }

    #[test]
    fn a_body_ends_at_its_limit() {
        let body = format!(r#"{{"a":"{}"}}"#, "x".repeat(32));
        assert_eq!(filtered("application/json", &body).as_deref(), Ok(body.as_str()));
        assert_eq!(filtered("application/json", &(body + " ")), Err(Refusal::BodySize));
    }

    #[test]
    fn a_body_that_streams_ends_where_it_will_but_for_forms_which_are_held() {
        let long = "x".repeat(50);
        let body = format!(r#"{{"a":"{long}"}}"#);
        assert_eq!(filtered_as("application/json", &body, true).as_deref(), Ok(body.as_str()));
        let form = format!("a={long}");
        assert_eq!(filtered_as("application/x-www-form-urlencoded", &form, true), Err(Refusal::BodySize));
    }
}
