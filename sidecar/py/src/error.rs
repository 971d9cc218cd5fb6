//! What goes wrong, as Python's exceptions. None of them holds a part of a message.

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};

use lawflow_core::Problem;
use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyRuntimeError, PyValueError};
use pyo3::prelude::*;

create_exception!(lawflow.native.minimizer, PolicyError, PyValueError, "A policy that cannot be applied.");
create_exception!(
    lawflow.native.minimizer,
    RefusedError,
    PyException,
    "A message that does not pass: rule, status and document say why."
);
create_exception!(lawflow.native.minimizer, DefectError, PyRuntimeError, "The module met a defect of its own.");

/// A panic's text may quote what was worked on, so it is neither printed nor handed on. The hook is this library's own:
/// other modules of the process that are written in Rust keep theirs.
pub fn silence_panics() {
    set_hook(Box::new(|_| {}));
}

/// Runs what may panic and turns that into an exception that names no value.
pub fn guarded<T>(work: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(DefectError::new_err("the minimizer met a defect of its own, so nothing passes")))
}

/// The exception for a problem, with the document (RFC 9457) that the sidecar would answer with; `passed` bytes of the
/// body had been let through by then.
pub fn refused(py: Python<'_>, problem: &Problem, enforced_by: &str, passed: usize) -> PyErr {
    let document = problem.document(enforced_by);
    let error = RefusedError::new_err(problem.rule);
    let value = error.value(py);
    let set = value
        .setattr("rule", problem.rule)
        .and_then(|()| value.setattr("status", problem.status))
        .and_then(|()| value.setattr("document", document.as_slice()))
        .and_then(|()| value.setattr("passed", passed));
    match set {
        Ok(()) => error,
        Err(failed) => failed,
    }
}
