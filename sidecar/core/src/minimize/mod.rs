//! The minimizer: of a body, a query or a form, only the declared fields pass.

pub mod body;
mod coding;
mod container;
pub mod form;
pub mod json;
pub mod limits;
pub mod lines;
mod names;
mod number;
mod place;
pub mod pointer;
pub mod protect;
pub mod protobuf;
pub mod refusal;
mod scan;
pub mod selection;
mod sketch;
mod string;
mod utf8;
