//! The engine of `lawflow-core` for Python, as the module `lawflow.native.minimizer`.
//!
//! It does with one message what the sidecar does with it in Envoy (`sidecar/envoy`): a request is admitted or
//! refused, undeclared headers, query parameters and fields go, and declared values are changed as their flow asks.
//! It also tells which names went, so that a flow can be tried without a mesh. What stands in
//! `operator/lawflow/native/minimizer.pyi` is the description for callers.

mod error;
mod exchange;
mod head;
mod message;
mod policy;

/// What the sidecar does with one message.
#[pyo3::pymodule]
mod minimizer {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::error::{DefectError, PolicyError, RefusedError};
    #[pymodule_export]
    use crate::exchange::Exchange;
    #[pymodule_export]
    use crate::message::Message;
    #[pymodule_export]
    use crate::policy::Policy;

    #[pymodule_init]
    #[allow(clippy::unnecessary_wraps)] // the form that PyO3 calls
    fn init(_module: &Bound<'_, PyModule>) -> PyResult<()> {
        crate::error::silence_panics();
        Ok(())
    }
}
