//! Where the filter stands: what may come next, and the chunk at hand with what passes of it.

use std::ops::Range;

use super::container::Container;
use super::number::Number;
use super::string::Escape;

/// What may come next, or in which token the filter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
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

impl Expected {
    #[inline]
    pub fn after_comma(container: &Container) -> Self {
        if container.is_object { Self::Name { or_end: false } } else { Self::Value { or_end: false } }
    }
}

/// The chunk at hand, and where what passes of it goes.
pub struct Here<'c> {
    pub chunk: &'c [u8],
    pub out: &'c mut Vec<u8>,
    /// Where the run begins, if there is one.
    pub run: Option<usize>,
    /// Up to where the run is certain; the rest waits for the next value.
    pub firm: usize,
    /// The name that was read last, as far as it stands in this chunk, with its quotes.
    pub name: Range<usize>,
    /// Where the value begins that is watched.
    pub watched: usize,
}

impl Here<'_> {
    /// Ends the run at the place up to which it is certain.
    #[inline]
    pub fn end_run(&mut self) {
        if let Some(start) = self.run.take() {
            self.out.extend_from_slice(&self.chunk[start..self.firm]);
        }
    }
}
