//! Refusals as problem documents (RFC 9457): which rule was broken and what to do, never a value.

use percent_encoding::{AsciiSet, CONTROLS, percent_decode, percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Direction, Refusal};

const TYPE: &str = "https://lawflow.dev/problems/";
/// The header by which a sidecar says that an answer is its own. Envoy takes it from what others answer.
pub const PEER_PROBLEM: &str = "lawflow-problem";
/// What is encoded in the header `grpc-message`, beside all that is not ASCII (gRPC over HTTP/2, "Responses").
const IN_MESSAGES: &AsciiSet = &CONTROLS.add(b'%');
/// Statuses of RFC 9110, section 15.
const FORBIDDEN: u16 = 403;
const CONTENT_TOO_LARGE: u16 = 413;
const UNSUPPORTED_MEDIA_TYPE: u16 = 415;
const UNPROCESSABLE_CONTENT: u16 = 422;
const INTERNAL_SERVER_ERROR: u16 = 500;
const BAD_GATEWAY: u16 = 502;

/// Why a request or its response does not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// HTTP status of the answer.
    pub status: u16,
    /// A stable name, the last part of the document's `type` and the label of metrics.
    pub rule: &'static str,
    title: &'static str,
    detail: String,
    flows: Option<String>,
}

/// A document as sidecars write it, the module's own and Envoy's, with no member beside.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Written {
    #[serde(rename = "type")]
    kind: String,
    title: String,
    status: u16,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    flows: Option<String>,
    enforced_by: String,
}

impl Problem {
    /// The media type of documents.
    pub const MEDIA_TYPE: &str = "application/problem+json";

    /// A document that another sidecar wrote, written anew; `None` for what no sidecar writes.
    #[must_use]
    pub fn relayed(text: &[u8]) -> Option<Vec<u8>> {
        let written: Written = serde_json::from_slice(text).ok()?;
        let is_rule = |rule: &str| rule.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        let is_ours = written.kind == "about:blank" || written.kind.strip_prefix(TYPE).is_some_and(is_rule);
        let is_enforced = written.enforced_by.starts_with("spiffe://");
        if is_ours && is_enforced { serde_json::to_vec(&written).ok() } else { None }
    }

    /// The same for a document in the header `grpc-message`, where it is percent-encoded.
    #[must_use]
    pub fn relayed_message(text: &[u8]) -> Option<String> {
        let document: Vec<u8> = percent_decode(text).collect();
        Self::relayed(&document).map(|document| percent_encode(&document, IN_MESSAGES).to_string())
    }

    /// The bytes of the document; `enforced_by` is the SPIFFE id of the workload whose sidecar refuses.
    #[must_use]
    pub fn document(&self, enforced_by: &str) -> Vec<u8> {
        let mut members = Map::new();
        members.insert("type".to_owned(), Value::from(format!("{TYPE}{}", self.rule)));
        members.insert("title".to_owned(), Value::from(self.title));
        members.insert("status".to_owned(), Value::from(self.status));
        members.insert("detail".to_owned(), Value::from(self.detail.as_str()));
        if let Some(flows) = &self.flows {
            members.insert("flows".to_owned(), Value::from(flows.as_str()));
        }
        members.insert("enforcedBy".to_owned(), Value::from(enforced_by));
        Value::Object(members).to_string().into_bytes()
    }

    /// The status of gRPC that says the same; see its specification of status codes.
    #[must_use]
    pub fn grpc_status(&self) -> &'static str {
        match self.status {
            FORBIDDEN => "7",                                      // PERMISSION_DENIED
            CONTENT_TOO_LARGE => "8",                              // RESOURCE_EXHAUSTED
            UNSUPPORTED_MEDIA_TYPE | UNPROCESSABLE_CONTENT => "3", // INVALID_ARGUMENT
            _ => "13",                                             // INTERNAL
        }
    }

    /// A body that its flow does not let through.
    #[must_use]
    pub fn refused(refusal: Refusal, direction: Direction, operation: &str, flow: &str) -> Self {
        let status = match (direction, refusal) {
            (Direction::Response, _) => BAD_GATEWAY,
            (_, Refusal::BodySize) => CONTENT_TOO_LARGE,
            (_, Refusal::ContentType | Refusal::ContentEncoding) => UNSUPPORTED_MEDIA_TYPE,
            _ => UNPROCESSABLE_CONTENT,
        };
        let which = if direction == Direction::Request { "request" } else { "response" };
        Self {
            status,
            rule: refusal.rule(),
            title: if direction == Direction::Request {
                "The request cannot be minimized, so it does not leave"
            } else {
                "The response cannot be minimized, so it does not leave"
            },
            detail: format!("{refusal}: in the {which} of operation {operation} of the flow {flow}"),
            flows: None,
        }
    }

    /// The sidecar met a defect of its own: nothing passes.
    #[must_use]
    pub fn defect() -> Self {
        Self {
            status: INTERNAL_SERVER_ERROR,
            rule: "defect",
            title: "The sidecar met a defect of its own, so nothing passes",
            detail: "report it with the sidecar's log".to_owned(),
            flows: None,
        }
    }

    pub(super) fn denied(rule: &'static str, title: &'static str, detail: String, flows: Option<String>) -> Self {
        Self { status: FORBIDDEN, rule, title, detail, flows }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_tells_whose_fault_it_is() {
        let status = |refusal, direction| Problem::refused(refusal, direction, "o", "f").status;
        assert_eq!(status(Refusal::Syntax, Direction::Request), 422);
        assert_eq!(status(Refusal::ContentType, Direction::Request), 415);
        assert_eq!(status(Refusal::BodySize, Direction::Request), 413);
        assert_eq!(status(Refusal::BodySize, Direction::Response), 502);
    }

    #[test]
    fn a_refusal_is_no_success_of_grpc() {
        let status = |refusal, direction| Problem::refused(refusal, direction, "o", "f").grpc_status();
        assert_eq!(status(Refusal::Syntax, Direction::Request), "3");
        assert_eq!(status(Refusal::BodySize, Direction::Request), "8");
        assert_eq!(status(Refusal::BodySize, Direction::Response), "13");
        assert_eq!(Problem::denied("r", "t", String::new(), None).grpc_status(), "7");
    }

    #[test]
    fn what_a_sidecar_wrote_is_relayed_and_nothing_else() {
        let problem = Problem::refused(Refusal::DuplicateName, Direction::Request, "create", "shop/orders");
        let ours: Value = serde_json::from_slice(&problem.document("spiffe://x/ns/shop/sa/billing")).unwrap();
        let relayed = |document: &Value| Problem::relayed(document.to_string().as_bytes());
        let passed: Value = serde_json::from_slice(&relayed(&ours).unwrap()).unwrap();
        assert_eq!(passed, ours);
        let with = |name: &str, value: Value| {
            let mut changed = ours.clone();
            changed[name] = value;
            changed
        };
        assert!(relayed(&with("type", "about:blank".into())).is_some());
        for other in [
            with("type", "https://lawflow.dev/problems/Jane Doe".into()),
            with("type", "https://other.example/problems/body-syntax".into()),
            with("customer", "Jane Doe".into()),
            with("detail", serde_json::json!({"name": "Jane Doe"})),
            with("status", "Jane Doe".into()),
            with("enforcedBy", "Jane Doe".into()),
            serde_json::json!([]),
        ] {
            assert!(relayed(&other).is_none(), "{other}");
        }
        assert!(Problem::relayed(b"{").is_none());
    }

    #[test]
    fn in_a_message_of_grpc_a_document_is_relayed_and_nothing_else() {
        let message =
            r#"{"type":"about:blank","title":"%C3%BC 100%25","status":503,"detail":"d","enforcedBy":"spiffe://x"}"#;
        assert_eq!(Problem::relayed_message(message.as_bytes()).as_deref(), Some(message));
        for other in ["Jane Doe", "%", "%4x", "{}", &message.replace("about:blank", "Jane")] {
            assert_eq!(Problem::relayed_message(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn a_document_names_the_rule_and_who_enforces_it() {
        let problem = Problem::refused(Refusal::DuplicateName, Direction::Request, "create", "shop/orders");
        let document: Value = serde_json::from_slice(&problem.document("spiffe://x/ns/shop/sa/orders")).unwrap();
        assert_eq!(document["type"], "https://lawflow.dev/problems/duplicate-name");
        assert_eq!(document["status"], 422);
        assert_eq!(document["enforcedBy"], "spiffe://x/ns/shop/sa/orders");
        assert!(document["detail"].as_str().unwrap().ends_with("operation create of the flow shop/orders"));
    }
}
