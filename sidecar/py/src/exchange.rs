//! A request that a flow lets through, and the response to it.

use std::sync::{Arc, Mutex, PoisonError};

use lawflow_core::{Admitted, Direction, Policy, Refusal};
use pyo3::prelude::*;

use crate::error::{guarded, refused};
use crate::head::{Head, Pair};
use crate::message::Message;

/// Whom a request is about, as far as that is known by now.
pub type Subject = Arc<Mutex<Option<String>>>;

/// An admitted request and the response to it.
#[pyclass(module = "lawflow.native.minimizer")]
pub struct Exchange {
    policy: Arc<Policy>,
    admitted: Admitted,
    path: String,
    head: Head,
    subject: Subject,
}

impl Exchange {
    pub fn new(policy: Arc<Policy>, admitted: Admitted, path: String, head: Head) -> Self {
        let subject = Arc::new(Mutex::new(admitted.subject.clone()));
        Self { policy, admitted, path, head, subject }
    }

    fn refused(&self, py: Python<'_>, refusal: Refusal, direction: Direction) -> PyErr {
        refused(py, &self.admitted.refused(refusal, direction), &self.policy.enforced_by, 0)
    }

    /// The path with the declared part of its query; the data subject is noted where that names it.
    fn filtered_path(&self) -> Result<String, Refusal> {
        let mut admitted = self.admitted.clone();
        let filtered = admitted.filter_path(self.path.as_bytes())?;
        if filtered.is_some() {
            *self.subject.lock().unwrap_or_else(PoisonError::into_inner) = admitted.subject;
        }
        Ok(filtered.unwrap_or_else(|| self.path.clone()))
    }

    fn message(&self, direction: Direction, head: Head, status: &str, has_body: bool) -> Result<Message, Refusal> {
        let operation = &self.admitted.operation;
        let path = match direction {
            Direction::Request => Some(self.filtered_path()?),
            Direction::Response => None,
        };
        let mut made = Message::new(
            Arc::clone(&self.policy),
            Arc::clone(operation),
            Arc::clone(&self.admitted.flow),
            direction,
            path,
            head,
            Arc::clone(&self.subject),
        );
        made.begin(status, has_body)?;
        Ok(made)
    }
}

#[pymethods]
impl Exchange {
    #[getter]
    fn flow(&self) -> &str {
        &self.admitted.flow.name
    }

    #[getter]
    fn operation(&self) -> &str {
        &self.admitted.operation.name
    }

    #[getter]
    fn purpose(&self) -> &str {
        &self.admitted.purpose
    }

    #[getter]
    fn streams(&self) -> bool {
        self.admitted.operation.stream
    }

    #[pyo3(signature = (*, has_body = true))]
    fn request(&self, py: Python<'_>, has_body: bool) -> PyResult<Message> {
        guarded(|| {
            self.message(Direction::Request, self.head.clone(), "", has_body)
                .map_err(|refusal| self.refused(py, refusal, Direction::Request))
        })
    }

    #[pyo3(signature = (headers, *, status = 200, has_body = true))]
    fn response(&self, py: Python<'_>, headers: Vec<Pair>, status: u16, has_body: bool) -> PyResult<Message> {
        guarded(|| {
            self.message(Direction::Response, Head::new(headers), &status.to_string(), has_body)
                .map_err(|refusal| self.refused(py, refusal, Direction::Response))
        })
    }
}
