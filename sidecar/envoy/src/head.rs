//! The head of a message: read once, decided upon, and changed in one go.

use std::ops::Range;

use lawflow_core::Values;

use crate::abi::raw::HeaderKind;
use crate::abi::stream::Stream;

/// All headers, in order, for as long as none is changed.
pub struct Head<'s> {
    headers: Vec<(&'s [u8], &'s [u8])>,
}

impl<'s> Head<'s> {
    /// Reads the headers.
    pub fn read(stream: &'s Stream<'_>, kind: HeaderKind) -> Self {
        Self { headers: stream.headers(kind) }
    }

    /// The first value of a header, and how many there are.
    pub fn first(&self, name: &str) -> Values<'s> {
        let mut values = self.headers.iter().filter(|header| header.0 == name.as_bytes());
        let first = values.next()?.1;
        Some((first, 1 + values.count()))
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&'s [u8], &'s [u8])> {
        self.headers.iter().copied()
    }
}

/// Bytes of all names and values that most heads get.
const ROOM: usize = 512;

/// Changes of a head, kept in one text until nothing of the head is looked at any more.
#[derive(Default)]
pub struct Edits {
    text: Vec<u8>,
    edits: Vec<Edit>,
}

struct Edit {
    name: Range<usize>,
    change: Change,
}

#[derive(Clone)]
enum Change {
    /// The only value that the header has then.
    Set(Range<usize>),
    /// The same for a header that is not there yet, which costs Envoy less.
    Add(Range<usize>),
    Remove,
}

impl Edits {
    /// Sets a header of the head to one value.
    pub fn set(&mut self, head: &Head<'_>, name: &str, value: &str) {
        let found = head.first(name);
        if found == Some((value.as_bytes(), 1)) && !self.holds(name.as_bytes()) {
            return;
        }
        let value = self.hold(value.as_bytes());
        self.put(name.as_bytes(), if found.is_some() { Change::Set(value) } else { Change::Add(value) });
    }

    /// Sets a header to one value more: several values of one are one list (RFC 9110, section 5.3).
    pub fn extend(&mut self, name: &[u8], value: &str) {
        let before = self.find(name).map_or(Change::Remove, |edit| edit.change.clone());
        let value = match before {
            Change::Set(before) | Change::Add(before) => {
                let joined = [at(&self.text, &before), b", ", value.as_bytes()].concat();
                self.hold(&joined)
            }
            Change::Remove => self.hold(value.as_bytes()),
        };
        self.put(name, Change::Set(value));
    }

    /// Removes a header.
    pub fn remove(&mut self, name: &[u8]) {
        self.put(name, Change::Remove);
    }

    /// Whether a header is changed or removed already.
    pub fn holds(&self, name: &[u8]) -> bool {
        self.edits.iter().any(|edit| at(&self.text, &edit.name) == name)
    }

    /// How many headers are removed.
    pub fn removed(&self) -> usize {
        self.edits.iter().filter(|edit| matches!(edit.change, Change::Remove)).count()
    }

    /// Makes the changes.
    pub fn apply(&self, stream: &mut Stream<'_>, kind: HeaderKind) {
        for edit in &self.edits {
            let name = at(&self.text, &edit.name);
            match &edit.change {
                Change::Set(value) => stream.set_header(kind, name, at(&self.text, value)),
                Change::Add(value) => stream.add_header(kind, name, at(&self.text, value)),
                Change::Remove => stream.remove_header(kind, name),
            }
        }
    }

    fn put(&mut self, name: &[u8], change: Change) {
        if let Some(edit) = self.find(name) {
            edit.change = change;
        } else {
            let name = self.hold(name);
            self.edits.push(Edit { name, change });
        }
    }

    fn find(&mut self, name: &[u8]) -> Option<&mut Edit> {
        self.edits.iter_mut().find(|edit| at(&self.text, &edit.name) == name)
    }

    fn hold(&mut self, text: &[u8]) -> Range<usize> {
        if self.text.is_empty() {
            self.text.reserve(ROOM);
        }
        let start = self.text.len();
        self.text.extend_from_slice(text);
        start..self.text.len()
    }
}

/// A part of the text, all of which was put there by [`Edits::hold`].
fn at<'t>(text: &'t [u8], place: &Range<usize>) -> &'t [u8] {
    text.get(place.clone()).unwrap_or_default()
}
