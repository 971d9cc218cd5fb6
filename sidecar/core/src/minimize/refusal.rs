//! Why a body is refused.

use std::fmt;

/// A rule that a body breaks. It never holds a part of the body: refusals are logged and sent to callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A byte that RFC 8259 does not allow in its place, or a field that is not what its descriptor says.
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
    /// A declared name stood twice in one object, or a field twice that is not repeated: receivers differ in which of
    /// them they believe.
    DuplicateName,
    /// The document is a single value, and that one is not declared.
    UndeclaredDocument,
    /// A value that had to be held, to be changed or because it names the data subject, was longer than the limit.
    ValueLength,
    /// A value could not be changed as its flow asks for.
    Unprotected,
    /// The media type says nothing that fields can be told in, or is missing.
    ContentType,
    /// The body is compressed in a way that is not understood, or not what it is said to be.
    ContentEncoding,
    /// The body is larger than the limit.
    BodySize,
    /// The request is conditional on what its flow does not let through.
    Precondition,
}

impl Refusal {
    /// A stable name for metrics and problem documents.
    #[must_use]
    pub fn rule(self) -> &'static str {
        match self {
            Self::Syntax => "body-syntax",
            Self::Truncated => "body-truncated",
            Self::TrailingBytes => "body-trailing-bytes",
            Self::Encoding => "body-encoding",
            Self::Depth => "body-depth",
            Self::NameLength => "name-length",
            Self::NameCount => "name-count",
            Self::DuplicateName => "duplicate-name",
            Self::UndeclaredDocument => "undeclared-document",
            Self::ValueLength => "value-length",
            Self::Unprotected => "unprotected-value",
            Self::ContentType => "content-type",
            Self::ContentEncoding => "content-encoding",
            Self::BodySize => "body-size",
            Self::Precondition => "undeclared-precondition",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Syntax => "the body is not what its content-type says",
            Self::Truncated => "the body ends before its document does",
            Self::TrailingBytes => "something follows the document in the body",
            Self::Encoding => "the body is not well-formed Unicode",
            Self::Depth => "the document is nested too deeply",
            Self::NameLength => "a name in the document is too long",
            Self::NameCount => "a map in the document has too many names",
            Self::DuplicateName => {
                "a declared name stands twice in one place, and receivers differ in which they believe"
            }
            Self::UndeclaredDocument => "the document is one value that no flow declares",
            Self::ValueLength => "a value that the flow changes on its way is too long",
            Self::Unprotected => "a value could not be changed as its flow asks for",
            Self::ContentType => "fields can be told in JSON, NDJSON, forms and declared protocol buffers alone",
            Self::ContentEncoding => "the body is compressed in a way that fields cannot be told in",
            Self::BodySize => "the body is larger than its operation may carry",
            Self::Precondition => {
                "the header if-match is not declared, and the request means something else without it"
            }
        })
    }
}

impl std::error::Error for Refusal {}
