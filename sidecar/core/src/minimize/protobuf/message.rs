//! The filter of one message: bytes in, the declared fields of them out, as they were written.

use std::sync::Arc;

use prost_types::field_descriptor_proto::Type;

use super::selection::{Fate, Field, MessageSelection, NodeId};
use super::wire::{WireField, WireFields, WireType, check_packed, varint, write_varint};
use crate::{Limits, Refusal};

/// Messages within messages that parsers take by default; beyond it policies cannot go, for the filter calls itself.
const DEPTH: usize = 100;

/// Applies a [`MessageSelection`] to messages.
#[derive(Debug)]
pub struct MessageFilter {
    selection: Arc<MessageSelection>,
    depth: usize,
    /// The data subject of messages that name none themselves.
    subject: Option<Box<str>>,
    /// What has been seen of that which may stand once, in the message at hand and those around it.
    seen: Vec<bool>,
    named: Named,
}

/// Whom the messages so far name.
#[derive(Debug, Default)]
enum Named {
    #[default]
    Nobody,
    One(Box<str>),
    /// More than one person.
    Several,
}

impl MessageFilter {
    /// A filter; `subject` is the data subject of messages that name none themselves.
    #[must_use]
    pub fn new(selection: Arc<MessageSelection>, limits: Limits, subject: Option<&str>) -> Self {
        let depth = limits.depth.min(DEPTH);
        Self { selection, depth, subject: subject.map(Box::from), seen: Vec::new(), named: Named::default() }
    }

    /// Appends what passes of one complete message to `out`; nothing, where the message is refused.
    ///
    /// # Errors
    ///
    /// [`Refusal::Syntax`] for what is no message of this type, [`Refusal::Truncated`] where it ends inside a field,
    /// [`Refusal::Encoding`] for a string that is no UTF-8, [`Refusal::Depth`], [`Refusal::DuplicateName`] where a
    /// declared field that is not repeated stands twice or beside another of its oneof, and what
    /// [`crate::Protection::protect`] fails with.
    pub fn filter(&mut self, message: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
        let start = out.len();
        self.seen.clear();
        let selection = Arc::clone(&self.selection);
        let subject = self.subject.take();
        let filtered = self.message(&selection, MessageSelection::ROOT, message, subject.as_deref(), 0, out);
        self.subject = subject;
        filtered.inspect_err(|_| out.truncate(start))
    }

    /// The data subject, where the messages so far name one and no other.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        if let Named::One(subject) = &self.named { Some(subject) } else { None }
    }

    fn message(
        &mut self,
        selection: &MessageSelection,
        id: NodeId,
        bytes: &[u8],
        subject: Option<&str>,
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        if depth >= self.depth {
            return Err(Refusal::Depth);
        }
        let node = selection.node(id);
        let first = self.seen.len();
        self.seen.resize(first + node.slots, false);
        // Fields stand in the order of their numbers, so the subject may come after what is encrypted for it.
        let own = if node.names_subject { named(selection, id, bytes, self.depth - depth)? } else { None };
        let subject = own.as_deref().or(subject);
        for written in WireFields::of(bytes) {
            let written = written?;
            let Some(field) = node.field(written.number) else { continue };
            if let Some(slot) = field.slot
                && std::mem::replace(&mut self.seen[first + slot], true)
            {
                return Err(Refusal::DuplicateName);
            }
            if let Some(below) = field.below {
                expect(written.wire_type == WireType::Bytes)?;
                let start = out.len();
                out.extend_from_slice(written.tag);
                let length = Length::begin(out);
                self.message(selection, below, written.value, subject, depth + 1, out)?;
                length.end(out);
                if matches!(field.fate, Fate::Dropped) {
                    out.truncate(start);
                }
                continue;
            }
            if field.is_subject {
                self.named.note(&name(field, &written)?);
            }
            match &field.fate {
                Fate::Dropped => {}
                Fate::Passes => {
                    check(field, &written)?;
                    out.extend_from_slice(written.whole);
                }
                Fate::Protected(protection) => {
                    let value = protection.protect(text(&written)?, subject)?;
                    out.extend_from_slice(written.tag);
                    write_varint(value.len() as u64, out);
                    out.extend_from_slice(value.as_bytes());
                }
            }
        }
        self.seen.truncate(first);
        Ok(())
    }
}

impl Named {
    fn note(&mut self, subject: &str) {
        *self = match std::mem::take(self) {
            Self::Nobody => Self::One(subject.into()),
            Self::One(known) if *known == *subject => Self::One(known),
            _ => Self::Several,
        }
    }
}

/// The length of a message whose end is not known yet.
struct Length {
    at: usize,
}

impl Length {
    /// Leaves room for one byte, which most lengths take.
    fn begin(out: &mut Vec<u8>) -> Self {
        out.push(0);
        Self { at: out.len() - 1 }
    }

    fn end(self, out: &mut Vec<u8>) {
        let length = out.len() - self.at - 1;
        if let (Ok(short), true) = (u8::try_from(length), length < 0x80) {
            out[self.at] = short;
            return;
        }
        let mut written = Vec::new();
        write_varint(length as u64, &mut written);
        out.splice(self.at..=self.at, written);
    }
}

fn expect(is_so: bool) -> Result<(), Refusal> {
    if is_so { Ok(()) } else { Err(Refusal::Syntax) }
}

/// The data subject that a message names, in itself or in a message that stands once in it.
fn named(selection: &MessageSelection, id: NodeId, bytes: &[u8], depth: usize) -> Result<Option<String>, Refusal> {
    if depth == 0 {
        return Err(Refusal::Depth);
    }
    let mut found = None;
    for written in WireFields::of(bytes) {
        let written = written?;
        let Some(field) = selection.node(id).field(written.number) else { continue };
        if field.is_subject {
            found = Some(name(field, &written)?);
        }
        match field.below {
            Some(below) if !field.is_repeated && selection.node(below).names_subject => {
                expect(written.wire_type == WireType::Bytes)?;
                found = named(selection, below, written.value, depth - 1)?.or(found);
            }
            _ => {}
        }
    }
    Ok(found)
}

/// Whom a string or an integer names.
fn name(field: &Field, written: &WireField<'_>) -> Result<String, Refusal> {
    if field.kind == Type::String {
        return text(written).map(str::to_owned);
    }
    expect(written.wire_type == wire_type(field.kind))?;
    let number = match written.wire_type {
        WireType::Varint => varint(written.value)?.0,
        _ => written.value.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)),
    };
    // Narrower types keep the lower bits, as parsers do.
    #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)]
    Ok(match field.kind {
        Type::Int32 | Type::Sfixed32 => (number as i32).to_string(),
        Type::Int64 | Type::Sfixed64 => (number as i64).to_string(),
        Type::Uint32 | Type::Fixed32 => (number as u32).to_string(),
        Type::Sint32 => (zigzag(number & u64::from(u32::MAX)) as i32).to_string(),
        Type::Sint64 => zigzag(number).to_string(),
        _ => number.to_string(),
    })
}

/// A number of a type that keeps its sign in the lowest bit.
#[allow(clippy::cast_possible_wrap)] // the bits are meant
fn zigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

/// A string's content.
fn text<'b>(written: &WireField<'b>) -> Result<&'b str, Refusal> {
    expect(written.wire_type == WireType::Bytes)?;
    simdutf8::basic::from_utf8(written.value).map_err(|_| Refusal::Encoding)
}

/// Whether a field is what its descriptor says; one that is repeated may be packed or not, whatever its descriptor says.
fn check(field: &Field, written: &WireField<'_>) -> Result<(), Refusal> {
    let declared = wire_type(field.kind);
    if field.kind == Type::String {
        text(written).map(|_| ())
    } else if written.wire_type == declared {
        Ok(())
    } else if field.is_repeated && written.wire_type == WireType::Bytes {
        check_packed(declared, written.value)
    } else {
        Err(Refusal::Syntax)
    }
}

fn wire_type(kind: Type) -> WireType {
    match kind {
        Type::String | Type::Bytes | Type::Message | Type::Group => WireType::Bytes,
        Type::Double | Type::Fixed64 | Type::Sfixed64 => WireType::Fixed64,
        Type::Float | Type::Fixed32 | Type::Sfixed32 => WireType::Fixed32,
        Type::Bool
        | Type::Enum
        | Type::Int32
        | Type::Int64
        | Type::Sint32
        | Type::Sint64
        | Type::Uint32
        | Type::Uint64 => WireType::Varint,
    }
}
