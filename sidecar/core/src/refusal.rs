//! Why a body is refused.

use std::fmt;

/// A rule that a body breaks. It never holds a part of the body: refusals are logged and sent to callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A byte that RFC 8259 does not allow in its place.
    Syntax,
    /// The body ended inside the document, or held none.
    Truncated,
    /// Something other than white space followed the document.
    TrailingBytes,
    /// Bytes that are not UTF-8, or an escape that names half a character (RFC 8259, section 8.2).
    Encoding,
    /// Containers were nested deeper than the limit.
    Depth,
    /// A name was longer than the limit.
    NameLength,
    /// A map whose names are not declared one by one held more of them than the limit.
    NameCount,
    /// A declared name stood twice in one object: receivers differ in which of them they believe.
    DuplicateName,
    /// The document is a single value, and that one is not declared.
    UndeclaredDocument,
}

impl Refusal {
    /// A stable name for metrics and problem documents.
    #[must_use]
    pub fn rule(self) -> &'static str {
        match self {
            Self::Syntax => "json-syntax",
            Self::Truncated => "json-truncated",
            Self::TrailingBytes => "json-trailing-bytes",
            Self::Encoding => "json-encoding",
            Self::Depth => "json-depth",
            Self::NameLength => "json-name-length",
            Self::NameCount => "json-name-count",
            Self::DuplicateName => "json-duplicate-name",
            Self::UndeclaredDocument => "json-undeclared-document",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Syntax => "the body is not JSON",
            Self::Truncated => "the body ends before its JSON document does",
            Self::TrailingBytes => "something follows the JSON document in the body",
            Self::Encoding => "the body is not well-formed Unicode",
            Self::Depth => "the JSON document is nested too deeply",
            Self::NameLength => "a name in the JSON document is too long",
            Self::NameCount => "a map in the JSON document has too many names",
            Self::DuplicateName => "a declared name stands twice in one JSON object",
            Self::UndeclaredDocument => "the JSON document is one value that no flow declares",
        })
    }
}

impl std::error::Error for Refusal {}
