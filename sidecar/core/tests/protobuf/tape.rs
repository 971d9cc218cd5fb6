//! Messages and pointers out of a tape of numbers, which shrinks better than they would.

use prost_reflect::bytes::Bytes;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value};

/// Numbers, and zeros for ever once they have ended.
pub struct Tape<'t> {
    rest: &'t [u8],
}

const DEPTH: usize = 4;

impl<'t> Tape<'t> {
    pub fn new(numbers: &'t [u8]) -> Self {
        Self { rest: numbers }
    }

    fn below(&mut self, end: usize) -> usize {
        let Some((&number, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        usize::from(number) % end
    }

    pub fn message(&mut self, descriptor: &MessageDescriptor) -> DynamicMessage {
        self.nested(descriptor, 0)
    }

    fn nested(&mut self, descriptor: &MessageDescriptor, depth: usize) -> DynamicMessage {
        let mut message = DynamicMessage::new(descriptor.clone());
        for field in descriptor.fields() {
            if self.below(3) == 0 || (depth == DEPTH && matches!(field.kind(), Kind::Message(_))) {
                continue;
            }
            let value = self.field(&field, depth);
            message.set_field(&field, value);
        }
        message
    }

    fn field(&mut self, field: &FieldDescriptor, depth: usize) -> Value {
        let count = self.below(4);
        if field.is_map() {
            let Kind::Message(entry) = field.kind() else { panic!("a map holds entries") };
            let (key, value) = (entry.map_entry_key_field(), entry.map_entry_value_field());
            let entries = (0..count).map(|_| (self.key(&key.kind()), self.value(&value.kind(), depth)));
            Value::Map(entries.collect())
        } else if field.is_list() {
            Value::List((0..count).map(|_| self.value(&field.kind(), depth)).collect())
        } else {
            self.value(&field.kind(), depth)
        }
    }

    fn key(&mut self, kind: &Kind) -> MapKey {
        match self.value(kind, DEPTH) {
            Value::String(text) => MapKey::String(text),
            Value::I32(number) => MapKey::I32(number),
            other => panic!("{other:?} is no key of the schema"),
        }
    }

    #[allow(clippy::cast_possible_wrap, clippy::cast_possible_truncation)] // any number will do
    fn value(&mut self, kind: &Kind, depth: usize) -> Value {
        let number = [0, 1, 2, 127, 128, 300, u64::from(u32::MAX), u64::MAX, 1 << 63, 42][self.below(10)];
        match kind {
            Kind::Double => Value::F64([0.0, 1.5, -2.25, f64::INFINITY][self.below(4)]),
            Kind::Float => Value::F32([0.0, 1.5, -2.25, f32::INFINITY][self.below(4)]),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(number as i32),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(number as i64),
            Kind::Uint32 | Kind::Fixed32 => Value::U32(number as u32),
            Kind::Uint64 | Kind::Fixed64 => Value::U64(number),
            Kind::Bool => Value::Bool(number > 2),
            Kind::String => {
                Value::String(["", "a", "é€😀", "anna@example.org", &"x".repeat(200)][self.below(5)].into())
            }
            Kind::Bytes => Value::Bytes(Bytes::from_static([&b""[..], b"\xff\x00", b"\x0a\x01a"][self.below(3)])),
            Kind::Enum(_) => Value::EnumNumber((number % 4) as i32),
            Kind::Message(message) => Value::Message(self.nested(message, depth + 1)),
        }
    }

    pub fn pointers(&mut self, descriptor: &MessageDescriptor) -> Vec<String> {
        (0..self.below(8)).map(|_| self.pointer(descriptor)).collect()
    }

    fn pointer(&mut self, descriptor: &MessageDescriptor) -> String {
        let fields: Vec<_> = descriptor.fields().collect();
        if descriptor.full_name() == "google.protobuf.Any" || fields.is_empty() || self.below(8) == 7 {
            return "/**".to_owned();
        }
        let field = &fields[self.below(fields.len())];
        let name = if self.below(2) == 0 { field.name() } else { field.json_name() };
        let mut kind = field.kind();
        let mut pointer = format!("/{name}");
        if field.is_list() || field.is_map() {
            if self.below(6) == 5 {
                return pointer + "/**";
            }
            pointer += "/*";
        }
        if field.is_map() {
            let Kind::Message(entry) = kind else { panic!("a map holds entries") };
            kind = entry.map_entry_value_field().kind();
        }
        match kind {
            Kind::Message(message) if is_single_value(&message) && self.below(2) == 0 => pointer,
            Kind::Message(message) => pointer + &self.pointer(&message),
            _ => pointer,
        }
    }
}

/// Whether JSON writes such a message as one value; of those the schema has two.
pub fn is_single_value(message: &MessageDescriptor) -> bool {
    matches!(message.full_name(), "google.protobuf.Timestamp" | "google.protobuf.StringValue")
}
