//! One message: its head, and its body in pieces, of which the declared part goes on.

use std::sync::{Arc, PoisonError};

use lawflow_core::{
    Body, BodyHead, Direction, Flow, Operation, Payload, Policy, Problem, Protection, Refusal, is_error,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::error::{guarded, refused};
use crate::exchange::Subject;
use crate::head::{Head, Pair};

/// A message while it passes.
#[pyclass(module = "lawflow.native.minimizer")]
pub struct Message {
    policy: Arc<Policy>,
    operation: Arc<Operation>,
    flow: Arc<Flow>,
    direction: Direction,
    path: Option<String>,
    head: Head,
    subject: Subject,
    /// Whether a body that cannot be told is dropped, because the status says all there is to say.
    is_droppable: bool,
    state: State,
    /// Bytes of the body that have passed.
    passed: usize,
}

enum State {
    /// The other side has filtered it, so that it passes as it is.
    Unseen,
    Filtered(Box<Body>),
    /// The body has ended, has been refused, or never came.
    Ended,
}

impl Message {
    pub fn new(
        policy: Arc<Policy>,
        operation: Arc<Operation>,
        flow: Arc<Flow>,
        direction: Direction,
        path: Option<String>,
        head: Head,
        subject: Subject,
    ) -> Self {
        Self {
            policy,
            operation,
            flow,
            direction,
            path,
            head,
            subject,
            is_droppable: false,
            state: State::Unseen,
            passed: 0,
        }
    }

    /// Filters the head and makes the filter of the body; `status` is empty for requests.
    pub fn begin(&mut self, status: &str, has_body: bool) -> Result<(), Refusal> {
        let operation = Arc::clone(&self.operation);
        let Some(payload) = operation.payload(self.direction) else { return Ok(()) };
        self.is_droppable = is_error(status.as_bytes()) && !operation.stream;
        let subject = self.subject();
        let body = if has_body { Some(self.body(payload, status, subject.as_deref())?) } else { None };
        if body.is_some() {
            self.head.remove(CONTENT_ENCODING, "decoded");
        }
        self.head.filter(&payload.headers, self.direction, subject.as_deref())?;
        let Some(body) = body else {
            if self.direction == Direction::Response {
                self.head.remove(CONTENT_LENGTH, "recomputed");
            }
            self.state = State::Ended;
            return Ok(());
        };
        self.head.remove(CONTENT_LENGTH, "recomputed");
        if body.is_dropped() {
            self.head.remove(CONTENT_TYPE, "no-body");
        }
        self.state = State::Filtered(Box::new(body));
        Ok(())
    }

    fn body(&self, payload: &Payload, status: &str, subject: Option<&str>) -> Result<Body, Refusal> {
        // Receivers differ in which of several they believe.
        let only = |name, refusal| match self.head.values(name) {
            Some((_, count)) if count > 1 => Err(refusal),
            found => Ok(found.map(|(value, _)| value)),
        };
        let head = BodyHead {
            content_type: only(CONTENT_TYPE, Refusal::ContentType)?,
            content_encoding: only(CONTENT_ENCODING, Refusal::ContentEncoding)?,
            subject,
        };
        self.operation.body(payload, &self.policy, status.as_bytes(), &head)
    }

    fn subject(&self) -> Option<String> {
        self.subject.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn refused(&mut self, py: Python<'_>, refusal: Refusal) -> PyErr {
        self.state = State::Ended;
        let problem = Problem::refused(refusal, self.direction, &self.operation.name, &self.flow.name);
        refused(py, &problem, &self.policy.enforced_by, self.passed)
    }
}

#[pymethods]
impl Message {
    #[getter]
    fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    #[getter]
    fn headers(&self) -> Vec<Pair> {
        self.head.headers.clone()
    }

    #[getter]
    fn dropped_headers(&self) -> Vec<(String, &'static str)> {
        self.head.dropped.clone()
    }

    #[getter]
    fn changed_headers(&self) -> Vec<(String, &'static str)> {
        self.head.changed.clone()
    }

    #[getter]
    fn drops_body(&self) -> bool {
        matches!(&self.state, State::Filtered(body) if body.is_dropped())
    }

    #[allow(clippy::needless_pass_by_value)] // the form that PyO3 calls
    fn field_protection(&self, path: Vec<Option<String>>) -> PyResult<Option<&'static str>> {
        let steps = path.iter().map(|step| step.as_deref().map(str::as_bytes));
        guarded(|| {
            let payload = self.operation.payload(self.direction);
            Ok(payload.and_then(|payload| payload.fields.protection(steps)).map(Protection::name))
        })
    }

    fn query_protection(&self, name: &str) -> PyResult<Option<&'static str>> {
        guarded(|| {
            let payload = self.operation.payload(self.direction);
            Ok(payload.and_then(|payload| payload.query.protection([Some(name.as_bytes())])).map(Protection::name))
        })
    }

    fn feed<'py>(&mut self, py: Python<'py>, chunk: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        let fed = guarded(|| {
            let mut out = Vec::new();
            match &mut self.state {
                State::Ended => return Err(ended()),
                State::Unseen => out.extend_from_slice(chunk),
                State::Filtered(body) => {
                    if let Err(refusal) = body.feed(chunk, &mut out) {
                        if !self.is_droppable {
                            return Err(self.refused(py, refusal));
                        }
                        **body = Body::dropped();
                        self.head.remove(CONTENT_TYPE, "no-body");
                        out.clear();
                    }
                }
            }
            self.passed += out.len();
            Ok(PyBytes::new(py, &out))
        });
        if fed.is_err() {
            // A defect may have left the filter anywhere.
            self.state = State::Ended;
        }
        fed
    }

    fn finish<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        guarded(|| {
            let mut out = Vec::new();
            // Ended whatever comes of it: a defect may leave the filter anywhere.
            if let State::Filtered(mut body) = std::mem::replace(&mut self.state, State::Ended) {
                match body.finish(&mut out) {
                    Ok(found) => {
                        let mut subject = self.subject.lock().unwrap_or_else(PoisonError::into_inner);
                        *subject = found.subject.or(subject.take());
                    }
                    Err(_) if self.is_droppable => {
                        self.head.remove(CONTENT_TYPE, "no-body");
                        out.clear();
                    }
                    Err(refusal) => return Err(self.refused(py, refusal)),
                }
                self.passed += out.len();
                if !self.operation.stream {
                    self.head.set(CONTENT_LENGTH, &self.passed.to_string());
                }
            }
            Ok(PyBytes::new(py, &out))
        })
    }
}

fn ended() -> PyErr {
    PyValueError::new_err("the body has ended already")
}

const CONTENT_LENGTH: &str = "content-length";
const CONTENT_ENCODING: &str = "content-encoding";
const CONTENT_TYPE: &str = "content-type";
