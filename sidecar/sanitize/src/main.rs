//! The module's unsafe part under AddressSanitizer: its real hooks, called by a host that does with its memory what Envoy
//! may do (see [`host`]). Every stream has another head and body, cut in other places; the seed makes runs alike.
//!
//! It covers what the module reads of the host's memory, when it does, what it hands to the host, and that streams and
//! configurations are freed once and wholly. It does not cover Envoy itself: that is what tests/envoy do.

#[path = "../../envoy/src/abi/mod.rs"]
mod abi;
mod callbacks;
#[path = "../../envoy/src/config.rs"]
mod config;
#[path = "../../envoy/src/filter.rs"]
mod filter;
#[path = "../../envoy/src/head.rs"]
mod head;
mod host;
#[path = "../../envoy/src/message.rs"]
mod message;
#[path = "../../envoy/src/relay.rs"]
mod relay;

use host::{Answer, Host, Module};

/// Streams of a run; `make sanitize` takes some seconds for them.
const STREAMS: u64 = 20_000;

const POLICY: &str = r#"{"schema": 1, "port": "shop/billing:8080", "enforcedBy": "spiffe://x/ns/shop/sa/billing",
"peer": "PEER", "notAfter": 99999999999, "limits": {"bodyBytes": 400}, "flows": [{"name": "shop/a",
"source": "spiffe://x/ns/shop/sa/SOURCE", "operations": [
{"name": "w", "path": "/w/{id}", "purposes": ["p", "q"], "stream": STREAM, "subject": {"in": "header", "name": "x-who"},
"request": {"fields": [{"pointer": "/a"}, {"pointer": "/m", "protect": "mask"}], "query": [{"name": "q"}],
"headers": [{"name": "x-kept"}, {"name": "x-masked", "protect": "mask"}]},
"response": {"fields": [{"pointer": "/a"}], "headers": [{"name": "x-masked", "protect": "mask"}]}}]},
{"name": "shop/b", "source": "spiffe://x/ns/shop/sa/SOURCE", "closed": "it is not lawful"}]}"#;

/// Names and values of headers that a stream may have.
const HEADERS: &[(&str, &[u8])] = &[
    (":path", b"/w/1?q=1&x=2"),
    (":path", b"/w/1"),
    (":path", b""),
    (":method", b"POST"),
    ("lawflow-purpose", b"p"),
    ("lawflow-purpose", b"q"),
    ("lawflow-flow", b"shop/a"),
    ("x-who", b"anna"),
    ("x-who", b"\xff"),
    ("x-kept", b""),
    ("x-masked", b"NL91ABNA0417164300"),
    ("x-masked", b"\xff\xfe"),
    ("cookie", b"a=b"),
    ("content-type", b"application/json"),
    ("content-type", b"application/x-ndjson"),
    ("content-type", b"text/plain"),
    ("content-length", b"7"),
    ("content-encoding", b"gzip"),
    ("content-length", b"99999999999999999999"),
    ("if-match", b"\"1\""),
    ("date", b""),
    ("te", b"trailers"),
    ("grpc-status", b"0"),
    ("", b"nameless"),
    ("x-é", b"\xc3\xa9"),
];

/// What the peer's sidecar says of a call of gRPC that it refuses.
const REFUSAL: &[(&str, &[u8])] = &[
    ("lawflow-problem", b"1"),
    ("grpc-message", br#"{"type":"about:blank","title":"100%25","status":503,"detail":"d","enforcedBy":"spiffe://x"}"#),
];

const BODIES: &[&[u8]] = &[
    br#"{"a":1,"m":"a-value-that-is-long","z":{"a":[1,2,{"b":"c"}]}}"#,
    br#"{"a":"\u00e9","a":2}"#,
    b"{",
    b"",
    b"[]",
    b"{\"a\":1}\n{\"a\":2,\"m\":null}\n",
    b"\xff\xfe",
    b"a=1&b=2",
    b"\x1f\x8b\x08\x00",
];

fn main() {
    let mut random = Random(0x5eed);
    let mut outcomes = [0_u64; 3];
    for side in ["own", "certified"] {
        for stream in ["false", "true"] {
            let text = POLICY.replace("PEER", side).replace("STREAM", stream);
            let text = text.replace("SOURCE", if side == "own" { "billing" } else { "orders" });
            assert!(Module::new(b"").is_none() && Module::new(&text.as_bytes()[..90]).is_none());
            let module = Module::new(text.as_bytes()).expect("the policy is one");
            for _ in 0..STREAMS / 4 {
                outcomes[exchange(&module, &mut random) as usize] += 1;
            }
        }
    }
    println!("streams that passed, were refused, were reset: {outcomes:?}");
    assert!(outcomes.iter().all(|&count| count > STREAMS / 500), "hardly ever reached: {outcomes:?}");
}

/// One stream, both ways; it may end at any point, as streams do.
fn exchange(module: &Module, random: &mut Random) -> Answer {
    let mut host = Host::new(["", "spiffe://x/ns/shop/sa/orders", "\u{e9}"][random.below(3)].as_bytes());
    let mut filter = module.filter(&mut host);
    for response in [false, true] {
        let (parts, trailers) = (random.below(5), random.below(4) == 0);
        let mut head = headers(random, response);
        let body = BODIES[if random.below(2) == 0 { 0 } else { random.below(BODIES.len()) }];
        if random.below(8) > 0 {
            head.push((b"content-type".to_vec(), b"application/json".to_vec()));
        }
        if !filter.headers(response, head, parts == 0 && !trailers) {
            break;
        }
        let mut rest = body;
        for part in 0..parts {
            let is_last = part + 1 == parts;
            let (piece, left) = rest.split_at(if is_last { rest.len() } else { random.below(rest.len() + 1) });
            rest = left;
            // What comes in one call may lie in several places, and in none.
            let cut = random.below(piece.len() + 1);
            if !filter.body(response, &[&piece[..cut], b"", &piece[cut..]][random.below(2)..], is_last && !trailers) {
                return filter.answer();
            }
        }
        if trailers && !filter.trailers(response, headers(random, response)) || random.below(9) == 0 {
            break;
        }
    }
    filter.answer()
}

fn headers(random: &mut Random, response: bool) -> Vec<(Vec<u8>, Vec<u8>)> {
    let owned = |&(name, value): &(&str, &[u8])| (name.as_bytes().to_vec(), value.to_vec());
    // Most heads have to pass, or no body is ever looked at.
    let extras = if random.below(4) == 0 { random.below(9) } else { 0 };
    let mut found: Vec<_> = (0..extras).map(|_| owned(&HEADERS[random.below(HEADERS.len())])).collect();
    if response {
        let status: &[u8] = [&b"200"[..], b"200", b"404", b"206", b""][random.below(5)];
        found.push((b":status".to_vec(), status.to_vec()));
        if random.below(8) == 0 {
            found.extend(REFUSAL.iter().map(owned));
        }
    } else if random.below(4) > 0 {
        found.retain(|(name, _)| name != b":path" && name != b"lawflow-purpose");
        found.extend([owned(&HEADERS[random.below(2)]), owned(&HEADERS[4])]);
    }
    found
}

/// The generator of Marsaglia, Xorshift RNGs (2003): the same on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end
    }
}
