//! What the head of a request says to a sidecar, and what one sidecar says in it to the next.

use super::operation::SubjectPlace;
use super::{Admitted, Policy, Problem};
use crate::{Refusal, filter_form};

/// The header that says what a request is for, from the app to its sidecar and from there to the receiver.
pub const PURPOSE: &str = "lawflow-purpose";
/// The header that says which flow the source's sidecar found a request in.
pub const FLOW: &str = "lawflow-flow";

/// The head of a request, as far as it decides which operation it is.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'h> {
    /// The method.
    pub method: &'h str,
    /// The path in its normal form, with its query.
    pub path: &'h str,
    /// What the caller says the request is for: the header [`PURPOSE`].
    pub purpose: Option<&'h str>,
    /// The flow that the caller's sidecar found it in: the header [`FLOW`]. What a workload says of that itself counts
    /// for nothing.
    pub flow: Option<&'h str>,
    /// SPIFFE id in the certificate of the caller.
    pub peer: Option<&'h str>,
}

/// The first value of a header, and how many there are.
pub type Values<'h> = Option<(&'h [u8], usize)>;

/// What a header means: of one that stands twice nobody knows which is meant, so it means nothing that is declared.
#[must_use]
pub fn meant(values: Values<'_>) -> Option<&str> {
    let (value, count) = values?;
    Some(if count == 1 { std::str::from_utf8(value).unwrap_or_default() } else { "" })
}

impl Policy {
    /// What the head of a request that passes says to the other side: the purpose, which the app there hears as well, and
    /// the flow, where there is more than one. A header without a value does not pass.
    #[must_use]
    pub fn tells<'a>(&self, admitted: &'a Admitted) -> [(&'static str, Option<&'a str>); 2] {
        let purpose = Some(&*admitted.purpose).filter(|purpose| !purpose.is_empty());
        let flow = (self.is_source() && self.has_several_flows()).then_some(&*admitted.flow.name);
        [(PURPOSE, purpose), (FLOW, flow)]
    }
}

impl Admitted {
    /// Notes whom the request is about, where a header says that; `header` looks one up.
    ///
    /// # Errors
    ///
    /// [`Refusal::DuplicateName`] where that header stands twice, [`Refusal::Encoding`] where it is no text.
    pub fn note_subject<'h>(&mut self, header: impl FnOnce(&str) -> Values<'h>) -> Result<(), Refusal> {
        if let SubjectPlace::Header(name) = &self.operation.subject {
            self.subject = match header(name) {
                Some((_, count)) if count > 1 => return Err(Refusal::DuplicateName),
                Some((value, _)) => Some(std::str::from_utf8(value).map_err(|_| Refusal::Encoding)?.to_owned()),
                None => None,
            };
        }
        Ok(())
    }

    /// The path with the declared part of its query, where that is filtered here and there is one. The data subject is
    /// noted where the query names it.
    ///
    /// # Errors
    ///
    /// As [`filter_form`].
    pub fn filter_path(&mut self, path: &[u8]) -> Result<Option<String>, Refusal> {
        let Some(payload) = &self.operation.request else { return Ok(None) };
        let Some(mark) = path.iter().position(|&byte| byte == b'?') else { return Ok(None) };
        let mut filtered = path[..=mark].to_vec();
        let found = filter_form(&payload.query, self.subject.as_deref(), &path[mark + 1..], &mut filtered)?;
        if filtered.len() == mark + 1 {
            filtered.pop();
        }
        self.subject = found.or(self.subject.take());
        String::from_utf8(filtered).map(Some).map_err(|_| Refusal::Encoding)
    }

    /// The answer to a message of this exchange that is refused.
    #[must_use]
    pub fn refused(&self, refusal: Refusal, direction: crate::Direction) -> Problem {
        Problem::refused(refusal, direction, &self.operation.name, &self.flow.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_stands_twice_means_nothing_that_is_declared() {
        assert_eq!(meant(None), None);
        assert_eq!(meant(Some((b"billing", 1))), Some("billing"));
        assert_eq!(meant(Some((b"billing", 2))), Some(""));
        assert_eq!(meant(Some((b"\xff", 1))), Some(""));
    }

    fn admitted(subject: &str, query: &str) -> Admitted {
        let text = format!(
            r#"{{"schema": 1, "port": "p", "enforcedBy": "o", "peer": "own", "notAfter": 9, "flows": [{{"name": "f",
            "source": "o", "operations": [{{"name": "r", "path": "/r", "purposes": ["p"], "subject": {subject},
            "request": {{"query": [{query}]}}}}]}}]}}"#
        );
        let head = RequestHead { method: "GET", path: "/r", purpose: None, flow: None, peer: None };
        Policy::parse(text.as_bytes()).unwrap().admit(&head, 1).unwrap()
    }

    #[test]
    fn whom_a_header_names_is_noted_unless_it_stands_twice() {
        let header = |count| move |name: &str| (name == "x-patient").then_some((&b"anna"[..], count));
        let mut found = admitted(r#"{"in": "header", "name": "X-Patient"}"#, "");
        assert_eq!(found.note_subject(header(2)), Err(Refusal::DuplicateName));
        assert_eq!(found.note_subject(header(1)), Ok(()));
        assert_eq!(found.subject.as_deref(), Some("anna"));
        assert_eq!(found.note_subject(|_| Some((&b"\xff"[..], 1))), Err(Refusal::Encoding));
        assert_eq!(found.note_subject(|_| None).map(|()| found.subject), Ok(None));
    }

    #[test]
    fn of_a_query_the_declared_part_passes_and_the_subject_is_noted() {
        let mut found = admitted(r#"{"in": "query", "name": "who"}"#, r#"{"name": "page"}"#);
        assert_eq!(found.filter_path(b"/r"), Ok(None));
        assert_eq!(found.filter_path(b"/r?page=1&x=2&who=anna"), Ok(Some("/r?page=1".to_owned())));
        assert_eq!(found.subject.as_deref(), Some("anna"));
        assert_eq!(found.filter_path(b"/r?x=2"), Ok(Some("/r".to_owned())));
        assert_eq!(found.filter_path(b"/r?page=1&page=2"), Err(Refusal::DuplicateName));
    }
}
