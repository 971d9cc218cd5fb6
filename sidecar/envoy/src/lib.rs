//! The sidecar's module: what is specific to Lawflow, in Envoy's worker threads.
//!
//! Envoy makes a [`config::Config`] of each policy that its control plane sends, and a [`filter::Filter`] of each
//! stream. Both stand on `lawflow-core`, which knows nothing of Envoy; `abi` knows Envoy and nothing else.

mod abi;
mod config;
mod filter;
mod head;
mod message;
mod relay;
