//! Everything that is unsafe: Envoy's C interface, and what is exported to it.
#![allow(unsafe_code, reason = "a C interface can be used and offered in no other way")]

mod hooks;
pub mod raw;
pub mod stream;
