//! The minimizer: of a body, only the declared fields leave.
//!
//! [`Selection`] says which fields pass. [`JsonFilter`] applies it to JSON (RFC 8259) in one pass, over chunks of any
//! size, with memory that grows with the depth of the document and not with its length. [`LinesFilter`] applies it to
//! NDJSON, [`filter_form`] to query strings and forms. Whatever is not understood to the last byte is a [`Refusal`];
//! what has been let through by then was declared.

mod container;
mod filter;
mod form;
mod lines;
mod names;
mod number;
mod refusal;
mod scan;
mod selection;
mod string;
mod utf8;

pub use filter::{JsonFilter, Limits};
pub use form::filter_form;
pub use lines::LinesFilter;
pub use refusal::Refusal;
pub use selection::{PointerError, Selection};
