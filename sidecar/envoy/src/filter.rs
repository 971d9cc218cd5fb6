//! One exchange: which flow it belongs to, and what passes of its request and of its response.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use lawflow_core::{
    AUTHORIZATION, Admitted, Direction, FLOW, PEER_PROBLEM, PROOF, PURPOSE, Problem, Refusal, RequestHead, meant,
};

use crate::abi::raw::HeaderKind;
use crate::abi::stream::Stream;
use crate::config::Config;
use crate::head::{Edits, Head};
use crate::message::{Message, Stopped};
use crate::relay::Relay;

/// How media types of gRPC begin.
const GRPC: &[u8] = b"application/grpc";

/// Whether Envoy goes on with what it has called about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    On,
    /// It waits for more, or has been answered.
    Stop,
}

/// The state of one stream.
pub struct Filter {
    config: &'static Config,
    admitted: Option<Admitted>,
    request: Message,
    response: Message,
    /// The response is a refusal that the peer's sidecar wrote.
    relay: Option<Relay>,
    /// It is a call of gRPC, whose outcome is told by a status of its own.
    is_grpc: bool,
    /// The answer is the sidecar's own: a problem document, not the workload's data.
    is_answered: bool,
    /// Nothing passes any more.
    is_closed: bool,
}

impl Filter {
    pub fn new(config: &'static Config) -> Self {
        Self {
            config,
            admitted: None,
            request: Message::new(Direction::Request),
            response: Message::new(Direction::Response),
            relay: None,
            is_grpc: false,
            is_answered: false,
            is_closed: false,
        }
    }

    pub fn request_headers(&mut self, stream: &mut Stream<'_>, end: bool) -> Pass {
        let config = self.config;
        let mut edits = Edits::default();
        let decided = {
            let head = Head::read(stream, HeaderKind::Request);
            self.is_grpc = head.first("content-type").is_some_and(|(value, _)| value.starts_with(GRPC));
            let peer = if config.policy.is_source() { None } else { stream.peer() };
            let now = now();
            admit(config, &head, peer, now).and_then(|admitted| {
                let admitted = self.admitted.insert(admitted);
                let operation = Arc::clone(&admitted.operation);
                let passed = subject_and_query(&head, &mut edits, admitted).and_then(|()| {
                    let subject = admitted.subject.as_deref();
                    self.request.head(&head, &mut edits, &config.policy, &operation, subject, end)
                });
                tell_peer(&head, &mut edits, config, admitted);
                identify(&head, &mut edits, config, admitted, now)?;
                Ok(passed)
            })
        };
        match decided {
            Ok(Ok(pass)) => {
                stream.count(config.metrics.admitted, 1);
                count_removed(stream, config, &edits);
                edits.apply(stream, HeaderKind::Request);
                pass
            }
            Ok(Err(refusal)) => self.stopped(stream, Direction::Request, Stopped { refusal, has_begun: false }),
            Err(problem) => self.refuse(stream, &problem),
        }
    }

    pub fn request_body(&mut self, stream: &mut Stream<'_>, end: bool) -> Pass {
        if self.is_closed {
            return Pass::Stop;
        }
        match self.request.piece(stream, &self.config.metrics, end) {
            Ok((pass, found)) => {
                if let (Some(admitted), Some(found)) = (&mut self.admitted, found) {
                    admitted.subject = found.subject.or(admitted.subject.take());
                }
                pass
            }
            Err(stopped) => self.stopped(stream, Direction::Request, stopped),
        }
    }

    pub fn request_trailers(&mut self, stream: &mut Stream<'_>) -> Pass {
        self.trailers(stream, Direction::Request)
    }

    pub fn response_headers(&mut self, stream: &mut Stream<'_>, end: bool) -> Pass {
        if self.is_answered {
            return Pass::On;
        }
        let config = self.config;
        let mut edits = Edits::default();
        let head = Head::read(stream, HeaderKind::Response);
        if config.policy.is_source() && head.first(PEER_PROBLEM).is_some() {
            self.relay = Relay::begin(&head, &mut edits);
            if self.relay.is_some() {
                edits.apply(stream, HeaderKind::Response);
                return if end { Pass::On } else { Pass::Stop };
            }
            edits.remove(PEER_PROBLEM.as_bytes());
            if end {
                Relay::keep_message(&head, &mut edits);
            }
        }
        let Some(admitted) = &self.admitted else { return self.defect(stream) };
        if admitted.operation.response.is_none() {
            edits.apply(stream, HeaderKind::Response);
            return Pass::On;
        }
        let (operation, subject) = (&admitted.operation, admitted.subject.as_deref());
        match self.response.head(&head, &mut edits, &config.policy, operation, subject, end) {
            Ok(pass) => {
                count_removed(stream, config, &edits);
                edits.apply(stream, HeaderKind::Response);
                pass
            }
            Err(refusal) => self.stopped(stream, Direction::Response, Stopped { refusal, has_begun: false }),
        }
    }

    pub fn response_body(&mut self, stream: &mut Stream<'_>, end: bool) -> Pass {
        if self.is_answered {
            return Pass::On;
        }
        if self.is_closed {
            return Pass::Stop;
        }
        if let Some(relay) = &mut self.relay {
            return relay.piece(stream, end);
        }
        match self.response.piece(stream, &self.config.metrics, end) {
            Ok((pass, _)) => pass,
            Err(stopped) => self.stopped(stream, Direction::Response, stopped),
        }
    }

    pub fn response_trailers(&mut self, stream: &mut Stream<'_>) -> Pass {
        if self.is_answered { Pass::On } else { self.trailers(stream, Direction::Response) }
    }

    fn trailers(&mut self, stream: &mut Stream<'_>, direction: Direction) -> Pass {
        if self.is_closed {
            return Pass::Stop;
        }
        let Some(admitted) = &self.admitted else { return self.defect(stream) };
        let message = if direction == Direction::Request { &mut self.request } else { &mut self.response };
        match message.trailers(stream, &self.config.metrics, &admitted.operation) {
            Ok(_) => Pass::On,
            Err(stopped) => self.stopped(stream, direction, stopped),
        }
    }

    /// Envoy or the module answers in the place of the workload.
    pub fn answered_locally(&mut self) {
        self.is_answered = true;
    }

    /// The module itself is at fault: nothing that it may not have looked at passes.
    pub fn defect(&mut self, stream: &mut Stream<'_>) -> Pass {
        if self.is_closed {
            return Pass::Stop;
        }
        stream.count(self.config.metrics.defects, 1);
        if self.request.has_begun() || self.response.has_begun() {
            self.reset(stream, "defect")
        } else {
            self.refuse(stream, &Problem::defect())
        }
    }

    fn stopped(&mut self, stream: &mut Stream<'_>, direction: Direction, stopped: Stopped) -> Pass {
        if stopped.has_begun {
            return self.reset(stream, stopped.refusal.rule());
        }
        let Some(admitted) = &self.admitted else { return self.defect(stream) };
        let problem = admitted.refused(stopped.refusal, direction);
        self.refuse(stream, &problem)
    }

    fn refuse(&mut self, stream: &mut Stream<'_>, problem: &Problem) -> Pass {
        self.is_closed = true;
        self.is_answered = true;
        stream.count_labelled(self.config.metrics.refused, problem.rule);
        // Tells the listener that the answer is a problem document already.
        stream.note("rule", problem.rule);
        let document = problem.document(&self.config.policy.enforced_by);
        let mut headers = vec![("content-type", "application/problem+json")];
        if self.is_grpc {
            // Envoy answers in the form of gRPC, and takes a status that nobody names for success.
            headers.push(("grpc-status", problem.grpc_status()));
        }
        stream.respond(problem.status, &headers, &document, problem.rule);
        Pass::Stop
    }

    fn reset(&mut self, stream: &mut Stream<'_>, rule: &'static str) -> Pass {
        self.is_closed = true;
        stream.count_labelled(self.config.metrics.refused, rule);
        stream.reset(rule);
        Pass::Stop
    }
}

fn count_removed(stream: &mut Stream<'_>, config: &Config, edits: &Edits) {
    let removed = edits.removed();
    if removed > 0 {
        stream.count(config.metrics.headers_dropped, removed as u64);
    }
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(u64::MAX, |since| since.as_secs())
}

fn admit(config: &Config, head: &Head<'_>, peer: Option<&str>, now: u64) -> Result<Admitted, Problem> {
    let text = |name| meant(head.first(name));
    let request = RequestHead {
        method: text(":method").unwrap_or_default(),
        path: text(":path").unwrap_or_default(),
        purpose: text(PURPOSE),
        flow: if config.policy.is_source() { None } else { text(FLOW) },
        peer,
    };
    config.policy.admit(&request, now)
}

/// Filters the query, and notes the data subject where the head names it.
fn subject_and_query(head: &Head<'_>, edits: &mut Edits, admitted: &mut Admitted) -> Result<(), Refusal> {
    admitted.note_subject(|name| head.first(name))?;
    let path = head.first(":path").map_or(&b""[..], |(value, _)| value);
    if let Some(filtered) = admitted.filter_path(path)? {
        edits.set(head, ":path", &filtered);
    }
    Ok(())
}

/// Shows a host outside who calls, where the flow says so.
fn identify(head: &Head<'_>, edits: &mut Edits, config: &Config, admitted: &Admitted, now: u64) -> Result<(), Problem> {
    let text = |name| meant(head.first(name)).unwrap_or_default();
    if let Some(shown) = config.policy.present(admitted, text(":method"), text(":path"), now)? {
        edits.set(head, AUTHORIZATION, &shown.authorization);
        edits.set(head, PROOF, &shown.proof);
    }
    Ok(())
}

fn tell_peer(head: &Head<'_>, edits: &mut Edits, config: &Config, admitted: &Admitted) {
    for (name, value) in config.policy.tells(admitted) {
        match value {
            Some(value) => edits.set(head, name, value),
            None if head.first(name).is_some() => edits.remove(name.as_bytes()),
            None => {}
        }
    }
}
