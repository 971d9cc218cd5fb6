//! Pointers of an allow-list: JSON Pointers (RFC 6901) with stars, taken apart.

use std::fmt;

/// A text that is no pointer of a selection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PointerError {
    pointer: String,
    reason: &'static str,
}

impl PointerError {
    pub(super) fn new(pointer: &str, reason: &'static str) -> Self {
        Self { pointer: pointer.to_owned(), reason }
    }
}

impl fmt::Display for PointerError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?} is no pointer: {}", self.pointer, self.reason)
    }
}

impl std::error::Error for PointerError {}

/// A part of a pointer.
pub enum Token {
    Name(Vec<u8>),
    Star,
    Rest,
}

/// The parts of a pointer.
pub fn tokens(pointer: &str) -> Result<Vec<Token>, PointerError> {
    let wrong = |reason| PointerError::new(pointer, reason);
    let Some(path) = pointer.strip_prefix('/') else {
        return if pointer.is_empty() { Ok(Vec::new()) } else { Err(wrong("it does not begin with a slash")) };
    };
    let mut found = Vec::new();
    let mut parts = path.split('/').peekable();
    while let Some(part) = parts.next() {
        found.push(match part {
            "*" => Token::Star,
            "**" if parts.peek().is_some() => return Err(wrong("** ends a pointer")),
            "**" => Token::Rest,
            name => Token::Name(unescaped(name).ok_or_else(|| wrong("after ~ stands 0, 1 or 2"))?),
        });
    }
    Ok(found)
}

fn unescaped(name: &str) -> Option<Vec<u8>> {
    let mut found = Vec::with_capacity(name.len());
    let mut bytes = name.bytes();
    while let Some(byte) = bytes.next() {
        found.push(match byte {
            b'~' => match bytes.next()? {
                b'0' => b'~',
                b'1' => b'/',
                b'2' => b'*',
                _ => return None,
            },
            other => other,
        });
    }
    Some(found)
}
