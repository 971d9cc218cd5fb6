//! Protocol buffers: of a message, only the declared fields pass, told apart by a descriptor set.
//!
//! Written after the language guide's "Encoding". A message says numbers and lengths, neither names nor types, so what
//! a pointer names is looked up in the descriptors of its producer. A message is held until it is complete: the lengths
//! of messages inside it change with what is dropped from them.

pub mod descriptor;
pub mod grpc;
pub mod message;
pub mod selection;
mod wire;
