use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prost::Message;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet};

use super::*;
use crate::{Body, BodyHead, Found};

const ORDERS: &str = "spiffe://x/ns/shop/sa/orders";
const POLICY: &str = r#"{
    "schema": 1, "port": "shop/billing:8080", "enforcedBy": "spiffe://x/ns/shop/sa/PEER", "peer": "KIND",
    "notAfter": 1000,
    "flows": [
        {"name": "shop/invoices", "source": "spiffe://x/ns/shop/sa/orders", "operations": [
            {"name": "read", "methods": ["GET"], "path": "/invoices/{invoice}", "purposes": ["dpv:PaymentManagement"],
             "subject": {"in": "path", "name": "invoice"}},
            {"name": "latest", "methods": ["GET"], "path": "/invoices/latest",
             "purposes": ["dpv:PaymentManagement", "dpv:LegalCompliance"]}]},
        {"name": "shop/refunds", "source": "spiffe://x/ns/shop/sa/orders", "closed": "its agreement has expired",
         "operations": [{"name": "refund", "path": "/refunds", "purposes": ["dpv:PaymentManagement"]}]}
    ]}"#;

fn policy(kind: &str) -> Policy {
    let own = if kind == "own" { "orders" } else { "billing" };
    Policy::parse(POLICY.replace("KIND", kind).replace("PEER", own).as_bytes()).unwrap()
}

const HEAD: RequestHead<'static> =
    RequestHead { method: "GET", path: "/invoices/17?x=1", purpose: None, flow: None, peer: Some(ORDERS) };

fn rule(policy: &Policy, head: &RequestHead<'_>) -> &'static str {
    policy.admit(head, 999).map_or_else(|problem| problem.rule, |_| "")
}

#[test]
fn a_declared_request_is_admitted_with_its_purpose_and_subject() {
    for kind in ["own", "certified"] {
        let admitted = policy(kind).admit(&HEAD, 999).unwrap();
        assert_eq!((&*admitted.flow.name, &*admitted.operation.name), ("shop/invoices", "read"));
        assert_eq!(&*admitted.purpose, "dpv:PaymentManagement");
        assert_eq!(admitted.subject.as_deref(), Some("17"));
    }
}

#[test]
fn what_no_open_flow_declares_is_refused_with_the_flows_there_are() {
    let own = policy("own");
    let problem = own.admit(&RequestHead { path: "/refunds", ..HEAD }, 999).unwrap_err();
    let text = String::from_utf8(problem.document(&own.enforced_by)).unwrap();
    assert!(text.contains("shop/invoices is open; shop/refunds is closed: its agreement has expired"), "{text}");
    let theirs = policy("certified").admit(&RequestHead { method: "DELETE", ..HEAD }, 999).unwrap_err();
    let text = String::from_utf8(theirs.document("x")).unwrap();
    assert!(text.contains("shop/refunds is closed\"") && !text.contains("expired"), "{text}");
    assert!(text.contains(ORDERS));
}

#[test]
fn a_refusal_repeats_neither_the_path_nor_an_invented_method() {
    let problem = policy("own").admit(&RequestHead { method: "JANE", path: "/jane/doe", ..HEAD }, 999).unwrap_err();
    let text = String::from_utf8(problem.document("x")).unwrap();
    assert!(!text.to_lowercase().contains("jane"), "{text}");
}

#[test]
fn the_certificate_says_who_asks() {
    let policy = policy("certified");
    assert_eq!(
        rule(&policy, &RequestHead { peer: Some("spiffe://x/ns/shop/sa/other"), ..HEAD }),
        "undeclared-operation"
    );
    assert_eq!(rule(&policy, &RequestHead { peer: None, ..HEAD }), "undeclared-operation");
    assert_eq!(rule(&policy, &RequestHead { flow: Some("shop/refunds"), ..HEAD }), "undeclared-operation");
    assert_eq!(rule(&policy, &RequestHead { flow: Some("shop/invoices"), ..HEAD }), "");
}

#[test]
fn the_most_specific_operation_wins_and_its_purpose_has_to_be_named_where_it_has_several() {
    let policy = policy("own");
    let latest = RequestHead { path: "/invoices/latest", ..HEAD };
    assert_eq!(rule(&policy, &latest), "purpose-required");
    assert_eq!(rule(&policy, &RequestHead { purpose: Some("dpv:Marketing"), ..latest }), "undeclared-purpose");
    let named = policy.admit(&RequestHead { purpose: Some("dpv:LegalCompliance"), ..latest }, 999).unwrap();
    assert_eq!((&*named.operation.name, &*named.purpose), ("latest", "dpv:LegalCompliance"));
}

#[test]
fn an_operation_without_purposes_needs_none() {
    let text = POLICY.replace("KIND", "own").replace("PEER", "orders").replace(r#"["dpv:PaymentManagement"]"#, "[]");
    let policy = Policy::parse(text.as_bytes()).unwrap();
    assert_eq!(&*policy.admit(&HEAD, 999).unwrap().purpose, "");
    assert_eq!(rule(&policy, &RequestHead { purpose: Some("dpv:Marketing"), ..HEAD }), "");
}

#[test]
fn a_verdict_dies_on_its_own() {
    let text = POLICY.replace("KIND", "own").replace("PEER", "orders");
    let aged = text.replacen("\"operations\"", "\"notAfter\": 900, \"operations\"", 1);
    let policy = Policy::parse(aged.as_bytes()).unwrap();
    assert!(policy.admit(&HEAD, 899).is_ok());
    let text = String::from_utf8(policy.admit(&HEAD, 900).unwrap_err().document("x")).unwrap();
    assert!(text.contains("shop/invoices is closed: its verdict is too old"), "{text}");
}

#[test]
fn a_policy_dies_on_its_own() {
    assert_eq!(policy("own").admit(&HEAD, 1000).unwrap_err().rule, "policy-expired");
}

#[test]
fn a_policy_is_understood_to_the_last_member_or_refused_without_repeating_it() {
    for (from, to) in [
        ("\"schema\": 1", "\"schema\": 3"),
        ("\"notAfter\": 1000", "\"notAfter\": 1000, \"notBefore\": 1"),
        ("\"source\"", "\"sauce\""),
        ("{invoice}\",", "{invoice}\", \"request\": {\"fields\": [{\"pointer\": \"secret\"}]},"),
        ("{invoice}\",", "{invoice}\", \"request\": {\"fields\": [{\"pointer\": \"/a\", \"protect\": \"encrypt\"}]},"),
    ] {
        let text = POLICY.replace("KIND", "own").replacen(from, to, 1);
        assert!(Policy::parse(text.as_bytes()).is_err(), "{to}");
    }
    let with_key = POLICY.replace("\"path\"", "\"keys\": [{\"usage\": \"encrypt\", \"secret\": \"00ff\"}], \"path\"");
    assert!(!Policy::parse(with_key.as_bytes()).unwrap_err().to_string().contains("00ff"));
}

/// A descriptor set with the message `shop.Invoice`, whose field `customer_name` has the number 1.
fn descriptor_set() -> String {
    let field = FieldDescriptorProto {
        name: Some("customer_name".to_owned()),
        number: Some(1),
        label: Some(Label::Optional as i32),
        r#type: Some(Type::String as i32),
        ..FieldDescriptorProto::default()
    };
    let message =
        DescriptorProto { name: Some("Invoice".to_owned()), field: vec![field], ..DescriptorProto::default() };
    let file = FileDescriptorProto {
        package: Some("shop".to_owned()),
        message_type: vec![message],
        ..FileDescriptorProto::default()
    };
    STANDARD.encode(FileDescriptorSet { file: vec![file] }.encode_to_vec())
}

fn with_messages(set: &str, message: &str, pointer: &str) -> Result<Policy, PolicyError> {
    let request = format!(
        r#""subject": {{"in": "body", "name": "/customerName"}}, "keys": [{{"usage": "pseudonymize", "id": "k", "secret":
        "{}"}}], "request": {{"fields": [{{"pointer": "{pointer}", "protect": "pseudonymize"}}], "message":
        {{"descriptorSet": "shop", "name": "{message}"}}}}"#,
        "07".repeat(32)
    );
    let text = POLICY
        .replace("KIND", "own")
        .replace("PEER", "orders")
        .replace(r#""subject": {"in": "path", "name": "invoice"}"#, &request)
        .replacen("\"notAfter\"", &format!(r#""descriptorSets": {{"shop": "{set}"}}, "notAfter""#), 1);
    Policy::parse(text.as_bytes())
}

#[test]
fn pointers_reach_into_the_messages_of_an_operation() {
    let policy = with_messages(&descriptor_set(), "shop.Invoice", "/customer_name").unwrap();
    let admitted = policy.admit(&HEAD, 999).unwrap();
    let payload = admitted.operation.request.as_ref().unwrap();
    let head = BodyHead { content_type: Some(b"application/protobuf"), ..BodyHead::default() };
    let mut body = Body::new(&payload.fields, payload.message.as_ref(), &head, policy.limits, 100, false).unwrap();
    let mut out = Vec::new();
    body.feed(b"\x0a\x04anna\x12\x01x", &mut out).unwrap();
    assert_eq!(body.finish(&mut out), Ok(Found { subject: Some("anna".to_owned()) }));
    assert!(out.starts_with(b"\x0a\x18k.") && out.len() == 26, "{out:?}");
}

#[test]
fn a_message_is_as_large_as_a_body_may_be() {
    let limit = |text: &str| Policy::parse(text.as_bytes()).unwrap().limits.message_bytes;
    let text = POLICY.replace("KIND", "own");
    assert_eq!(limit(&text), BODY_BYTES);
    assert_eq!(limit(&text.replacen("\"flows\"", "\"limits\": {\"bodyBytes\": 7}, \"flows\"", 1)), 7);
}

#[test]
fn a_message_that_cannot_be_applied_is_named_with_what_is_wrong() {
    let set = descriptor_set();
    for (set, message, pointer, part) in [
        (&*set, "shop.Order", "/customerName", "\"shop.Order\""),
        (&*set, "shop.Invoice", "/customerNames", "\"/customerNames\" is no pointer into shop.Invoice"),
        ("?", "shop.Invoice", "/customerName", "\"shop\" is not written in Base64"),
        ("////", "shop.Invoice", "/customerName", "\"shop\": it is no FileDescriptorSet"),
    ] {
        let error = with_messages(set, message, pointer).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
    let text = POLICY.replace("KIND", "own").replace(
        "\"purposes\"",
        "\"request\": {\"message\": {\"descriptorSet\": \"x\", \"name\": \"M\"}}, \"purposes\"",
    );
    let error = Policy::parse(text.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("no descriptor set \"x\""), "{error}");
}
