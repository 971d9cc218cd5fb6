//! The head of a message: read once, decided upon, and changed in one go.

use std::ops::Range;

use crate::abi::raw::HeaderKind;
use crate::abi::stream::Stream;

/// All headers, in order, for as long as none is changed.
pub struct Head<'s> {
    headers: Vec<(&'s str, &'s [u8])>,
}

impl<'s> Head<'s> {
    /// Reads the headers. Envoy lets no names in that are not ASCII; such a one would never be declared.
    pub fn read(stream: &'s Stream<'_>, kind: HeaderKind) -> Self {
        let text = |name| std::str::from_utf8(name).unwrap_or("?");
        Self { headers: stream.headers(kind).into_iter().map(|(name, value)| (text(name), value)).collect() }
    }

    /// The first value of a header, and how many there are.
    pub fn first(&self, name: &str) -> Option<(&'s [u8], usize)> {
        let mut values = self.headers.iter().filter(|header| header.0 == name);
        let first = values.next()?.1;
        Some((first, 1 + values.count()))
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&'s str, &'s [u8])> {
        self.headers.iter().copied()
    }
}

/// Changes of a head, kept in one text until nothing of the head is looked at any more.
#[derive(Default)]
pub struct Edits {
    text: String,
    edits: Vec<Edit>,
}

struct Edit {
    name: Range<usize>,
    /// The only value that the header has then; it goes where there is none.
    value: Option<Range<usize>>,
}

impl Edits {
    /// Sets a header to one value.
    pub fn set(&mut self, name: &str, value: &str) {
        let value = self.hold(value);
        self.put(name, Some(value));
    }

    /// Removes a header.
    pub fn remove(&mut self, name: &str) {
        self.put(name, None);
    }

    /// Adds to the value that a header is set to: several values of one are one list (RFC 9110, section 5.3). Returns
    /// whether it was changed or removed before.
    pub fn extend(&mut self, name: &str, value: &str) -> bool {
        let Some(edit) = self.find(name) else { return false };
        let before = edit.value.clone();
        let joined = before.map_or_else(|| value.to_owned(), |before| format!("{}, {value}", &self.text[before]));
        self.set(name, &joined);
        true
    }

    /// Whether a header is changed or removed already.
    pub fn holds(&self, name: &str) -> bool {
        self.edits.iter().any(|edit| self.text[edit.name.clone()] == *name)
    }

    /// How many headers are removed.
    pub fn removed(&self) -> usize {
        self.edits.iter().filter(|edit| edit.value.is_none()).count()
    }

    /// Makes the changes.
    pub fn apply(&self, stream: &mut Stream<'_>, kind: HeaderKind) {
        for edit in &self.edits {
            let name = &self.text[edit.name.clone()];
            match &edit.value {
                Some(value) => stream.set_header(kind, name, &self.text[value.clone()]),
                None => stream.remove_header(kind, name),
            }
        }
    }

    fn put(&mut self, name: &str, value: Option<Range<usize>>) {
        if let Some(edit) = self.find(name) {
            edit.value = value;
        } else {
            let name = self.hold(name);
            self.edits.push(Edit { name, value });
        }
    }

    fn find(&mut self, name: &str) -> Option<&mut Edit> {
        self.edits.iter_mut().find(|edit| self.text[edit.name.clone()] == *name)
    }

    fn hold(&mut self, text: &str) -> Range<usize> {
        let start = self.text.len();
        self.text.push_str(text);
        start..self.text.len()
    }
}
