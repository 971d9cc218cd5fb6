//! A policy in force, with the metrics of whatever it decides.

use lawflow_core::{Policy, PolicyError};

use crate::abi::stream::{Making, Metric};

/// What all streams of one port share.
pub struct Config {
    pub policy: Policy,
    pub metrics: Metrics,
}

/// Metrics; they name rules and never values.
pub struct Metrics {
    /// Requests that a flow let through.
    pub admitted: Metric,
    /// Requests and responses that were refused, by rule.
    pub refused: Metric,
    /// Streams that met a defect of the module.
    pub defects: Metric,
    /// Bytes of bodies that came to be filtered.
    pub body_bytes_in: Metric,
    /// Bytes of bodies that were let through of those.
    pub body_bytes_out: Metric,
    /// Headers that were removed.
    pub headers_dropped: Metric,
    /// Time that the bodies of a stream took to filter, in microseconds.
    pub filter_microseconds: Metric,
}

impl Config {
    /// Reads a policy. Fails where the sidecar has to keep the last one.
    pub fn new(policy: &[u8], making: &mut Making) -> Result<Self, PolicyError> {
        let policy = Policy::parse(policy)?;
        let metrics = Metrics {
            admitted: making.counter("lawflow_requests_admitted", None),
            refused: making.counter("lawflow_refused", Some("rule")),
            defects: making.counter("lawflow_defects", None),
            body_bytes_in: making.counter("lawflow_body_bytes_in", None),
            body_bytes_out: making.counter("lawflow_body_bytes_out", None),
            headers_dropped: making.counter("lawflow_headers_dropped", None),
            filter_microseconds: making.histogram("lawflow_filter_microseconds"),
        };
        Ok(Self { policy, metrics })
    }
}
