//! Protocol buffers: any bytes get an answer; what leaves is a message that holds declared fields alone, those that the
//! reference takes out as well, and passes unchanged; calls of gRPC come out the same in any chunks. Where fields are
//! changed or name the data subject, what leaves is a message in which they are changed.

#![no_main]

#[path = "../../core/tests/protobuf/reference.rs"]
mod reference;
#[allow(dead_code)] // the tests use more of it
#[path = "../../core/tests/protobuf/schema.rs"]
mod schema;
#[path = "../../core/tests/protobuf/tape.rs"]
mod tape;

use std::sync::{Arc, LazyLock};

use lawflow_core::{
    DescriptorSet, GrpcFilter, Key, Limits, MessageFilter, MessageSelection, Protection, Refusal, Treatment,
};
use lawflow_fuzz::{Input, chunks, is_masked, mask};
use libfuzzer_sys::fuzz_target;
use prost_reflect::prost::Message;
use prost_reflect::{DynamicMessage, MessageDescriptor, Value};
use tape::Tape;

static DECLARED: LazyLock<MessageDescriptor> = LazyLock::new(|| schema::order(&schema::declared()));
static PRODUCED: LazyLock<MessageDescriptor> = LazyLock::new(|| schema::order(&schema::produced()));
static SET: LazyLock<DescriptorSet> = LazyLock::new(|| DescriptorSet::decode(&schema::declared()).unwrap());
static WHOLE: LazyLock<Arc<MessageSelection>> = LazyLock::new(|| schema::passing(&["/**"]));

const MOST: usize = 512;

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let shape = input.byte();
    let pointers = Tape::new(input.part()).pointers(&DECLARED);
    let cuts = input.cuts();
    let is_treated = shape & 4 == 4;
    let treated = pointers.iter().map(|pointer| (pointer.as_str(), Treatment::PASS));
    let treated = treated.chain(treatments().into_iter().filter(|_| is_treated));
    let selection = Arc::new(MessageSelection::with(&SET, "shop.Order", treated).unwrap());

    if shape & 1 == 1 {
        let body = call(&mut input, shape & 2 == 2);
        let whole = streamed(&selection, &[&body]);
        assert_eq!(streamed(&selection, &chunks(&body, &cuts)), whole);
        assert_eq!(streamed(&selection, &body.chunks(1).collect::<Vec<_>>()), whole);
        return;
    }
    let body = if shape & 2 == 2 { produced(&mut input) } else { input.rest.to_vec() };
    let Ok(out) = schema::filtered(&selection, &body) else { return };
    let left = read(&out).expect("what leaves is a message");
    if is_treated {
        return assert!(emails(&left).iter().all(|email| is_masked(email)), "a value leaves as it was: {left:?}");
    }
    assert_eq!(schema::filtered(&selection, &out).as_ref(), Ok(&out), "filtering again changes nothing");
    same(&left, &reference::declared(&left, &pointers), "what leaves is declared");
    // The reference takes a map for one whatever its wire type says; of bodies without such fields it can be asked.
    if let (Ok(_), Some(body)) = (schema::filtered(&WHOLE, &body), read(&body)) {
        same(&left, &reference::declared(&body, &pointers), "all that is declared leaves");
    }
});

/// Changes that always come out the same, and a field that names the data subject.
fn treatments() -> [(&'static str, Treatment); 4] {
    let pseudonymize = Arc::new(Protection::Pseudonymize(Key { id: "k".into(), secret: [7; 32] }));
    [
        ("/customer/email", mask()),
        ("/items/*/recipient/email", mask()),
        ("/customer/name", Treatment { protection: Some(pseudonymize), ..Treatment::PASS }),
        ("/customer/id", Treatment { is_subject: true, ..Treatment::default() }),
    ]
}

/// The addresses of customers that are changed.
fn emails(order: &DynamicMessage) -> Vec<String> {
    let message = |value: &Value| value.as_message().cloned();
    let field = |of: &DynamicMessage, name: &str| of.get_field_by_name(name).map(|value| value.into_owned());
    let items = field(order, "items").and_then(|items| items.as_list().map(<[Value]>::to_vec)).unwrap_or_default();
    let recipients = items.iter().filter_map(message).filter_map(|item| field(&item, "recipient"));
    let customers = field(order, "customer").into_iter().chain(recipients);
    let emails = customers.filter_map(|customer| field(&message(&customer)?, "email"));
    emails.filter_map(|email| email.as_str().map(str::to_owned)).collect()
}

fn read(bytes: &[u8]) -> Option<DynamicMessage> {
    DynamicMessage::decode(DECLARED.clone(), bytes).ok()
}

/// Compares what messages hold once they are written: a list that is there and empty is none then. Messages with numbers
/// that are none do not equal themselves.
fn same(found: &DynamicMessage, expected: &DynamicMessage, what: &str) {
    let (found, expected) = (read(&found.encode_to_vec()), read(&expected.encode_to_vec()));
    if found != expected && !format!("{found:?}").contains("NaN") {
        panic!("{what}: {found:?} and not {expected:?}");
    }
}

/// A message of producers, with up to two bytes changed.
fn produced(input: &mut Input<'_>) -> Vec<u8> {
    let changes: Vec<(usize, u8)> = (0..input.below(3)).map(|_| (usize::from(input.byte()), input.byte())).collect();
    let mut body = Tape::new(input.rest).message(&PRODUCED).encode_to_vec();
    for (place, byte) in changes {
        let at = place % (body.len() + 1);
        if at < body.len() { body[at] = byte } else { body.push(byte) }
    }
    body
}

/// The body of a call: any bytes, or messages in their frames.
fn call(input: &mut Input<'_>, is_framed: bool) -> Vec<u8> {
    if !is_framed {
        return input.rest.to_vec();
    }
    let mut body = Vec::new();
    while !input.rest.is_empty() {
        let message = input.part();
        body.push(0);
        body.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
        body.extend_from_slice(message);
    }
    body
}

fn streamed(selection: &Arc<MessageSelection>, chunks: &[&[u8]]) -> (Vec<u8>, Result<(), Refusal>) {
    let messages = MessageFilter::new(Arc::clone(selection), Limits::default(), None);
    let mut filter = GrpcFilter::new(messages, MOST);
    let mut out = Vec::new();
    let result = chunks.iter().try_for_each(|chunk| filter.feed(chunk, &mut out)).and_then(|()| filter.finish());
    (out, result)
}
