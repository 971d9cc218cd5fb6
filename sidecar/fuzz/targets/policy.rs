//! Policies and heads: any bytes, and a good policy with a few bytes of it changed, are read or refused, and any head gets
//! an answer. Errors repeat no secret, problem documents neither path nor method nor what else callers make up.

#![no_main]

use lawflow_core::{Policy, RequestHead};
use lawflow_fuzz::Input;
use libfuzzer_sys::fuzz_target;

const SECRET: &str = "5ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2";
const ORDERS: &str = "spiffe://x/ns/shop/sa/orders";
/// Stands in no policy.
const MADE_UP: &str = "Jane-Doe";

/// Keys stand behind all that errors quote, so that no cut can join the two.
const GOOD: &str = r#"{
"schema": 1, "port": "shop/billing:8080", "enforcedBy": "spiffe://x/ns/shop/sa/orders", "peer": "own",
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
"keys": [{"usage": "pseudonymize", "id": "k", "secret": "SECRET"}, {"usage": "encrypt", "id": "k", "secret": "SECRET"}]}]},
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
        Err(error) => return assert!(is_any || !error.to_string().contains(&SECRET[..8]), "an error repeats a secret"),
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
            let subject = admitted.subject.unwrap_or_default();
            assert!(request.path.contains(&subject) && !subject.contains(['/', ';', '?']), "{subject:?}");
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

/// The good policy with up to four changes.
fn damaged(input: &mut Input<'_>) -> Vec<u8> {
    let mut text = GOOD.replace("SECRET", SECRET).into_bytes();
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
