//! Which headers pass: those that HTTP itself needs, and those that an operation declares.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{Direction, Protection, Treatment};

/// Request headers that carry a message and say nothing of anybody. All others pass only where they are declared:
/// cookies, referers, user agents, forwarded addresses, languages and trace ids tell people apart.
#[rustfmt::skip]
const REQUEST: &[&str] = &[
    "accept", "cache-control", "content-encoding", "content-length", "content-type", "expect", "grpc-timeout", "host",
    "if-match", "if-modified-since", "if-none-match", "if-unmodified-since", "lawflow-flow", "lawflow-purpose",
    "max-forwards", "pragma", "prefer", "te", "transfer-encoding",
];

/// Response headers of that kind. An `etag` or `location` may well name somebody and has to be declared.
#[rustfmt::skip]
const RESPONSE: &[&str] = &[
    "age", "allow", "cache-control", "content-encoding", "content-language", "content-length", "content-type", "date",
    "expires", "grpc-status", "last-modified", "pragma", "preference-applied", "retry-after", "transfer-encoding",
    "vary", "www-authenticate",
];

/// What becomes of a header.
#[derive(Clone, Copy, Debug)]
pub enum HeaderFate<'r> {
    /// It passes.
    Passes,
    /// It is not declared.
    Dropped,
    /// It passes with another value.
    Protected(&'r Arc<Protection>),
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
    pub fn fate(&self, direction: Direction, name: &str) -> HeaderFate<'_> {
        if name.starts_with(':') {
            return HeaderFate::Passes;
        }
        match self.declared.get(name) {
            Some(Treatment { passes: false, .. }) => HeaderFate::Dropped,
            Some(Treatment { protection: Some(protection), .. }) => HeaderFate::Protected(protection),
            Some(_) => HeaderFate::Passes,
            None => {
                let technical = if direction == Direction::Request { REQUEST } else { RESPONSE };
                if technical.binary_search(&name).is_ok() { HeaderFate::Passes } else { HeaderFate::Dropped }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_http_needs_passes_and_what_traces_people_does_not() {
        let declared = [("X-Order".to_owned(), Treatment::PASS), ("Prefer".to_owned(), Treatment::default())];
        let rules = HeaderRules::new(declared);
        let passes = |direction, name| matches!(rules.fate(direction, name), HeaderFate::Passes);
        for name in [":path", "content-type", "accept", "x-order", "host", "te"] {
            assert!(passes(Direction::Request, name), "{name}");
        }
        for name in
            ["cookie", "referer", "user-agent", "x-forwarded-for", "authorization", "traceparent", "etag", "prefer"]
        {
            assert!(!passes(Direction::Request, name), "{name}");
        }
        for name in ["set-cookie", "etag", "location", "server", "x-request-id", "grpc-message"] {
            assert!(!passes(Direction::Response, name), "{name}");
        }
        assert!(passes(Direction::Response, "www-authenticate"));
    }

    #[test]
    fn the_lists_are_sorted_so_that_names_are_found_in_them() {
        assert!(REQUEST.is_sorted() && RESPONSE.is_sorted());
    }
}
