//! The filter against the reference: the same messages and pointers, the same fields.

use std::sync::{Arc, LazyLock};

use lawflow_core::{DescriptorSet, GrpcFilter, Limits, MessageFilter, MessageSelection, Treatment};
use proptest::prelude::*;
use prost_reflect::prost::Message;
use prost_reflect::{DynamicMessage, MessageDescriptor};

use super::reference;
use super::schema::{self, filtered};
use super::tape::Tape;

static DECLARED: LazyLock<MessageDescriptor> = LazyLock::new(|| schema::order(&schema::declared()));
static PRODUCED: LazyLock<MessageDescriptor> = LazyLock::new(|| schema::order(&schema::produced()));
static SET: LazyLock<DescriptorSet> = LazyLock::new(|| DescriptorSet::decode(&schema::declared()).unwrap());

/// As many as `PROPTEST_CASES` says, for long runs.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(1000)
}

fn tapes(length: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..length)
}

fn selection(pointers: &[String]) -> Arc<MessageSelection> {
    let pointers = pointers.iter().map(|pointer| (pointer.as_str(), Treatment::PASS));
    Arc::new(MessageSelection::with(&SET, "shop.Order", pointers).unwrap())
}

fn pointers(tape: &[u8]) -> Vec<String> {
    Tape::new(tape).pointers(&DECLARED)
}

fn message(tape: &[u8]) -> Vec<u8> {
    Tape::new(tape).message(&PRODUCED).encode_to_vec()
}

fn read(bytes: &[u8]) -> Option<DynamicMessage> {
    DynamicMessage::decode(DECLARED.clone(), bytes).ok()
}

fn streamed(selection: &Arc<MessageSelection>, chunks: &[&[u8]]) -> Vec<u8> {
    let messages = MessageFilter::new(Arc::clone(selection), Limits::default(), None);
    let mut filter = GrpcFilter::new(messages, 1 << 20);
    let mut out = Vec::new();
    for chunk in chunks {
        filter.feed(chunk, &mut out).unwrap();
    }
    filter.finish().unwrap();
    out
}

fn frame(message: &[u8]) -> Vec<u8> {
    [&[0][..], &u32::try_from(message.len()).unwrap().to_be_bytes(), message].concat()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_leaves_is_what_the_reference_lets_through(which in tapes(60), what in tapes(400)) {
        let (pointers, body) = (pointers(&which), message(&what));
        let out = filtered(&selection(&pointers), &body).unwrap();
        // Fields that the descriptors do not know would tell the two apart.
        prop_assert_eq!(read(&out).unwrap(), reference::declared(&read(&body).unwrap(), &pointers), "{:?}", pointers);
        prop_assert_eq!(filtered(&selection(&pointers), &out), Ok(out.clone()));
    }

    #[test]
    fn what_is_declared_in_full_leaves_to_the_letter(what in tapes(400)) {
        let body = Tape::new(&what).message(&DECLARED).encode_to_vec();
        prop_assert_eq!(filtered(&selection(&["/**".to_owned()]), &body), Ok(body.clone()));
    }

    #[test]
    fn a_damaged_message_is_refused_or_read_as_the_reference_reads_it(
        which in tapes(60),
        what in tapes(200),
        places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3), 1..4),
    ) {
        let (pointers, mut body) = (pointers(&which), message(&what));
        for (place, byte, change) in places {
            let at = place.index(body.len() + 1);
            match change {
                0 => body.insert(at, byte),
                1 if at < body.len() => body[at] = byte,
                _ => body.truncate(at),
            }
        }
        if let Ok(out) = filtered(&selection(&pointers), &body) {
            let found = read(&out);
            prop_assert!(found.is_some(), "what leaves is a message");
            if let Some(whole) = read(&body) {
                let (found, expected) = (found.unwrap(), reference::declared(&whole, &pointers));
                prop_assert!(found == expected || format!("{found:?}").contains("NaN"), "{found:?} {expected:?}");
            }
        }
    }

    #[test]
    fn any_bytes_at_all_get_an_answer(which in tapes(60), body in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(out) = filtered(&selection(&pointers(&which)), &body) {
            prop_assert!(read(&out).is_some());
        }
    }

    #[test]
    fn chunks_never_matter(
        which in tapes(60),
        what in prop::collection::vec(tapes(100), 0..4),
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let selection = selection(&pointers(&which));
        let messages: Vec<_> = what.iter().map(|tape| message(tape)).collect();
        let body: Vec<u8> = messages.iter().flat_map(|message| frame(message)).collect();
        let expected: Vec<u8> =
            messages.iter().flat_map(|message| frame(&filtered(&selection, message).unwrap())).collect();
        let mut cuts: Vec<_> = places.iter().map(|place| place.index(body.len() + 1)).collect();
        cuts.extend([0, body.len()]);
        cuts.sort_unstable();
        let chunks: Vec<_> = cuts.windows(2).map(|pair| &body[pair[0]..pair[1]]).collect();
        prop_assert_eq!(streamed(&selection, &chunks), expected.clone());
        prop_assert_eq!(streamed(&selection, &body.chunks(1).collect::<Vec<_>>()), expected);
    }
}
