use super::*;

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
        ("\"schema\": 1", "\"schema\": 2"),
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
