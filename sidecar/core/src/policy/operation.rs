//! An operation as the sidecar applies it: which requests it means, and what they may carry.

use std::sync::Arc;

use super::document;
use super::headers::HeaderRules;
use super::template::Template;
use super::{Descriptors, Keys, Policy, PolicyError};
use crate::{Body, BodyHead, Direction, MessageSelection, Refusal, Selection, Treatment};

/// Where a request names its data subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubjectPlace {
    /// In a parameter of the path.
    Path(Box<str>),
    /// In a query parameter.
    Query(Box<str>),
    /// In a header, whose name is in lower case.
    Header(Box<str>),
    /// In the body, where its selection finds it.
    Body,
    /// Nowhere: no single person is concerned.
    None,
}

/// What one direction of an operation lets through.
#[derive(Clone, Debug)]
pub struct Payload {
    /// Fields of the body.
    pub fields: Arc<Selection>,
    /// The same fields of a body of protocol buffers, where the operation says what messages those are.
    pub message: Option<Arc<MessageSelection>>,
    /// Headers.
    pub headers: HeaderRules,
    /// Query parameters; none for responses.
    pub query: Arc<Selection>,
}

/// One kind of call that a flow allows.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Its name in the flow.
    pub name: Box<str>,
    methods: Vec<Box<str>>,
    template: Template,
    /// One at least: an operation of a flow that is not personal, which has none, is for "".
    pub(super) purposes: Vec<Arc<str>>,
    /// Where requests name the data subject.
    pub subject: SubjectPlace,
    /// Whether bodies are filtered while they pass, and not held until they end.
    pub stream: bool,
    /// What this side takes out of requests; `None` where the other side has done that.
    pub request: Option<Payload>,
    /// What this side takes out of responses; `None` where the other side does that.
    pub response: Option<Payload>,
}

impl Operation {
    pub(super) fn new(written: document::Operation, descriptors: &Descriptors) -> Result<Self, PolicyError> {
        let keys = &Keys::new(&written.keys)?;
        let subject = subject_place(written.subject.as_ref())?;
        let in_body = match (&subject, &written.subject) {
            (SubjectPlace::Body, Some(place)) => place.name.as_deref(),
            _ => None,
        };
        let in_query = if let SubjectPlace::Query(name) = &subject { Some(&**name) } else { None };
        let payload = |written, in_body, in_query| Payload::new(written, keys, descriptors, in_body, in_query);
        let request = written.request.map(|written| payload(written, in_body, in_query)).transpose()?;
        if written.stream && request.as_ref().is_some_and(|payload| payload.fields.needs_subject_first()) {
            return Err(PolicyError::new(
                "a body that is streamed cannot be encrypted for a subject whom it names itself",
            ));
        }
        let response = written.response.map(|written| payload(written, None, None)).transpose()?;
        let mut purposes: Vec<Arc<str>> = written.purposes.into_iter().map(Into::into).collect();
        if purposes.is_empty() {
            purposes.push("".into());
        }
        Ok(Self {
            name: written.name.into(),
            methods: written.methods.into_iter().map(Into::into).collect(),
            template: Template::new(&written.path),
            purposes,
            subject,
            stream: written.stream,
            request,
            response,
        })
    }

    /// What this side takes out of messages that go one way; `None` where the other side does that.
    #[must_use]
    pub fn payload(&self, direction: Direction) -> Option<&Payload> {
        match direction {
            Direction::Request => self.request.as_ref(),
            Direction::Response => self.response.as_ref(),
        }
    }

    /// The filter of a body by what the head says of it; `status` is that of a response, and empty for requests.
    ///
    /// # Errors
    ///
    /// [`Refusal`] where nothing can be told in such a body, unless the response [`is_error`].
    pub fn body(
        &self,
        payload: &Payload,
        policy: &Policy,
        status: &[u8],
        head: &BodyHead<'_>,
    ) -> Result<Body, Refusal> {
        match status {
            b"206" => return Err(Refusal::Truncated),
            // No request asks for another protocol, in which nothing could be told.
            b"101" => return Err(Refusal::ContentType),
            _ => {}
        }
        let (message, most) = (payload.message.as_ref(), policy.body_bytes);
        match Body::new(&payload.fields, message, head, policy.limits, most, self.stream) {
            Err(_) if is_error(status) => Ok(Body::dropped()),
            made => made,
        }
    }

    /// Whether a request is of this kind; `path` is in its normal form and without its query.
    pub(super) fn matches(&self, method: &str, path: &str) -> bool {
        (self.methods.is_empty() || self.methods.iter().any(|each| **each == *method)) && self.template.matches(path)
    }

    pub(super) fn specificity(&self) -> usize {
        self.template.specificity()
    }

    pub(super) fn subject_in_path<'p>(&self, path: &'p str) -> Option<&'p str> {
        match &self.subject {
            SubjectPlace::Path(name) => self.template.parameter(path, name),
            _ => None,
        }
    }
}

/// Whether a response says that something went wrong. The status tells it; a text about it may quote what was sent, so
/// that it passes where its fields can be told and is dropped where not.
#[must_use]
pub fn is_error(status: &[u8]) -> bool {
    matches!(status.first(), Some(b'4' | b'5'))
}

impl Payload {
    fn new(
        written: document::Payload,
        keys: &Keys,
        descriptors: &Descriptors,
        subject_in_body: Option<&str>,
        subject_in_query: Option<&str>,
    ) -> Result<Self, PolicyError> {
        let mut fields = Vec::new();
        for field in &written.fields {
            fields.push((field.pointer.as_str(), keys.treatment(&field.protect)?));
        }
        fields.extend(subject_in_body.map(|pointer| (pointer, SUBJECT)));
        let mut query = Vec::new();
        for parameter in &written.query {
            query.push((pointer(&parameter.name), keys.treatment(&parameter.protect)?));
        }
        query.extend(subject_in_query.map(|name| (pointer(name), SUBJECT)));
        let mut headers = Vec::new();
        for header in written.headers {
            let treatment = keys.treatment(&header.protect)?;
            headers.push((header.name, treatment));
        }
        let message = match &written.message {
            Some(message) => Some(Arc::new(descriptors.selection(message, fields.iter().cloned())?)),
            None => None,
        };
        Ok(Self {
            message,
            fields: Arc::new(Selection::with(fields)?),
            headers: HeaderRules::new(headers),
            query: Arc::new(Selection::with(query.iter().map(|(name, treatment)| (name.as_str(), treatment.clone())))?),
        })
    }
}

const SUBJECT: Treatment = Treatment { passes: false, protection: None, is_subject: true };

fn subject_place(written: Option<&document::Subject>) -> Result<SubjectPlace, PolicyError> {
    let Some(written) = written else { return Ok(SubjectPlace::None) };
    let name = || written.name.clone().map(Into::into).ok_or(PolicyError::new("a subject has a place and no name"));
    Ok(match written.place.as_str() {
        "path" => SubjectPlace::Path(name()?),
        "query" => SubjectPlace::Query(name()?),
        "header" => SubjectPlace::Header(written.name.clone().unwrap_or_default().to_ascii_lowercase().into()),
        "body" => SubjectPlace::Body,
        _ => SubjectPlace::None,
    })
}

/// The pointer to a name of a form or query.
fn pointer(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1").replace('*', "~2"))
}
