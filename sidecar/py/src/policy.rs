//! The policy of one port.

use std::sync::Arc;

use lawflow_core::RequestHead;
use pyo3::prelude::*;

use crate::error::{PolicyError, guarded, refused};
use crate::exchange::Exchange;
use crate::head::{Head, Pair};

/// Says what a request is for.
const PURPOSE: &str = "lawflow-purpose";
/// Says which flow the source's sidecar found a request in.
const FLOW: &str = "lawflow-flow";

/// What may pass at one port.
#[pyclass(frozen, module = "lawflow.native.minimizer")]
pub struct Policy {
    policy: Arc<lawflow_core::Policy>,
}

#[pymethods]
impl Policy {
    #[new]
    fn new(text: &str) -> PyResult<Self> {
        guarded(|| match lawflow_core::Policy::parse(text.as_bytes()) {
            Ok(policy) => Ok(Self { policy: Arc::new(policy) }),
            Err(error) => Err(PolicyError::new_err(error.to_string())),
        })
    }

    #[getter]
    fn port(&self) -> &str {
        &self.policy.port
    }

    #[getter]
    fn enforced_by(&self) -> &str {
        &self.policy.enforced_by
    }

    #[getter]
    fn is_source(&self) -> bool {
        self.policy.is_source()
    }

    #[pyo3(signature = (method, path, headers, *, peer = None, now))]
    fn admit(
        &self,
        py: Python<'_>,
        method: &str,
        path: &str,
        headers: Vec<Pair>,
        peer: Option<&str>,
        now: u64,
    ) -> PyResult<Exchange> {
        guarded(|| {
            let mut head = Head::new(headers);
            let is_source = self.policy.is_source();
            let request = RequestHead {
                method,
                path,
                purpose: head.only(PURPOSE),
                flow: if is_source { None } else { head.only(FLOW) },
                peer: if is_source { None } else { peer },
            };
            let admitted = match self.policy.admit(&request, now) {
                Ok(admitted) => admitted,
                Err(problem) => return Err(refused(py, &problem, &self.policy.enforced_by, 0)),
            };
            if admitted.purpose.is_empty() {
                head.headers.retain(|header| header.0 != PURPOSE);
            } else {
                head.set(PURPOSE, &admitted.purpose);
            }
            if is_source && self.policy.has_several_flows() {
                head.set(FLOW, &admitted.flow.name);
            } else {
                head.headers.retain(|header| header.0 != FLOW);
            }
            Ok(Exchange::new(Arc::clone(&self.policy), admitted, path.to_owned(), head))
        })
    }
}
