//! What messages consist of, as the compiler of protocol buffers writes it down.

use std::collections::HashMap;
use std::fmt;

use prost::Message;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet};

/// Why descriptors, or pointers into their messages, are of no use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescriptorError(String);

impl DescriptorError {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

impl fmt::Display for DescriptorError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for DescriptorError {}

/// The messages of a `google.protobuf.FileDescriptorSet`.
#[derive(Clone, Debug, Default)]
pub struct DescriptorSet {
    messages: HashMap<Box<str>, Descriptor>,
}

/// A message.
#[derive(Clone, Debug)]
pub(super) struct Descriptor {
    /// Its full name.
    pub name: Box<str>,
    pub fields: Vec<FieldDescriptor>,
    /// Whether it is an element of a map: field 1 is its key, field 2 its value.
    pub is_map_entry: bool,
}

/// A field of a message.
#[derive(Clone, Debug)]
pub(super) struct FieldDescriptor {
    pub number: u32,
    pub name: Box<str>,
    pub json_name: Box<str>,
    pub kind: Type,
    pub is_repeated: bool,
    /// The full name of the message that it holds; empty where it holds none.
    pub message: Box<str>,
    /// The place of its oneof among those of the message.
    pub oneof: Option<i32>,
}

impl DescriptorSet {
    /// Reads a serialized `google.protobuf.FileDescriptorSet`, as `protoc --descriptor_set_out --include_imports` or
    /// `buf build` write it.
    ///
    /// # Errors
    ///
    /// [`DescriptorError`] where it is none, or a message of it is not described in full or stands twice.
    pub fn decode(bytes: &[u8]) -> Result<Self, DescriptorError> {
        let set = FileDescriptorSet::decode(bytes).map_err(|_| {
            DescriptorError::new(
                "it is no FileDescriptorSet: write one with `protoc --include_imports --descriptor_set_out`",
            )
        })?;
        let mut found = Self::default();
        for file in &set.file {
            let FileDescriptorProto { package, message_type, .. } = file;
            let package = package.as_deref().filter(|package| !package.is_empty());
            for message in message_type {
                found.add(package, message)?;
            }
        }
        Ok(found)
    }

    pub(super) fn message(&self, name: &str) -> Result<&Descriptor, DescriptorError> {
        self.messages.get(name).ok_or_else(|| {
            DescriptorError::new(format!("no message {name:?} is described: name it in full, and include all imports"))
        })
    }

    fn add(&mut self, scope: Option<&str>, message: &DescriptorProto) -> Result<(), DescriptorError> {
        let own = message.name.as_deref().unwrap_or_default();
        let name = scope.map_or_else(|| own.to_owned(), |scope| format!("{scope}.{own}"));
        let fields = message.field.iter().map(FieldDescriptor::new).collect::<Option<_>>().ok_or_else(|| {
            DescriptorError::new(format!("a field of {name} is not described by name, number, type and label"))
        })?;
        for nested in &message.nested_type {
            self.add(Some(&name), nested)?;
        }
        let is_map_entry = message.options.as_ref().is_some_and(prost_types::MessageOptions::map_entry);
        let described = Descriptor { name: name.as_str().into(), fields, is_map_entry };
        match self.messages.insert(name.as_str().into(), described) {
            None => Ok(()),
            Some(_) => Err(DescriptorError::new(format!("it describes {name} twice"))),
        }
    }
}

impl Descriptor {
    /// The field that a pointer means by a name; none where it may mean two.
    pub fn named(&self, name: &[u8]) -> Option<&FieldDescriptor> {
        let is_named = |field: &&FieldDescriptor| field.name.as_bytes() == name || field.json_name.as_bytes() == name;
        let mut found = self.fields.iter().filter(is_named);
        found.next().filter(|_| found.next().is_none())
    }
}

impl FieldDescriptor {
    fn new(written: &FieldDescriptorProto) -> Option<Self> {
        let name = written.name.as_deref().filter(|name| !name.is_empty())?;
        let kind = Type::try_from(written.r#type?).ok()?;
        let message = match kind {
            // The compiler writes every name of a type in full, which begins with a dot.
            Type::Message => written.type_name.as_deref()?.strip_prefix('.')?,
            _ => "",
        };
        Some(Self {
            number: u32::try_from(written.number?).ok()?,
            name: name.into(),
            json_name: written.json_name.clone().unwrap_or_else(|| json_name(name)).into(),
            kind,
            is_repeated: Label::try_from(written.label?).ok()? == Label::Repeated,
            message: message.into(),
            oneof: written.oneof_index,
        })
    }
}

/// A field's name in JSON where the compiler has not written it down: lowerCamelCase ("`ProtoJSON` Format").
fn json_name(name: &str) -> String {
    let mut found = String::with_capacity(name.len());
    let mut is_first = false;
    for character in name.chars() {
        if character == '_' {
            is_first = true;
        } else {
            found.push(if is_first { character.to_ascii_uppercase() } else { character });
            is_first = false;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(fields: Vec<FieldDescriptorProto>) -> Result<DescriptorSet, DescriptorError> {
        let message = DescriptorProto { name: Some("M".to_owned()), field: fields, ..DescriptorProto::default() };
        let file = FileDescriptorProto {
            package: Some("shop".to_owned()),
            message_type: vec![message],
            ..FileDescriptorProto::default()
        };
        DescriptorSet::decode(&FileDescriptorSet { file: vec![file] }.encode_to_vec())
    }

    fn field(name: &str, number: i32) -> FieldDescriptorProto {
        FieldDescriptorProto {
            name: Some(name.to_owned()),
            number: Some(number),
            label: Some(Label::Optional as i32),
            r#type: Some(Type::String as i32),
            ..FieldDescriptorProto::default()
        }
    }

    #[test]
    fn a_field_is_known_by_both_of_its_names() {
        let set = decoded(vec![field("user_id_2", 1)]).unwrap();
        let message = set.message("shop.M").unwrap();
        assert_eq!(message.named(b"user_id_2").map(|field| field.number), Some(1));
        assert_eq!(message.named(b"userId2").map(|field| field.number), Some(1));
        assert!(message.named(b"userID2").is_none());
    }

    #[test]
    fn a_name_that_may_mean_two_fields_means_none() {
        let set = decoded(vec![field("user_id", 1), field("userId", 2)]).unwrap();
        assert!(set.message("shop.M").unwrap().named(b"userId").is_none());
    }

    #[test]
    fn what_describes_nothing_in_full_is_refused() {
        assert!(DescriptorSet::decode(b"no descriptor set").is_err());
        let error = decoded(vec![FieldDescriptorProto { r#type: None, ..field("a", 1) }]).unwrap_err().to_string();
        assert!(error.contains("shop.M"), "{error}");
        let error = decoded(vec![field("a", 1)]).unwrap().message("shop.N").unwrap_err().to_string();
        assert!(error.contains("shop.N"), "{error}");
    }
}
