//! The policy of one port.

use std::sync::Arc;

use lawflow_core::{Direction, FLOW, PURPOSE, RequestHead, meant};
use pyo3::prelude::*;

use crate::error::{PolicyError, guarded, refused};
use crate::exchange::Exchange;
use crate::head::{Head, Pair};

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
                purpose: meant(head.values(PURPOSE)),
                flow: if is_source { None } else { meant(head.values(FLOW)) },
                peer: if is_source { None } else { peer },
            };
            let mut admitted = match self.policy.admit(&request, now) {
                Ok(admitted) => admitted,
                Err(problem) => return Err(refused(py, &problem, &self.policy.enforced_by, 0)),
            };
            if let Err(refusal) = admitted.note_subject(|name| head.values(name)) {
                let problem = admitted.refused(refusal, Direction::Request);
                return Err(refused(py, &problem, &self.policy.enforced_by, 0));
            }
            for (name, value) in self.policy.tells(&admitted) {
                match value {
                    Some(value) => head.set(name, value),
                    None => head.headers.retain(|header| header.0 != name),
                }
            }
            Ok(Exchange::new(Arc::clone(&self.policy), admitted, path.to_owned(), head))
        })
    }
}
