//! Which fields of a message pass: pointers as [`crate::Selection`] has them, made into a tree by field number.
//!
//! A name is that of the descriptor or of its JSON form. `*` stands for every element of a repeated field and every
//! value of a map, whose keys pass with them. `/**` lets everything through that the descriptors know below it; what
//! they do not know never passes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use prost_types::field_descriptor_proto::Type;

use super::descriptor::{Descriptor, DescriptorError, DescriptorSet, FieldDescriptor};
use crate::minimize::pointer::{Token, tokens};
use crate::{Protection, Treatment};

/// An allow-list of the fields of one message.
#[derive(Clone, Debug)]
pub struct MessageSelection {
    nodes: Vec<Node>,
}

/// A node of the tree, by its place in [`MessageSelection::nodes`].
pub(super) type NodeId = usize;

/// A message in its place in another.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    /// In the order of their numbers.
    fields: Vec<Field>,
    /// How many things may stand once in it: singular fields, and oneofs.
    pub slots: usize,
    /// Whether it names the data subject of all that it holds.
    pub names_subject: bool,
}

/// What becomes of a field.
#[derive(Clone, Debug)]
pub(super) struct Field {
    number: u32,
    pub kind: Type,
    pub is_repeated: bool,
    pub fate: Fate,
    pub is_subject: bool,
    /// What is done inside it, where it holds a message.
    pub below: Option<NodeId>,
    /// What it takes of that which may stand once.
    pub slot: Option<usize>,
}

#[derive(Clone, Debug)]
pub(super) enum Fate {
    /// It is looked at and does not pass.
    Dropped,
    Passes,
    Protected(Arc<Protection>),
}

/// What pointers say of a message.
#[derive(Debug, Default)]
struct Sketch {
    is_whole: bool,
    /// Not even where it stands in a whole.
    is_dropped: bool,
    parts: BTreeMap<u32, Part>,
}

/// What pointers say of a field.
#[derive(Debug, Default)]
struct Part {
    passes: bool,
    is_dropped: bool,
    protection: Option<Arc<Protection>>,
    is_subject: bool,
    below: Sketch,
}

/// Its content is of any type, so that no field in it can be told.
const ANY: &str = "google.protobuf.Any";

/// Messages whose form in JSON is a single value ("`ProtoJSON` Format"): a pointer to them means all of them.
const SINGLE_VALUES: &[&str] = &[
    "google.protobuf.BoolValue",
    "google.protobuf.BytesValue",
    "google.protobuf.DoubleValue",
    "google.protobuf.Duration",
    "google.protobuf.FieldMask",
    "google.protobuf.FloatValue",
    "google.protobuf.Int32Value",
    "google.protobuf.Int64Value",
    "google.protobuf.StringValue",
    "google.protobuf.Timestamp",
    "google.protobuf.UInt32Value",
    "google.protobuf.UInt64Value",
];

const MAP_KEY: u32 = 1;
const MAP_VALUE: u32 = 2;

impl MessageSelection {
    /// The allow-list of these pointers into the message of that full name, with what is to be done with each.
    ///
    /// # Errors
    ///
    /// [`DescriptorError`] where the set lacks the message or one that it holds, and for a pointer that leads to no
    /// field, or to one that cannot be treated so: only strings are changed, only strings and integers name somebody.
    pub fn with<'p>(
        set: &DescriptorSet,
        message: &str,
        pointers: impl IntoIterator<Item = (&'p str, Treatment)>,
    ) -> Result<Self, DescriptorError> {
        let descriptor = set.message(message)?;
        let mut sketch = Sketch::default();
        for (pointer, treatment) in pointers {
            let wrong = |reason| DescriptorError::new(format!("{pointer:?} is no pointer into {message}: {reason}"));
            let tokens = tokens(pointer).map_err(|error| DescriptorError::new(error.to_string()))?;
            let is_watched = treatment.protection.is_some() || treatment.is_subject;
            if is_watched && matches!(tokens.last(), Some(Token::Rest)) {
                return Err(wrong("a subtree passes as it is: name the field that is changed".to_owned()));
            }
            Sketcher { set, treatment: &treatment }.message(&mut sketch, descriptor, &tokens).map_err(wrong)?;
        }
        let mut builder = Builder { set, nodes: Vec::new(), whole: HashMap::new() };
        builder.message(&sketch, false, message)?;
        Ok(Self { nodes: builder.nodes })
    }

    pub(super) const ROOT: NodeId = 0;

    pub(super) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id]
    }
}

impl Node {
    pub(super) fn field(&self, number: u32) -> Option<&Field> {
        self.fields.binary_search_by_key(&number, |field| field.number).ok().map(|place| &self.fields[place])
    }
}

impl Sketch {
    fn passes(&self, inherits: bool) -> bool {
        self.is_whole(inherits) || self.parts.values().any(|part| part.passes || part.below.passes(false))
    }

    fn is_whole(&self, inherits: bool) -> bool {
        self.is_whole || inherits && !self.is_dropped
    }
}

/// Notes one pointer in a sketch. Its errors say why the pointer is none.
struct Sketcher<'s> {
    set: &'s DescriptorSet,
    treatment: &'s Treatment,
}

impl Sketcher<'_> {
    fn message(&self, sketch: &mut Sketch, message: &Descriptor, tokens: &[Token]) -> Result<(), String> {
        let Descriptor { name, .. } = message;
        match tokens {
            [] => Err(format!("{name} is a message: name its fields, or end in /** for all of it")),
            [Token::Rest, ..] => {
                sketch.is_whole |= self.treatment.passes;
                sketch.is_dropped |= !self.treatment.passes;
                Ok(())
            }
            _ if **name == *ANY => Err(format!("{ANY} may hold anything and passes as a whole: end in /**")),
            [Token::Star, ..] => {
                Err(format!("* stands for elements and values of maps, and {name} is a message: name its fields"))
            }
            [Token::Name(field), rest @ ..] => {
                let field = message.named(field).ok_or_else(|| {
                    format!("{name} has no field {:?}, or more than one", String::from_utf8_lossy(field))
                })?;
                self.field(sketch.parts.entry(field.number).or_default(), field, rest)
            }
        }
    }

    fn field(&self, part: &mut Part, field: &FieldDescriptor, tokens: &[Token]) -> Result<(), String> {
        let FieldDescriptor { name, .. } = field;
        if field.kind == Type::Group {
            return Err(format!("{name} is a group, and groups are refused"));
        }
        if !field.is_repeated {
            return self.value(part, field, tokens);
        }
        match tokens {
            [Token::Rest] => self.value(part, field, tokens),
            [Token::Star, rest @ ..] => match self.map_value(field)? {
                Some(value) => {
                    part.below.parts.entry(MAP_KEY).or_default().passes |= self.treatment.passes;
                    self.value(part.below.parts.entry(MAP_VALUE).or_default(), value, rest)
                }
                None => self.value(part, field, rest),
            },
            _ => Err(format!("{name} is repeated or a map: go on with * for each of its values, or end in /**")),
        }
    }

    fn map_value(&self, field: &FieldDescriptor) -> Result<Option<&FieldDescriptor>, String> {
        if field.kind != Type::Message {
            return Ok(None);
        }
        let entry = self.set.message(&field.message).map_err(|error| error.to_string())?;
        let mut fields = entry.fields.iter().filter(|_| entry.is_map_entry);
        Ok(fields.find(|field| field.number == MAP_VALUE))
    }

    /// A field, or an element of one.
    fn value(&self, part: &mut Part, field: &FieldDescriptor, tokens: &[Token]) -> Result<(), String> {
        let FieldDescriptor { name, kind, .. } = field;
        let treatment = self.treatment;
        let is_watched = treatment.protection.is_some() || treatment.is_subject;
        if *kind == Type::Message {
            let message = self.set.message(&field.message).map_err(|error| error.to_string())?;
            let is_single = tokens.is_empty() && !is_watched && SINGLE_VALUES.contains(&&*message.name);
            return self.message(&mut part.below, message, if is_single { &[Token::Rest] } else { tokens });
        }
        if !matches!(tokens, [] | [Token::Rest]) {
            return Err(format!("{name} holds no fields"));
        }
        if treatment.protection.is_some() && *kind != Type::String {
            return Err(format!("{name} is a {}, and only strings can be changed", kind.as_str_name()));
        }
        if treatment.is_subject && (field.is_repeated || !can_name(*kind)) {
            return Err(format!("{name} names no data subject: one string or integer does"));
        }
        part.passes |= treatment.passes;
        part.is_dropped |= !treatment.passes && !treatment.is_subject;
        part.is_subject |= treatment.is_subject;
        if treatment.protection.is_some() {
            part.protection.clone_from(&treatment.protection);
        }
        Ok(())
    }
}

/// Whether values of a type are taken for the name of somebody.
fn can_name(kind: Type) -> bool {
    !matches!(kind, Type::Bool | Type::Bytes | Type::Double | Type::Enum | Type::Float | Type::Group | Type::Message)
}

/// Makes a tree of a sketch.
struct Builder<'s> {
    set: &'s DescriptorSet,
    nodes: Vec<Node>,
    /// Nodes of messages of which everything passes: those may hold themselves.
    whole: HashMap<Box<str>, NodeId>,
}

impl Builder<'_> {
    fn message(&mut self, sketch: &Sketch, inherits: bool, name: &str) -> Result<NodeId, DescriptorError> {
        let is_whole = sketch.is_whole(inherits);
        let is_shared = is_whole && sketch.parts.is_empty();
        if let (true, Some(&id)) = (is_shared, self.whole.get(name)) {
            return Ok(id);
        }
        let id = self.nodes.len();
        self.nodes.push(Node::default());
        if is_shared {
            self.whole.insert(name.into(), id);
        }
        let message = self.set.message(name)?;
        let mut fields = Vec::new();
        let untouched = Part::default();
        for field in &message.fields {
            match sketch.parts.get(&field.number) {
                None if !is_whole => {}
                _ if field.kind == Type::Group => {}
                part => fields.push((self.field(field, part.unwrap_or(&untouched), is_whole)?, field.oneof)),
            }
        }
        // Of a oneof the last member counts, so that a declared one and another cannot stand side by side.
        let oneofs: Vec<i32> = fields.iter().filter_map(|(_, oneof)| *oneof).collect();
        for field in message.fields.iter().filter(|field| field.oneof.is_some_and(|oneof| oneofs.contains(&oneof))) {
            if fields.iter().all(|(known, _)| known.number != field.number) {
                fields.push((Field::dropped(field), field.oneof));
            }
        }
        self.nodes[id] = self.node(fields);
        Ok(id)
    }

    fn field(&mut self, field: &FieldDescriptor, part: &Part, inherits: bool) -> Result<Field, DescriptorError> {
        let is_message = field.kind == Type::Message;
        let passes = if is_message { part.below.passes(inherits) } else { part.passes || inherits && !part.is_dropped };
        let below = if is_message { Some(self.message(&part.below, inherits, &field.message)?) } else { None };
        let fate = match &part.protection {
            _ if !passes => Fate::Dropped,
            Some(protection) => Fate::Protected(Arc::clone(protection)),
            None => Fate::Passes,
        };
        Ok(Field { fate, below, is_subject: part.is_subject, ..Field::dropped(field) })
    }

    fn node(&self, mut described: Vec<(Field, Option<i32>)>) -> Node {
        described.sort_by_key(|(field, _)| field.number);
        let mut node = Node::default();
        let mut oneofs: HashMap<i32, usize> = HashMap::new();
        for (mut field, oneof) in described {
            if !field.is_repeated {
                let next = node.slots;
                let slot = oneof.map_or(next, |oneof| *oneofs.entry(oneof).or_insert(next));
                node.slots = next.max(slot + 1);
                field.slot = Some(slot);
                node.names_subject |= field.is_subject || field.below.is_some_and(|id| self.nodes[id].names_subject);
            }
            node.fields.push(field);
        }
        node
    }
}

impl Field {
    fn dropped(field: &FieldDescriptor) -> Self {
        Self {
            number: field.number,
            kind: field.kind,
            is_repeated: field.is_repeated,
            fate: Fate::Dropped,
            is_subject: false,
            below: None,
            slot: None,
        }
    }
}
