//! The policy of one port: which flows lead there, and which request belongs to which of them.

pub mod credential;
mod descriptors;
mod document;
pub mod head;
pub mod headers;
pub mod operation;
pub mod problem;
mod technical;
mod template;

use std::fmt;
use std::sync::Arc;

use credential::{Credential, Presentation, Proven};
use descriptors::Descriptors;
use head::RequestHead;
use operation::Operation;
use problem::Problem;

use crate::{Key, Limits, PointerError, Protection, Treatment};

/// The newest version of the policy's form that this module reads. Those before it have fewer members.
pub const SCHEMA: u32 = 2;

/// The largest body that is held, unless the policy says otherwise.
const BODY_BYTES: usize = 1 << 20;

/// A policy that cannot be applied; the sidecar keeps the last one and says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError(String);

impl PolicyError {
    fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the policy cannot be applied: {}", self.0)
    }
}

impl std::error::Error for PolicyError {}

impl From<PointerError> for PolicyError {
    fn from(error: PointerError) -> Self {
        Self(error.to_string())
    }
}

/// What may pass at one port.
#[derive(Clone, Debug)]
pub struct Policy {
    /// NAMESPACE/NAME:PORT of the Service, or HOST:PORT.
    pub port: Box<str>,
    /// SPIFFE id of the workload whose sidecar applies it.
    pub enforced_by: Box<str>,
    /// The largest body that is held, in bytes.
    pub body_bytes: usize,
    /// What documents may cost.
    pub limits: Limits,
    /// Seconds since 1970 from which on nothing passes: a policy that is not renewed dies.
    pub not_after: u64,
    peer: document::Peer,
    flows: Vec<Arc<Flow>>,
}

/// A flow that leads to the port.
#[derive(Debug)]
pub struct Flow {
    /// NAMESPACE/NAME.
    pub name: Box<str>,
    source: Box<str>,
    closed: Box<str>,
    not_after: u64,
    /// What the source shows a host outside, where the flow says so.
    credential: Option<Credential>,
    operations: Vec<Arc<Operation>>,
}

/// A request that a flow lets through.
#[derive(Clone, Debug)]
pub struct Admitted {
    /// The flow.
    pub flow: Arc<Flow>,
    /// Its operation.
    pub operation: Arc<Operation>,
    /// What the request is for.
    pub purpose: Arc<str>,
    /// The data subject, where the path names it.
    pub subject: Option<String>,
}

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] for what is no policy of a schema up to [`SCHEMA`], to the last member.
    pub fn parse(text: &[u8]) -> Result<Self, PolicyError> {
        // The error of the parser may quote a secret; place and kind are enough.
        let read = serde_json::from_slice::<document::Policy>(text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            PolicyError::new(format!("it is no policy of schema 1 to {SCHEMA} from line {line}, column {column} on"))
        })?;
        if !(1..=SCHEMA).contains(&read.schema) {
            return Err(PolicyError::new(format!("it has schema {}, this module reads 1 to {SCHEMA}", read.schema)));
        }
        let mut limits = Limits::default();
        limits.depth = read.limits.depth.unwrap_or(limits.depth);
        limits.message_bytes = read.limits.body_bytes.unwrap_or(BODY_BYTES);
        let descriptors = &Descriptors::new(&read.descriptor_sets)?;
        let flows = read.flows.into_iter().map(|flow| Flow::new(flow, descriptors).map(Arc::new));
        Ok(Self {
            port: read.port.into(),
            enforced_by: read.enforced_by.into(),
            body_bytes: read.limits.body_bytes.unwrap_or(BODY_BYTES),
            limits,
            not_after: read.not_after,
            peer: read.peer,
            flows: flows.collect::<Result<_, _>>()?,
        })
    }

    /// Whether more than one flow leads here, so that the receiver has to be told which one a request was found in.
    #[must_use]
    pub fn has_several_flows(&self) -> bool {
        self.flows.len() > 1
    }

    /// Whether requests come from the workload itself, so that this side says what they are for.
    #[must_use]
    pub fn is_source(&self) -> bool {
        self.peer == document::Peer::Own
    }

    /// The flow and operation that a request belongs to; `now` is in seconds since 1970.
    ///
    /// # Errors
    ///
    /// [`Problem`] where no open flow lets it through.
    pub fn admit(&self, head: &RequestHead<'_>, now: u64) -> Result<Admitted, Problem> {
        if now >= self.not_after {
            return Err(self.expired());
        }
        let source = if self.is_source() { &*self.enforced_by } else { head.peer.unwrap_or_default() };
        let path = head.path.split('?').next().unwrap_or_default();
        let mut candidates: Vec<Candidate<'_>> = Vec::new();
        let mut best = 0;
        for flow in &self.flows {
            if !flow.is_open(now) || *flow.source != *source || head.flow.is_some_and(|name| *flow.name != *name) {
                continue;
            }
            for operation in flow.operations.iter().filter(|operation| operation.matches(head.method, path)) {
                let specificity = operation.specificity();
                if specificity > best || candidates.is_empty() {
                    best = specificity;
                    candidates.clear();
                }
                if specificity == best {
                    candidates.push((flow, operation));
                }
            }
        }
        if candidates.is_empty() {
            return Err(self.undeclared(source, head.method, now));
        }
        let ((flow, operation), purpose) = chosen(&candidates, head.purpose)?;
        Ok(Admitted {
            flow: Arc::clone(flow),
            operation: Arc::clone(operation),
            purpose,
            subject: operation.subject_in_path(path).map(str::to_owned),
        })
    }

    /// What a request shows the host outside that it is bound for, which had `method` and `path`; `None` where it shows
    /// nothing.
    ///
    /// # Errors
    ///
    /// [`Problem`] where it should and cannot.
    pub fn present(
        &self,
        admitted: &Admitted,
        method: &str,
        path: &str,
        now: u64,
    ) -> Result<Option<Presentation>, Problem> {
        let request = Proven { method, port: &self.port, path, purpose: &admitted.purpose };
        admitted.flow.credential.as_ref().map(|credential| credential.present(request, now)).transpose()
    }

    fn expired(&self) -> Problem {
        Problem::denied(
            "policy-expired",
            "The policy has not been renewed",
            format!("nothing passes at {} until the sidecar hears from its control plane again", self.port),
            None,
        )
    }

    fn undeclared(&self, source: &str, method: &str, now: u64) -> Problem {
        let state = |flow: &Flow| match (&*flow.closed, self.is_source()) {
            ("", _) if flow.is_open(now) => format!("{} is open", flow.name),
            ("", _) => format!("{} is closed: its verdict is too old", flow.name),
            // Why a flow is closed is for its own source to know, not for every peer of the receiver.
            (_, false) => format!("{} is closed", flow.name),
            (reason, true) => format!("{} is closed: {reason}", flow.name),
        };
        let flows: Vec<String> = self.flows.iter().map(|flow| state(flow)).collect();
        let method = if METHODS.contains(&method) { method } else { "unknown" };
        Problem::denied(
            "undeclared-operation",
            "No open data flow declares this operation",
            format!(
                "{source} may not make this {method} request to {}: declare its method and path among the operations \
                 of a lawful DataFlow from that service account to that destination",
                self.port
            ),
            Some(if flows.is_empty() { "none".to_owned() } else { flows.join("; ") }),
        )
    }
}

/// Methods that a `DataFlow` can declare. Others are not repeated in answers: they may be any text.
const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

type Candidate<'c> = (&'c Arc<Flow>, &'c Arc<Operation>);

/// Which of the operations that a request may be it is, and for what. An operation without purposes, which is one of a
/// flow that is not personal, is for "".
fn chosen<'c>(candidates: &[Candidate<'c>], said: Option<&str>) -> Result<(Candidate<'c>, Arc<str>), Problem> {
    let choices = || {
        candidates.iter().flat_map(|&candidate| candidate.1.purposes.iter().map(move |purpose| (candidate, purpose)))
    };
    let declared = || {
        let mut names: Vec<&str> = choices().map(|(_, purpose)| &**purpose).collect();
        names.sort_unstable();
        names.dedup();
        names.join(", ")
    };
    let named = choices().find(|(_, purpose)| said.is_none_or(|said| ***purpose == *said || purpose.is_empty()));
    let Some((candidate, purpose)) = named else {
        return Err(Problem::denied(
            "undeclared-purpose",
            "No open data flow declares this operation for that purpose",
            format!("the header lawflow-purpose names none of the purposes of this operation: {}", declared()),
            None,
        ));
    };
    // Of flows that tie, which is a finding, the first by name counts.
    if said.is_none() && choices().any(|(_, other)| other != purpose) {
        return Err(Problem::denied(
            "purpose-required",
            "The operation serves several purposes, and the request names none",
            format!("name one in the header lawflow-purpose: {}", declared()),
            None,
        ));
    }
    Ok((candidate, Arc::clone(purpose)))
}

impl Flow {
    fn is_open(&self, now: u64) -> bool {
        self.closed.is_empty() && now < self.not_after
    }

    fn new(written: document::Flow, descriptors: &Descriptors) -> Result<Self, PolicyError> {
        Ok(Self {
            name: written.name.into(),
            source: written.source.into(),
            closed: written.closed.into(),
            not_after: written.not_after.unwrap_or(u64::MAX),
            credential: written.credential.map(Credential::new).transpose()?,
            operations: written
                .operations
                .into_iter()
                .map(|operation| Operation::new(operation, descriptors).map(Arc::new))
                .collect::<Result<_, _>>()?,
        })
    }
}

/// The secrets of one operation.
#[derive(Debug, Default)]
struct Keys {
    pseudonymize: Option<Key>,
    encrypt: Option<Key>,
}

impl Keys {
    fn new(written: &[document::Key]) -> Result<Self, PolicyError> {
        let mut keys = Self::default();
        for key in written {
            let secret = secret(&key.secret).ok_or(PolicyError::new("a key is not 32 bytes in hexadecimal digits"))?;
            let found = Some(Key { id: key.id.as_str().into(), secret });
            match key.usage.as_str() {
                "pseudonymize" => keys.pseudonymize = found,
                "encrypt" => keys.encrypt = found,
                _ => return Err(PolicyError::new("a key has an unknown usage")),
            }
        }
        Ok(keys)
    }

    fn treatment(&self, protect: &str) -> Result<Treatment, PolicyError> {
        let missing = || PolicyError::new(format!("there is no key to {protect} with"));
        let protection = match protect {
            "" | "pass" => return Ok(Treatment::PASS),
            "drop" => return Ok(Treatment::default()),
            "mask" => Protection::Mask,
            "truncate" => Protection::Truncate,
            "generalize" => Protection::Generalize,
            "pseudonymize" => Protection::Pseudonymize(self.pseudonymize.clone().ok_or_else(missing)?),
            "encrypt" => Protection::Encrypt(self.encrypt.clone().ok_or_else(missing)?),
            other => return Err(PolicyError::new(format!("it asks for an unknown protection {other:?}"))),
        };
        Ok(Treatment { protection: Some(Arc::new(protection)), ..Treatment::PASS })
    }
}

fn secret(text: &str) -> Option<[u8; 32]> {
    let bytes: Option<Vec<u8>> =
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect();
    bytes?.try_into().ok()
}

#[cfg(test)]
mod tests;
