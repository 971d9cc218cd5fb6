//! Policies and heads: any bytes, and a good policy with a few bytes of it changed, are read or refused, and any head gets
//! an answer. Errors repeat no secret, problem documents neither path nor method nor what else callers make up. What a
//! request shows a host outside names that request and no secret.

#![no_main]

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lawflow_core::{Admitted, Policy, RequestHead};
use lawflow_fuzz::Input;
use libfuzzer_sys::fuzz_target;

const SECRET: &str = "5ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2";
const ORDERS: &str = "spiffe://x/ns/shop/sa/orders";
/// A private key of no other use.
const PROOF_KEY: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgqY5gNEjGP3JjFf8WiXV+mS9Ci8p6LR+wPw1Pb2gPIR2hRANC\
AAT0bxBAkMvx/EMq+MXhapMT9FTuJUTOuqOzDU6PGXnRxm+LpNdRKrMHXCPwtnt+vf0z9foOuH134klpSif+4kLY";
const TOKEN: &str = "a.b.c";
/// Stands in no policy.
const MADE_UP: &str = "Jane-Doe";

/// Keys stand behind all that errors quote, so that no cut can join the two.
const GOOD: &str = r#"{
"schema": 2, "port": "shop/billing:8080", "enforcedBy": "spiffe://x/ns/shop/sa/orders", "peer": "own",
"notAfter": 1000, "limits": {"bodyBytes": 4096, "depth": 9},
"descriptorSets": {"d": "CjUKB2EucHJvdG8SAXAiHwoBTRIMCgFhGAEgASgJUgFhEgwKAWIYAiABKAVSAWJiBnByb3RvMw=="},
"flows": [
{"name": "f/a", "source": "spiffe://x/ns/shop/sa/orders", "notAfter": 900, "operations": [
{"name": "r", "methods": ["GET"], "path": "/i/{n}", "purposes": ["p"], "subject": {"in": "path", "name": "n"}},
{"name": "l", "methods": ["GET"], "path": "/i/l.{x}-{y}", "purposes": ["p", "q"], "stream": true,
"response": {"fields": [{"pointer": "/a/*"}, {"pointer": "/b/**"}, {"pointer": "/c", "protect": "generalize"}]}},
{"name": "w", "methods": ["POST"], "path": "/i", "purposes": [], "subject": {"in": "body", "name": "/a"},
"request": {"message": {"descriptorSet": "d", "name": "p.M"}, "query": [{"name": "q", "protect": "truncate"}],
"headers": [{"name": "x-h", "protect": "mask"}], "fields": [{"pointer": "/a", "protect": "pseudonymize"}, {"pointer": "/b"}]},
"keys": [{"usage": "pseudonymize", "id": "k", "secret": "SECRET"}, {"usage": "encrypt", "id": "k", "secret": "SECRET"}],
"credential": {"expires": 600, "tokens": {"p": "TOKEN", "q": "TOKEN"}, "key": "PROOF_KEY"}},
{"name": "f/b", "source": "spiffe://x/ns/shop/sa/orders", "closed": "it has expired",
"operations": [{"name": "c", "path": "/c", "purposes": ["p"]}]}]}"#;

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let shape = input.byte();
    let is_any = shape & 1 == 1;
    let head: Vec<String> = (0..5).map(|_| String::from_utf8_lossy(input.part()).into_owned()).collect();
    let made_up = |text: &str, bit: u8| if shape >> bit & 1 == 1 { text.to_owned() + MADE_UP } else { text.to_owned() };
    let text = if is_any { input.rest.to_vec() } else { damaged(&mut input) };
    let policy = match Policy::parse(&text) {
        Ok(policy) => policy,
        Err(error) => {
            let repeats = |secret: &str| error.to_string().contains(secret);
            return assert!(is_any || ![&SECRET[..8], &PROOF_KEY[48..64]].into_iter().any(repeats), "it repeats a secret");
        }
    };

    let (method, path) = (made_up(&head[0], 1), made_up(&format!("/{}", head[1]), 2));
    let (purpose, flow) = (made_up(&head[2], 3), made_up(&head[3], 4));
    let said = |bit: u8, text| (shape >> bit & 1 == 1).then_some(text);
    let request = RequestHead {
        method: if head[0].is_empty() { "GET" } else { &method },
        path: if head[1].is_empty() { "/i/l.1-2?q" } else { &path },
        purpose: said(5, purpose.as_str()),
        flow: said(6, flow.as_str()),
        peer: said(7, if head[4].is_empty() { ORDERS } else { &head[4] }),
    };
    match policy.admit(&request, 500) {
        Ok(admitted) => {
            let subject = admitted.subject.as_deref().unwrap_or_default();
            assert!(request.path.contains(subject) && !subject.contains(['/', ';', '?']), "{subject:?}");
            shown(&policy, &admitted, &request);
        }
        Err(problem) => {
            let document = problem.document(&policy.enforced_by);
            assert!(serde_json::from_slice::<serde_json::Value>(&document).is_ok());
            // Policies and certificates are repeated, whatever stands in them.
            let is_known = is_any
                || head[4].contains(MADE_UP)
                || text.windows(MADE_UP.len()).any(|part| part == MADE_UP.as_bytes());
            assert!(is_known || !String::from_utf8(document).unwrap().contains(MADE_UP), "it repeats the request");
        }
    }
});

/// Asserts that what goes out with a request is a proof of that request.
fn shown(policy: &Policy, admitted: &Admitted, request: &RequestHead<'_>) {
    let Ok(Some(shown)) = policy.present(admitted, request.method, request.path, 500) else { return };
    assert!(shown.proof.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)), "{shown:?}");
    let claims = URL_SAFE_NO_PAD.decode(shown.proof.split('.').nth(1).unwrap()).unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["htm"], request.method);
    let path = request.path.split('?').next().unwrap();
    assert!(claims["htu"].as_str().unwrap().ends_with(path), "{claims}");
}

/// The good policy with up to four changes.
fn damaged(input: &mut Input<'_>) -> Vec<u8> {
    let mut text = GOOD.replace("SECRET", SECRET).replace("TOKEN", TOKEN).replace("PROOF_KEY", PROOF_KEY).into_bytes();
    for _ in 0..input.below(5) {
        let at = usize::from(u16::from_be_bytes([input.byte(), input.byte()])) % text.len();
        match input.below(4) {
            0 => text[at] = input.byte(),
            1 => text.insert(at, input.byte()),
            2 => drop(text.drain(at..(at + input.below(64)).min(text.len()))),
            _ => drop(text.splice(at..at, input.part().iter().copied())),
        }
    }
    text
}
