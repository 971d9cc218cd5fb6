//! The filter: JSON in, its declared part out, in one pass.
//!
//! The document is read token by token; between two chunks the filter remembers in which token it stands and the chain
//! of containers around it, nothing else. What passes is copied in runs as long as it stands together: a *run* begins
//! where something is let through and goes on, over commas and brackets, until something is dropped or white space
//! comes (which never passes, so that the output does not depend on where chunks end).
//!
//! Whether a member passes is known at the first byte of its value: a declared leaf that holds a container, or a
//! declared container that holds a single value, is not what was declared. So a run is only *firm* up to the end of
//! the last value; the comma and the name after it follow when the next value is let through, or are dropped with it.
//!
//! ```text
//!   {"id":1,"name":"x","sku":2}      /id and /sku declared
//!   ^-----^firm                      run from the brace to the end of 1
//!          ^-------^                 the comma and "name":"x" are dropped, the run ends at the firm place
//!                   ^------^         a comma of our own, "sku":2, and the brace
//! ```

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use crate::Refusal;
use crate::scan::{digits, plain_text, white_space};
use crate::selection::{Member, NodeId, Selection};
use crate::utf8::Utf8;

/// What a document may cost. Beyond it the body is refused.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Containers within containers. Parsers that recurse behind the filter have a stack to lose.
    pub depth: usize,
    /// Bytes of one name: names are held until it is known whether they pass.
    pub name_bytes: usize,
    /// Names of one map whose names are not declared: they are held to find one that stands twice.
    pub names: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 64, name_bytes: 4096, names: 65_536 }
    }
}

/// What becomes of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It is read and not let through.
    Dropped,
    /// It passes whole.
    Passes,
    /// It is a container of which the node's fields pass.
    Filtered(NodeId),
}

#[derive(Debug)]
struct Container {
    is_object: bool,
    fate: Fate,
    /// Whether anything inside was let through, so that a comma must come first.
    has_output: bool,
    /// Declared members that have come, a bit each.
    seen: u64,
    /// Hashes of all other names that pass and have come. In a box, since most containers have none.
    #[allow(clippy::box_collection)]
    seen_names: Option<Box<HashSet<u64>>>,
}

impl Container {
    /// What comes after a comma.
    #[inline]
    fn next(&self) -> Expected {
        if self.is_object { Expected::Name { or_end: false } } else { Expected::Value { or_end: false } }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// A value; a closing bracket as well where the array is empty so far.
    Value {
        or_end: bool,
    },
    /// A name; a closing brace as well where the object is empty so far.
    Name {
        or_end: bool,
    },
    Colon,
    /// A comma or the end of the container; white space alone after the document.
    AfterValue,
    /// The inside of a string.
    String(Escape),
    /// The inside of a name.
    InName(Escape),
    Number(Number),
    /// The rest of a literal.
    Literal(&'static [u8]),
}

/// Where in a string: a character may be written as an escape of up to twelve bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Escape {
    Text,
    Backslash,
    /// After `\u`: digits still to come, and their value so far; the first half where this is the second.
    Hex {
        left: u8,
        value: u16,
        high: Option<u16>,
    },
    /// The first half of a surrogate pair: a backslash must follow.
    High(u16),
    /// … and a `u`.
    HighBackslash(u16),
}

/// Where in a number (RFC 8259, section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Number {
    Minus,
    Zero,
    Integer,
    Point,
    Fraction,
    E,
    Sign,
    Exponent,
}

/// Applies a [`Selection`] to one JSON document.
#[derive(Debug)]
pub struct JsonFilter<'s> {
    selection: &'s Selection,
    limits: Limits,
    expected: Expected,
    containers: Vec<Container>,
    /// What may pass under the name that was read last.
    child: Option<NodeId>,
    /// That name as it was written, with its quotes, where it came in an earlier chunk; or the part of it that did.
    name: Vec<u8>,
    /// Whether the token at the end of the last chunk was being let through.
    in_run: bool,
    utf8: Utf8,
    hasher: RandomState,
}

/// The part of one chunk that is being let through.
struct Run<'c> {
    chunk: &'c [u8],
    start: Option<usize>,
    /// Up to where the run is certain; the rest waits for the next value.
    firm: usize,
}

impl Run<'_> {
    /// Ends the run at the place up to which it is certain.
    #[inline]
    fn end(&mut self, out: &mut Vec<u8>) {
        if let Some(start) = self.start.take() {
            out.extend_from_slice(&self.chunk[start..self.firm]);
        }
    }
}

impl<'s> JsonFilter<'s> {
    /// A filter for one document.
    #[must_use]
    pub fn new(selection: &'s Selection, limits: Limits) -> Self {
        Self {
            selection,
            limits,
            expected: Expected::Value { or_end: false },
            containers: Vec::new(),
            child: Some(Selection::ROOT),
            name: Vec::new(),
            in_run: false,
            utf8: Utf8::default(),
            hasher: RandomState::new(),
        }
    }

    /// Takes in the next chunk and appends what passes to `out`.
    ///
    /// # Errors
    ///
    /// [`Refusal`]; the filter is of no more use then, and what was appended is a part of what would have passed.
    pub fn feed(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
        self.utf8.feed(chunk)?;
        let mut run = Run { chunk, start: self.in_run.then_some(0), firm: 0 };
        let mut name = 0..0;
        let mut at = 0;
        while at < chunk.len() {
            at = match self.expected {
                Expected::String(escape) => self.string(escape, at, &mut run)?,
                Expected::InName(escape) => self.inside_name(escape, at, &mut name, chunk)?,
                Expected::Number(number) => self.number(number, at, &mut run)?,
                Expected::Literal(rest) => self.literal(rest, at, &mut run)?,
                Expected::Name { .. } if chunk[at] == b'"' => self.member(at, &mut run, &mut name, out)?,
                _ => self.structure(at, &mut run, &mut name, out)?,
            };
        }
        self.end_of_chunk(&mut run, name, out)
    }

    /// Whether anything but white space has come.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.expected != (Expected::Value { or_end: false }) || !self.containers.is_empty() || !self.utf8.is_complete()
    }

    /// Ends the document; the filter is ready for another one then.
    ///
    /// # Errors
    ///
    /// [`Refusal::Truncated`] where it is not complete.
    pub fn finish(&mut self) -> Result<(), Refusal> {
        let complete = match self.expected {
            Expected::AfterValue => true,
            // Only what follows a number shows where it ends.
            Expected::Number(number) => number.may_end(),
            _ => false,
        };
        if !complete || !self.containers.is_empty() || !self.utf8.is_complete() {
            return Err(Refusal::Truncated);
        }
        self.expected = Expected::Value { or_end: false };
        self.child = Some(Selection::ROOT);
        self.in_run = false;
        Ok(())
    }

    fn end_of_chunk(
        &mut self,
        run: &mut Run<'_>,
        name: std::ops::Range<usize>,
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        let in_token = matches!(self.expected, Expected::String(_) | Expected::Number(_) | Expected::Literal(_));
        self.in_run = in_token && run.start.is_some();
        if self.in_run {
            run.firm = run.chunk.len();
        }
        run.end(out);
        let waits = match self.expected {
            Expected::InName(_) => name.start..run.chunk.len(),
            Expected::Colon | Expected::Value { .. } => name,
            _ => 0..0,
        };
        self.name.extend_from_slice(&run.chunk[waits]);
        if self.name.len() > self.limits.name_bytes { Err(Refusal::NameLength) } else { Ok(()) }
    }

    /// A name as most are written, in one go: no escape in it, whole in the chunk, the colon and the value behind it.
    #[inline]
    fn member(
        &mut self,
        at: usize,
        run: &mut Run<'_>,
        name: &mut std::ops::Range<usize>,
        out: &mut Vec<u8>,
    ) -> Result<usize, Refusal> {
        let end = at + 1 + plain_text(&run.chunk[at + 1..]);
        let Some(&[b'"', b':', first]) = run.chunk.get(end..end + 3) else { return self.structure(at, run, name, out) };
        if end + 1 - at > self.limits.name_bytes || matches!(first, b' ' | b'\n' | b'\r' | b'\t') {
            return self.structure(at, run, name, out);
        }
        self.name.clear();
        *name = at..end + 1;
        self.named(&run.chunk[at + 1..end])?;
        self.value(first, end + 2, run, name, out)?;
        Ok(end + 3)
    }

    /// White space, punctuation, and the first byte of everything else.
    #[inline]
    fn structure(
        &mut self,
        at: usize,
        run: &mut Run<'_>,
        name: &mut std::ops::Range<usize>,
        out: &mut Vec<u8>,
    ) -> Result<usize, Refusal> {
        let byte = run.chunk[at];
        if matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
            run.end(out);
            return Ok(at + white_space(&run.chunk[at..]));
        }
        match (self.expected, byte) {
            (Expected::Name { .. }, b'"') => {
                *name = at..at;
                self.name.clear();
                self.expected = Expected::InName(Escape::Text);
            }
            (Expected::Colon, b':') => self.expected = Expected::Value { or_end: false },
            (Expected::AfterValue, b',') => match self.containers.last() {
                Some(container) => self.expected = container.next(),
                None => return Err(Refusal::TrailingBytes),
            },
            (Expected::AfterValue | Expected::Name { or_end: true }, b'}') => return self.close(true, at, run),
            (Expected::AfterValue | Expected::Value { or_end: true }, b']') => return self.close(false, at, run),
            (Expected::Value { .. }, _) => self.value(byte, at, run, name, out)?,
            (Expected::AfterValue, _) if self.containers.is_empty() => return Err(Refusal::TrailingBytes),
            _ => return Err(Refusal::Syntax),
        }
        Ok(at + 1)
    }

    /// The first byte of a value: now it is known what becomes of it.
    #[inline]
    fn value(
        &mut self,
        byte: u8,
        at: usize,
        run: &mut Run<'_>,
        name: &mut std::ops::Range<usize>,
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        let is_container = matches!(byte, b'{' | b'[');
        let fate = self.fate(is_container);
        if let Some(container) = self.containers.last_mut() {
            if fate == Fate::Dropped {
                run.end(out);
            } else {
                if run.start.is_none() {
                    if container.has_output {
                        out.push(b',');
                    }
                    if container.is_object {
                        out.extend_from_slice(&self.name);
                        out.extend_from_slice(&run.chunk[name.clone()]);
                        out.push(b':');
                    }
                    run.start = Some(at);
                }
                container.has_output = true;
            }
        } else if fate == Fate::Dropped {
            return Err(Refusal::UndeclaredDocument);
        } else {
            run.start = Some(at);
        }
        self.name.clear();
        *name = 0..0;
        self.expected = match byte {
            b'{' | b'[' => {
                if self.containers.len() >= self.limits.depth {
                    return Err(Refusal::Depth);
                }
                let is_object = byte == b'{';
                self.containers.push(Container { is_object, fate, has_output: false, seen: 0, seen_names: None });
                run.firm = at + 1;
                if is_object { Expected::Name { or_end: true } } else { Expected::Value { or_end: true } }
            }
            b'"' => Expected::String(Escape::Text),
            b'-' => Expected::Number(Number::Minus),
            b'0' => Expected::Number(Number::Zero),
            b'1'..=b'9' => Expected::Number(Number::Integer),
            b't' => Expected::Literal(b"rue"),
            b'f' => Expected::Literal(b"alse"),
            b'n' => Expected::Literal(b"ull"),
            _ => return Err(Refusal::Syntax),
        };
        Ok(())
    }

    #[inline]
    fn fate(&self, is_container: bool) -> Fate {
        let child = match self.containers.last() {
            None => self.child,
            Some(container) => match container.fate {
                Fate::Dropped => return Fate::Dropped,
                Fate::Passes => return Fate::Passes,
                Fate::Filtered(_) if container.is_object => self.child,
                Fate::Filtered(id) => self.selection.element(id),
            },
        };
        let Some(id) = child else { return Fate::Dropped };
        let node = self.selection.node(id);
        if node.subtree || (!is_container && node.leaf) {
            Fate::Passes
        } else if is_container && node.is_inner() {
            Fate::Filtered(id)
        } else {
            Fate::Dropped
        }
    }

    #[inline]
    fn close(&mut self, is_object: bool, at: usize, run: &mut Run<'_>) -> Result<usize, Refusal> {
        match self.containers.pop() {
            Some(container) if container.is_object == is_object => {
                if container.fate != Fate::Dropped {
                    run.start.get_or_insert(at);
                }
                Ok(self.value_ended(at + 1, run))
            }
            Some(_) => Err(Refusal::Syntax),
            None => Err(Refusal::TrailingBytes),
        }
    }

    /// Takes a comma with it where one follows at once. Returns the next place.
    #[inline]
    fn value_ended(&mut self, at: usize, run: &mut Run<'_>) -> usize {
        run.firm = at;
        self.expected = Expected::AfterValue;
        if let (Some(b','), Some(container)) = (run.chunk.get(at), self.containers.last()) {
            self.expected = container.next();
            return at + 1;
        }
        at
    }

    #[inline]
    fn string(&mut self, escape: Escape, at: usize, run: &mut Run<'_>) -> Result<usize, Refusal> {
        if escape == Escape::Text {
            let end = at + plain_text(&run.chunk[at..]);
            if run.chunk.get(end) == Some(&b'"') {
                return Ok(self.value_ended(end + 1, run));
            }
        }
        let (escape, at) = text(escape, run.chunk, at)?;
        let Some(escape) = escape else { return Ok(self.value_ended(at, run)) };
        self.expected = Expected::String(escape);
        Ok(at)
    }

    #[inline]
    fn inside_name(
        &mut self,
        escape: Escape,
        at: usize,
        name: &mut std::ops::Range<usize>,
        chunk: &[u8],
    ) -> Result<usize, Refusal> {
        let (escape, at) = text(escape, chunk, at)?;
        if let Some(escape) = escape {
            self.expected = Expected::InName(escape);
            return Ok(at);
        }
        name.end = at;
        self.expected = Expected::Colon;
        let here = &chunk[name.clone()];
        if self.name.len() + here.len() > self.limits.name_bytes {
            return Err(Refusal::NameLength);
        }
        let whole = [self.name.as_slice(), here].concat();
        self.named(&unescaped(&whole[1..whole.len() - 1]))?;
        Ok(at)
    }

    /// Notes what may pass under a name. Only names that may pass are held against those before: the others go anyway.
    #[inline]
    fn named(&mut self, name: &[u8]) -> Result<(), Refusal> {
        self.child = None;
        let Some(container) = self.containers.last_mut() else { return Ok(()) };
        let place = match container.fate {
            Fate::Dropped => return Ok(()),
            Fate::Passes => Member::STARRED,
            Fate::Filtered(id) => {
                let Some(member) = self.selection.member(id, name) else { return Ok(()) };
                self.child = Some(member.id);
                member.place
            }
        };
        if place < u64::BITS {
            let bit = 1 << place;
            if container.seen & bit != 0 {
                return Err(Refusal::DuplicateName);
            }
            container.seen |= bit;
            return Ok(());
        }
        let seen = container.seen_names.get_or_insert_default();
        if !seen.insert(self.hasher.hash_one(name)) {
            return Err(Refusal::DuplicateName);
        }
        if seen.len() > self.limits.names { Err(Refusal::NameCount) } else { Ok(()) }
    }

    #[inline]
    fn number(&mut self, mut number: Number, mut at: usize, run: &mut Run<'_>) -> Result<usize, Refusal> {
        while let Some(&byte) = run.chunk.get(at) {
            match number.after(byte) {
                Some(next) => {
                    number = next;
                    at += 1;
                    if matches!(number, Number::Integer | Number::Fraction | Number::Exponent) {
                        at += digits(&run.chunk[at..]);
                    }
                }
                None if number.may_end() => return Ok(self.value_ended(at, run)),
                None => return Err(Refusal::Syntax),
            }
        }
        self.expected = Expected::Number(number);
        Ok(at)
    }

    #[inline]
    fn literal(&mut self, rest: &'static [u8], at: usize, run: &mut Run<'_>) -> Result<usize, Refusal> {
        let here = &run.chunk[at..];
        let common = rest.len().min(here.len());
        if rest[..common] != here[..common] {
            return Err(Refusal::Syntax);
        }
        if common == rest.len() {
            return Ok(self.value_ended(at + common, run));
        }
        self.expected = Expected::Literal(&rest[common..]);
        Ok(at + common)
    }
}

impl Number {
    /// Where a further byte leads; `None` for one that is no part of the number.
    #[inline]
    fn after(self, byte: u8) -> Option<Self> {
        match (self, byte) {
            (Self::Minus, b'0') => Some(Self::Zero),
            (Self::Minus, b'1'..=b'9') | (Self::Integer, b'0'..=b'9') => Some(Self::Integer),
            (Self::Zero | Self::Integer, b'.') => Some(Self::Point),
            (Self::Point | Self::Fraction, b'0'..=b'9') => Some(Self::Fraction),
            (Self::Zero | Self::Integer | Self::Fraction, b'e' | b'E') => Some(Self::E),
            (Self::E, b'+' | b'-') => Some(Self::Sign),
            (Self::E | Self::Sign | Self::Exponent, b'0'..=b'9') => Some(Self::Exponent),
            _ => None,
        }
    }

    fn may_end(self) -> bool {
        matches!(self, Self::Zero | Self::Integer | Self::Fraction | Self::Exponent)
    }
}

/// Reads on in a string from `at`. Returns where it stands in it, `None` after the closing quote, and the next place.
#[inline]
fn text(mut escape: Escape, chunk: &[u8], mut at: usize) -> Result<(Option<Escape>, usize), Refusal> {
    loop {
        if escape == Escape::Text {
            at += plain_text(&chunk[at..]);
        }
        let Some(&byte) = chunk.get(at) else { return Ok((Some(escape), at)) };
        at += 1;
        escape = match (escape, byte) {
            (Escape::Text, b'"') => return Ok((None, at)),
            (Escape::Text, b'\\') => Escape::Backslash,
            (Escape::Backslash, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Escape::Text,
            (Escape::Backslash, b'u') => Escape::Hex { left: 4, value: 0, high: None },
            (Escape::Hex { left, value, high }, _) => {
                let Some(digit) = hexadecimal(byte) else { return Err(Refusal::Syntax) };
                let value = value << 4 | digit;
                if left > 1 { Escape::Hex { left: left - 1, value, high } } else { character(value, high)? }
            }
            (Escape::High(high), b'\\') => Escape::HighBackslash(high),
            (Escape::HighBackslash(high), b'u') => Escape::Hex { left: 4, value: 0, high: Some(high) },
            (Escape::High(_) | Escape::HighBackslash(_), _) => return Err(Refusal::Encoding),
            _ => return Err(Refusal::Syntax),
        };
    }
}

/// What a unit of UTF-16 means after the one before it.
fn character(unit: u16, high: Option<u16>) -> Result<Escape, Refusal> {
    match (unit, high) {
        (0xd800..=0xdbff, None) => Ok(Escape::High(unit)),
        (0xdc00..=0xdfff, Some(_)) => Ok(Escape::Text),
        (0xdc00..=0xdfff, None) | (_, Some(_)) => Err(Refusal::Encoding),
        _ => Ok(Escape::Text),
    }
}

/// The characters that a valid string of JSON stands for.
fn unescaped(inside: &[u8]) -> Vec<u8> {
    let mut found = Vec::with_capacity(inside.len());
    let mut rest = inside;
    while let Some(start) = rest.iter().position(|&byte| byte == b'\\') {
        found.extend_from_slice(&rest[..start]);
        let byte = rest[start + 1];
        rest = &rest[start + 2..];
        match byte {
            b'b' => found.push(8),
            b'f' => found.push(12),
            b'n' => found.push(b'\n'),
            b'r' => found.push(b'\r'),
            b't' => found.push(b'\t'),
            b'u' => {
                let mut units = vec![unit(rest)];
                rest = &rest[4..];
                if (0xd800..0xdc00).contains(&units[0]) {
                    units.push(unit(&rest[2..]));
                    rest = &rest[6..];
                }
                let mut buffer = [0; 4];
                for character in char::decode_utf16(units).flatten() {
                    found.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
                }
            }
            other => found.push(other),
        }
    }
    found.extend_from_slice(rest);
    found
}

fn unit(hex: &[u8]) -> u16 {
    hex[..4].iter().fold(0, |value, &byte| value << 4 | hexadecimal(byte).unwrap_or(0))
}

fn hexadecimal(byte: u8) -> Option<u16> {
    char::from(byte).to_digit(16).and_then(|digit| u16::try_from(digit).ok())
}
