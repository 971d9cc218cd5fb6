//! Messages of protocol buffers: by example, and against a reference that is slow and plain.

#![allow(clippy::panic, clippy::unwrap_used)] // Clippy takes what tests have in common for something else

mod differential;
mod examples;
mod frames;
mod pointers;
mod reference;
mod schema;
mod tape;
