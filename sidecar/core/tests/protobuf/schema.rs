//! The messages that the tests are about.

use std::sync::Arc;

use lawflow_core::{DescriptorSet, Limits, MessageFilter, MessageSelection, Refusal, Treatment};
use prost_reflect::prost::Message;
use prost_reflect::{DescriptorPool, MessageDescriptor};
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};

/// What producers know; consumers, and the policy, do not know the lines that are marked.
const SOURCE: &str = r#"
syntax = "proto3";
package shop;
import "google/protobuf/any.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";

message Order {
  string order_id = 1;
  Customer customer = 2;
  repeated Item items = 3;
  map<string, string> labels = 4;
  map<int32, Item> by_place = 5;
  repeated string tags = 6;
  repeated int32 counts = 7 [packed = true];
  repeated double weights = 8 [packed = true];
  oneof payment {
    string iban = 9;
    Card card = 10;
    bytes token = 11;
  }
  google.protobuf.Timestamp created_at = 12;
  google.protobuf.Any extra = 13;
  Status status = 14;
  optional bool is_gift = 15;
  sint64 balance = 16;
  fixed32 checksum = 17;
  Tree tree = 18;
  google.protobuf.StringValue nick = 19;
  google.protobuf.Struct notes = 20;
  uint64 serial = 300;
  string internal = 301; // unknown
  Customer referrer = 302; // unknown
  repeated sint32 scores = 303; // unknown
}

message Customer {
  string name = 1;
  sint32 id = 2;
  string email = 3;
  Address address = 4;
  bytes photo = 5; // unknown
  message Address {
    string street = 1;
    string city = 2;
    double latitude = 3; // unknown
  }
}

message Item {
  string sku = 1;
  int32 quantity = 2;
  Customer recipient = 3;
  string remark = 4; // unknown
}

message Card {
  string number = 1;
  string holder = 2;
}

message Tree {
  string label = 1;
  repeated Tree children = 2;
  string secret = 3; // unknown
}

enum Status {
  NEW = 0;
  PAID = 1;
}
"#;

struct Source(String);

impl FileResolver for Source {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        if name == "shop.proto" { File::from_source(name, &self.0) } else { Err(protox::Error::file_not_found(name)) }
    }
}

fn compiled(source: String) -> Vec<u8> {
    let mut resolver = ChainFileResolver::new();
    resolver.add(Source(source));
    resolver.add(GoogleFileResolver::new());
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).open_file("shop.proto").unwrap();
    compiler.file_descriptor_set().encode_to_vec()
}

/// The serialized descriptor set of the policy.
pub fn declared() -> Vec<u8> {
    let lines: Vec<_> = SOURCE.lines().filter(|line| !line.contains("// unknown")).collect();
    compiled(lines.join("\n"))
}

/// That of producers.
pub fn produced() -> Vec<u8> {
    compiled(SOURCE.replace("[packed = true]", "[packed = false]"))
}

pub fn order(set: &[u8]) -> MessageDescriptor {
    DescriptorPool::decode(set).unwrap().get_message_by_name("shop.Order").unwrap()
}

pub fn selection<'p>(pointers: impl IntoIterator<Item = (&'p str, Treatment)>) -> Arc<MessageSelection> {
    let set = DescriptorSet::decode(&declared()).unwrap();
    Arc::new(MessageSelection::with(&set, "shop.Order", pointers).unwrap())
}

pub fn passing(pointers: &[&str]) -> Arc<MessageSelection> {
    selection(pointers.iter().map(|pointer| (*pointer, Treatment::PASS)))
}

pub fn filtered(selection: &Arc<MessageSelection>, message: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut out = b"before".to_vec();
    let result = MessageFilter::new(Arc::clone(selection), Limits::default(), None).filter(message, &mut out);
    let passed = out.split_off(b"before".len());
    assert_eq!(out, b"before");
    assert!(result.is_ok() || passed.is_empty(), "a refused message leaves nothing");
    result.map(|()| passed)
}

/// Writes a field with a varint; both are below 2^28.
pub fn number(field: u32, value: u32) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

/// Writes a field of bytes, a string or a message.
pub fn bytes(field: u32, value: impl AsRef<[u8]>) -> Vec<u8> {
    let value = value.as_ref();
    [&varint(field << 3 | 2), &varint(u32::try_from(value.len()).unwrap()), value].concat()
}

fn varint(mut value: u32) -> Vec<u8> {
    let mut found = Vec::new();
    while value >= 0x80 {
        found.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    found.push(value.to_le_bytes()[0]);
    found
}
