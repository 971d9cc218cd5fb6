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

use std::hash::RandomState;
use std::sync::Arc;

use super::container::{Container, Fate};
use super::limits::Limits;
use super::number::Number;
use super::place::{Expected, Here};
use super::scan::{plain_text, white_space};
use super::selection::{Member, NodeId, Selection};
use super::string::{Escape, text, unescaped};
use super::utf8::Utf8;
use crate::Refusal;

mod members;
mod scalars;
mod watched;

/// Room for containers within containers, as deep as most documents go.
const MOST_DEPTHS: usize = 8;

/// Applies a [`Selection`] to one JSON document.
#[derive(Debug)]
pub struct JsonFilter {
    selection: Arc<Selection>,
    limits: Limits,
    expected: Expected,
    containers: Vec<Container>,
    /// What may pass under the name that was read last.
    child: Option<NodeId>,
    /// That name as it was written, with its quotes, where it came in an earlier chunk; or the part of it that did.
    name: Vec<u8>,
    /// Whether the token at the end of the last chunk was being let through.
    in_run: bool,
    /// The node that wants the value at hand changed or kept.
    watching: Option<NodeId>,
    /// That value as it was written, as far as it came in earlier chunks.
    held: Vec<u8>,
    /// Who the data subject is, once that was read.
    subject: Option<Box<str>>,
    utf8: Utf8,
    hasher: RandomState,
}

impl JsonFilter {
    /// A filter for one document.
    #[must_use]
    pub fn new(selection: Arc<Selection>, limits: Limits) -> Self {
        Self {
            selection,
            limits,
            expected: Expected::Value { or_end: false },
            containers: Vec::with_capacity(MOST_DEPTHS),
            child: Some(Selection::ROOT),
            name: Vec::new(),
            in_run: false,
            watching: None,
            held: Vec::new(),
            subject: None,
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
        let mut here = Here { chunk, out, run: self.in_run.then_some(0), firm: 0, name: 0..0, watched: 0 };
        let mut at = 0;
        while at < chunk.len() {
            at = match self.expected {
                Expected::String(escape) => self.string(escape, at, &mut here)?,
                Expected::InName(escape) => self.inside_name(escape, at, &mut here)?,
                Expected::Number(number) => self.number(number, at, &mut here)?,
                Expected::Literal(rest) => self.literal(rest, at, &mut here)?,
                Expected::Name { .. } if chunk[at] == b'"' => self.members(at, &mut here)?,
                _ => self.structure(at, &mut here)?,
            };
        }
        self.end_of_chunk(&mut here)
    }

    /// Names the data subject that the values are encrypted for, and that the next document may name anew.
    pub fn set_subject(&mut self, subject: Option<&str>) {
        self.subject = subject.map(Box::from);
    }

    /// The data subject, as far as the document has named it.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
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

    fn end_of_chunk(&mut self, here: &mut Here<'_>) -> Result<(), Refusal> {
        let in_token = matches!(self.expected, Expected::String(_) | Expected::Number(_) | Expected::Literal(_));
        self.in_run = in_token && here.run.is_some();
        if self.in_run {
            here.firm = here.chunk.len();
        }
        here.end_run();
        if self.watching.is_some() {
            self.hold(&here.chunk[here.watched..])?;
        }
        let waits = match self.expected {
            Expected::InName(_) => here.name.start..here.chunk.len(),
            Expected::Colon | Expected::Value { .. } => here.name.clone(),
            _ => 0..0,
        };
        self.name.extend_from_slice(&here.chunk[waits]);
        if self.name.len() > self.limits.name_bytes { Err(Refusal::NameLength) } else { Ok(()) }
    }

    /// A name as most are written, in one go: no escape in it, whole in the chunk, the colon and the value behind it.
    #[inline]
    fn member(&mut self, at: usize, here: &mut Here<'_>) -> Result<usize, Refusal> {
        let end = at + 1 + plain_text(&here.chunk[at + 1..]);
        let Some(&[b'"', b':', first]) = here.chunk.get(end..end + 3) else { return self.structure(at, here) };
        if end + 1 - at > self.limits.name_bytes || matches!(first, b' ' | b'\n' | b'\r' | b'\t') {
            return self.structure(at, here);
        }
        self.name.clear();
        here.name = at..end + 1;
        self.named(&here.chunk[at + 1..end])?;
        self.value(first, end + 2, here)
    }

    /// White space, punctuation, and the first byte of everything else.
    #[inline]
    fn structure(&mut self, at: usize, here: &mut Here<'_>) -> Result<usize, Refusal> {
        let byte = here.chunk[at];
        if matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
            here.end_run();
            return Ok(at + white_space(&here.chunk[at..]));
        }
        match (self.expected, byte) {
            (Expected::Name { .. }, b'"') => {
                here.name = at..at;
                self.name.clear();
                self.expected = Expected::InName(Escape::Text);
            }
            (Expected::Colon, b':') => self.expected = Expected::Value { or_end: false },
            (Expected::AfterValue, b',') => match self.containers.last() {
                Some(container) => self.expected = Expected::after_comma(container),
                None => return Err(Refusal::TrailingBytes),
            },
            (Expected::AfterValue | Expected::Name { or_end: true }, b'}') => return self.close(true, at, here),
            (Expected::AfterValue | Expected::Value { or_end: true }, b']') => return self.close(false, at, here),
            (Expected::Value { .. }, _) => return self.value(byte, at, here),
            (Expected::AfterValue, _) if self.containers.is_empty() => return Err(Refusal::TrailingBytes),
            _ => return Err(Refusal::Syntax),
        }
        Ok(at + 1)
    }

    /// The first byte of a value: now it is known what becomes of it. Returns the place behind what could be read at once.
    #[inline]
    fn value(&mut self, byte: u8, at: usize, here: &mut Here<'_>) -> Result<usize, Refusal> {
        let is_container = matches!(byte, b'{' | b'[');
        let fate = self.fate(is_container);
        if let Some(container) = self.containers.last_mut() {
            let (passes, changes) = match fate {
                Fate::Dropped => (false, false),
                Fate::Watched(id) => {
                    let node = self.selection.node(id);
                    self.watching = Some(id);
                    here.watched = at;
                    (node.leaf, node.protection.is_some())
                }
                Fate::Passes | Fate::Filtered(_) => (true, false),
            };
            if !passes || changes {
                here.end_run();
            }
            if passes {
                if here.run.is_none() {
                    if container.has_output {
                        here.out.push(b',');
                    }
                    if container.is_object {
                        here.out.extend_from_slice(&self.name);
                        here.out.extend_from_slice(&here.chunk[here.name.clone()]);
                        here.out.push(b':');
                    }
                    here.run = (!changes).then_some(at);
                }
                container.has_output = true;
            }
        } else if fate == Fate::Dropped && matches!(byte, b'[' | b'{' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n')
        {
            return Err(Refusal::UndeclaredDocument);
        } else {
            here.run = Some(at);
        }
        self.name.clear();
        here.name = 0..0;
        let next = at + 1;
        match byte {
            b'"' => self.string(Escape::Text, next, here),
            b'{' | b'[' => self.open(byte == b'{', fate, next, here),
            b'-' => self.number(Number::Minus, next, here),
            b'0' => self.number(Number::Zero, next, here),
            b'1'..=b'9' => self.number(Number::Integer, next, here),
            b't' => self.literal(b"rue", next, here),
            b'f' => self.literal(b"alse", next, here),
            b'n' => self.literal(b"ull", next, here),
            _ => Err(Refusal::Syntax),
        }
    }

    #[inline]
    fn open(&mut self, is_object: bool, fate: Fate, at: usize, here: &mut Here<'_>) -> Result<usize, Refusal> {
        if self.containers.len() >= self.limits.depth {
            return Err(Refusal::Depth);
        }
        self.containers.push(Container::new(is_object, fate));
        here.firm = at;
        self.expected = if is_object { Expected::Name { or_end: true } } else { Expected::Value { or_end: true } };
        Ok(at)
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
                Fate::Watched(_) => None,
            },
        };
        let Some(id) = child else { return Fate::Dropped };
        if !is_container {
            return self.selection.single(id);
        }
        let node = self.selection.node(id);
        if node.subtree {
            Fate::Passes
        } else if node.is_inner() {
            Fate::Filtered(id)
        } else {
            Fate::Dropped
        }
    }

    #[inline]
    fn close(&mut self, is_object: bool, at: usize, here: &mut Here<'_>) -> Result<usize, Refusal> {
        match self.containers.pop() {
            Some(container) if container.is_object == is_object => {
                if container.fate != Fate::Dropped {
                    here.run.get_or_insert(at);
                }
                self.value_ended(at + 1, here)
            }
            Some(_) => Err(Refusal::Syntax),
            None => Err(Refusal::TrailingBytes),
        }
    }

    /// Takes a comma with it where one follows at once. Returns the next place.
    #[inline]
    fn value_ended(&mut self, at: usize, here: &mut Here<'_>) -> Result<usize, Refusal> {
        here.firm = at;
        self.expected = Expected::AfterValue;
        if let Some(id) = self.watching {
            self.watched_ended(id, at, here)?;
        }
        if let (Some(b','), Some(container)) = (here.chunk.get(at), self.containers.last()) {
            self.expected = Expected::after_comma(container);
            return Ok(at + 1);
        }
        Ok(at)
    }

    #[inline]
    fn inside_name(&mut self, escape: Escape, at: usize, here: &mut Here<'_>) -> Result<usize, Refusal> {
        let (escape, at) = text(escape, here.chunk, at)?;
        if let Some(escape) = escape {
            self.expected = Expected::InName(escape);
            return Ok(at);
        }
        here.name.end = at;
        self.expected = Expected::Colon;
        let part = &here.chunk[here.name.clone()];
        if self.name.len() + part.len() > self.limits.name_bytes {
            return Err(Refusal::NameLength);
        }
        let whole = [self.name.as_slice(), part].concat();
        self.named(&unescaped(&whole[1..whole.len() - 1]))?;
        Ok(at)
    }

    /// Notes what may pass under a name. Only names that may pass are held against those before: the others go anyway.
    #[inline]
    fn named(&mut self, name: &[u8]) -> Result<(), Refusal> {
        self.child = None;
        let Some(container) = self.containers.last_mut() else { return Ok(()) };
        let place = match container.fate {
            Fate::Dropped | Fate::Watched(_) => return Ok(()),
            Fate::Passes => Member::STARRED,
            Fate::Filtered(id) => {
                let Some(member) = self.selection.member(id, name) else { return Ok(()) };
                self.child = Some(member.id);
                member.place
            }
        };
        container.note(name, place, &self.hasher, self.limits.names)
    }
}
