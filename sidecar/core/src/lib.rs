//! What leaves a workload: the engine of the sidecar, without any type of Envoy.
//!
//! A [`Policy`] is what the control plane says of one port. It finds the [`Operation`] that a request belongs to, or
//! the [`Problem`] why there is none, and says by [`Payload`] what may pass of headers, query and body. A [`Body`]
//! applies that to bytes in chunks of any size.
//!
//! Whatever is not understood to the last byte is a [`Refusal`]; what has been let through by then was declared.

mod minimize;
mod policy;

pub use minimize::body::{Body, BodyHead, Direction, Found};
pub use minimize::form::filter_form;
pub use minimize::json::JsonFilter;
pub use minimize::limits::Limits;
pub use minimize::lines::LinesFilter;
pub use minimize::pointer::PointerError;
pub use minimize::protect::{Key, Protection, content_key};
pub use minimize::protobuf::descriptor::{DescriptorError, DescriptorSet};
pub use minimize::protobuf::grpc::GrpcFilter;
pub use minimize::protobuf::message::MessageFilter;
pub use minimize::protobuf::selection::MessageSelection;
pub use minimize::refusal::Refusal;
pub use minimize::selection::{Selection, Treatment};
pub use policy::credential::{AUTHORIZATION, PROOF, Presentation};
pub use policy::head::{FLOW, PURPOSE, RequestHead, Values, meant};
pub use policy::headers::{HeaderFate, HeaderRules};
pub use policy::operation::{Operation, Payload, SubjectPlace, is_error};
pub use policy::problem::{PEER_PROBLEM, Problem};
pub use policy::{Admitted, Flow, Policy, PolicyError, SCHEMA};
