//! Which headers pass: those that HTTP itself needs, and those that an operation declares.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::technical;
use crate::{Direction, Protection, Refusal, Treatment};

/// What becomes of a header.
#[derive(Clone, Debug)]
pub enum HeaderFate<'r> {
    /// It passes.
    Passes,
    /// It is not declared.
    Dropped,
    /// It is technical, and this passes of it.
    Becomes(String),
    /// It passes with another value.
    Protected(&'r Arc<Protection>),
    /// It is not declared, and the message would mean something else without it.
    Refused(Refusal),
}

/// The headers that an operation lets through in one direction.
#[derive(Clone, Debug, Default)]
pub struct HeaderRules {
    declared: BTreeMap<Box<str>, Treatment>,
}

impl HeaderRules {
    pub(crate) fn new(declared: impl IntoIterator<Item = (String, Treatment)>) -> Self {
        Self {
            declared: declared
                .into_iter()
                .map(|(name, treatment)| (name.to_ascii_lowercase().into_boxed_str(), treatment))
                .collect(),
        }
    }

    /// What becomes of a header, whose name is in lower case as HTTP/2 has it.
    #[must_use]
    pub fn fate(&self, direction: Direction, name: &[u8], value: &[u8]) -> HeaderFate<'_> {
        if name.starts_with(b":") || (self.declared.is_empty() && technical::is_common(direction, name, value)) {
            return HeaderFate::Passes;
        }
        // No other text names a header (RFC 9110, section 5.1).
        let Ok(name) = std::str::from_utf8(name) else { return HeaderFate::Dropped };
        self.declared(name).unwrap_or_else(|| match technical::value(direction, name, value) {
            Some(left) => HeaderFate::Becomes(left),
            // Without it a change would be made that was meant for another state (RFC 9110, section 13.1.1).
            None if name == "if-match" && direction == Direction::Request => HeaderFate::Refused(Refusal::Precondition),
            None => HeaderFate::Dropped,
        })
    }

    /// What becomes of a trailer. Undeclared, only what says how a call of gRPC went passes.
    #[must_use]
    pub fn trailer_fate(&self, direction: Direction, name: &[u8], value: &[u8]) -> HeaderFate<'_> {
        self.declared(std::str::from_utf8(name).unwrap_or_default()).unwrap_or_else(|| match direction {
            Direction::Response if name == b"grpc-status" => self.fate(direction, name, value),
            _ => HeaderFate::Dropped,
        })
    }

    fn declared(&self, name: &str) -> Option<HeaderFate<'_>> {
        self.declared.get(name).map(|treatment| match &treatment.protection {
            _ if !treatment.passes => HeaderFate::Dropped,
            Some(protection) => HeaderFate::Protected(protection),
            None => HeaderFate::Passes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_http_needs_passes_and_what_traces_people_does_not() {
        let rules = HeaderRules::new([("X-Order".to_owned(), Treatment::PASS)]);
        let dropped = |direction, name| matches!(rules.fate(direction, str::as_bytes(name), b"1"), HeaderFate::Dropped);
        for name in [":path", "content-length", "max-forwards", "x-order"] {
            assert!(!dropped(Direction::Request, name), "{name}");
        }
        for name in ["cookie", "referer", "user-agent", "x-forwarded-for", "authorization", "traceparent", "etag"] {
            assert!(dropped(Direction::Request, name), "{name}");
        }
        for name in ["set-cookie", "etag", "location", "server", "x-request-id", "grpc-message"] {
            assert!(dropped(Direction::Response, name), "{name}");
        }
        assert!(!dropped(Direction::Response, "age"));
    }

    #[test]
    fn a_technical_header_passes_in_its_own_vocabulary() {
        let rules = HeaderRules::new([]);
        let fate = |value| rules.fate(Direction::Request, b"content-type", value);
        assert!(matches!(fate(b"application/json"), HeaderFate::Passes));
        assert!(matches!(fate(b"application/json; a=jane"), HeaderFate::Becomes(left) if left == "application/json"));
        assert!(matches!(fate(b"jane/jane"), HeaderFate::Dropped));
    }

    #[test]
    fn a_declared_header_passes_whatever_its_value_is() {
        let rules = HeaderRules::new([("Content-Type".to_owned(), Treatment::PASS)]);
        assert!(matches!(rules.fate(Direction::Request, b"content-type", b"a/b; c=d"), HeaderFate::Passes));
    }

    #[test]
    fn what_is_declared_to_be_dropped_is() {
        let rules = HeaderRules::new([("Accept".to_owned(), Treatment::default())]);
        assert!(matches!(rules.fate(Direction::Request, b"accept", b"*/*"), HeaderFate::Dropped));
    }

    #[test]
    fn a_condition_is_not_lost_unnoticed() {
        let rules = HeaderRules::new([]);
        let fate = |name, value| rules.fate(Direction::Request, str::as_bytes(name), value);
        assert!(matches!(fate("if-match", b"\"1\""), HeaderFate::Refused(Refusal::Precondition)));
        assert!(matches!(fate("if-match", b"*"), HeaderFate::Becomes(_)));
        assert!(matches!(fate("if-none-match", b"\"1\""), HeaderFate::Dropped));
    }

    #[test]
    fn of_trailers_only_the_outcome_passes_undeclared() {
        let rules = HeaderRules::new([("X-Order".to_owned(), Treatment::PASS)]);
        let passes =
            |direction, name| !matches!(rules.trailer_fate(direction, str::as_bytes(name), b"1"), HeaderFate::Dropped);
        assert!(passes(Direction::Response, "grpc-status") && passes(Direction::Response, "x-order"));
        for name in ["accept", "content-length", "lawflow-purpose", "grpc-status"] {
            assert!(!passes(Direction::Request, name), "{name}");
        }
        assert!(!passes(Direction::Response, "age"));
    }
}
