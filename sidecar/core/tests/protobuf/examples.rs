//! What passes of messages that are written by hand.

use std::sync::Arc;

use lawflow_core::{Key, Limits, MessageFilter, MessageSelection, Protection, Refusal, Treatment};

use super::schema::{bytes, filtered, number, passing, selection};

fn protected(protection: Protection) -> Treatment {
    Treatment { protection: Some(Arc::new(protection)), ..Treatment::PASS }
}

const SUBJECT: Treatment = Treatment { passes: false, protection: None, is_subject: true };

fn subject_of(selection: &Arc<MessageSelection>, message: &[u8]) -> Option<String> {
    let mut filter = MessageFilter::new(Arc::clone(selection), Limits::default(), None);
    filter.filter(message, &mut Vec::new()).unwrap();
    filter.subject().map(str::to_owned)
}

#[test]
fn declared_fields_pass_as_they_were_written_and_in_order() {
    let unusual = b"\x80\x01\x85\x80\x00".to_vec(); // balance, its value longer than it has to be
    let message = [number(300, 7), unusual.clone(), bytes(301, "x"), bytes(1, "o-1"), bytes(9, "NL91")].concat();
    let kept = [number(300, 7), unusual, bytes(1, "o-1")].concat();
    assert_eq!(filtered(&passing(&["/orderId", "/serial", "/balance"]), &message), Ok(kept));
}

#[test]
fn messages_inside_are_filtered_and_their_lengths_written_anew() {
    let address = |more: &[u8]| bytes(4, [&bytes(2, "Delft"), more].concat());
    let customer = [bytes(1, "Anna"), address(&bytes(1, "x".repeat(200))), bytes(5, [0xff])].concat();
    let message = [bytes(2, customer), number(300, 1)].concat();
    assert_eq!(filtered(&passing(&["/customer/address/city"]), &message), Ok(bytes(2, address(&[]))));
    assert_eq!(filtered(&passing(&["/customer/email"]), &message), Ok(bytes(2, "")));
    let long = bytes(2, bytes(1, "y".repeat(300)));
    assert_eq!(filtered(&passing(&["/customer/name"]), &long), Ok(long.clone()));
}

#[test]
fn elements_and_values_of_maps_are_filtered_one_by_one() {
    let item = |sku: &str| [bytes(1, sku), number(2, 3)].concat();
    let message = [
        bytes(3, item("a")),
        bytes(3, item("b")),
        bytes(4, [bytes(1, "color"), bytes(2, "red"), bytes(3, "hidden")].concat()),
        bytes(5, [number(1, 7), bytes(2, item("c"))].concat()),
    ]
    .concat();
    let kept = [
        bytes(3, bytes(1, "a")),
        bytes(3, bytes(1, "b")),
        bytes(4, [bytes(1, "color"), bytes(2, "red")].concat()),
        bytes(5, [number(1, 7), bytes(2, number(2, 3))].concat()),
    ]
    .concat();
    assert_eq!(filtered(&passing(&["/items/*/sku", "/labels/*", "/byPlace/*/quantity"]), &message), Ok(kept));
}

#[test]
fn a_subtree_is_what_the_descriptors_know_of_it() {
    let leaf = |more: &[u8]| [&bytes(1, "leaf"), more].concat();
    let tree = |more: &[u8]| bytes(18, [bytes(2, bytes(2, leaf(more))), bytes(1, "root")].concat());
    assert_eq!(filtered(&passing(&["/tree/**"]), &tree(&bytes(3, "secret"))), Ok(tree(&[])));
    let any = bytes(13, [bytes(1, "type.example/T"), bytes(2, b"\xff\xfe")].concat());
    assert_eq!(filtered(&passing(&["/extra/**"]), &any), Ok(any.clone()));
    assert_eq!(filtered(&passing(&["/**"]), &[any.clone(), bytes(301, "x")].concat()), Ok(any));
}

#[test]
fn a_message_that_json_writes_as_one_value_is_one_field() {
    let message = [bytes(12, number(1, 99)), bytes(19, bytes(1, "anna"))].concat();
    assert_eq!(filtered(&passing(&["/createdAt", "/nick"]), &message), Ok(message));
}

#[test]
fn a_repeated_number_may_be_packed_or_not() {
    let selection = passing(&["/counts/*", "/weights/*"]);
    for good in [bytes(7, [1, 0x96, 1]), number(7, 5), [number(7, 5), bytes(7, [1])].concat(), bytes(8, [0; 16])] {
        assert_eq!(filtered(&selection, &good), Ok(good.clone()));
    }
    assert_eq!(filtered(&selection, &bytes(7, [1, 0x96])), Err(Refusal::Truncated));
    assert_eq!(filtered(&selection, &bytes(8, [0; 12])), Err(Refusal::Truncated));
}

#[test]
fn what_is_not_what_its_descriptor_says_is_refused() {
    let selection = passing(&["/orderId", "/balance", "/customer/name", "/checksum", "/tags/*"]);
    for wrong in [number(1, 5), bytes(16, [1]), number(2, 1), number(17, 1), bytes(2, number(1, 5)), number(6, 1)] {
        assert_eq!(filtered(&selection, &wrong), Err(Refusal::Syntax), "{wrong:?}");
    }
    for text in [bytes(1, b"\xff"), bytes(6, b"\xc0\xaf"), bytes(2, bytes(1, b"\xed\xa0\x80"))] {
        assert_eq!(filtered(&selection, &text), Err(Refusal::Encoding), "{text:?}");
    }
    for cut in [&b"\x0a\x05ab"[..], b"\x12\x04\x0a\x05ab", b"\x80", b"\x80\x01\x80"] {
        assert_eq!(filtered(&selection, cut), Err(Refusal::Truncated), "{cut:?}");
    }
    // Groups, whether they are known or not, and a field without a number.
    for wrong in [&b"\x0b\x0c"[..], b"\xfb\x3f\xfc\x3f", b"\x02\x00"] {
        assert_eq!(filtered(&selection, wrong), Err(Refusal::Syntax), "{wrong:?}");
    }
}

#[test]
fn what_stands_once_may_not_stand_twice() {
    let selection = passing(&["/orderId", "/customer/name", "/labels/*", "/items/*/sku", "/iban"]);
    let refused = Err(Refusal::DuplicateName);
    assert_eq!(filtered(&selection, &[bytes(1, "a"), bytes(1, "a")].concat()), refused);
    // Parsers merge the two.
    assert_eq!(filtered(&selection, &[bytes(2, bytes(1, "a")), bytes(2, bytes(3, "b"))].concat()), refused);
    assert_eq!(filtered(&selection, &bytes(2, [bytes(1, "a"), bytes(1, "b")].concat())), refused);
    assert_eq!(filtered(&selection, &bytes(4, [bytes(1, "a"), bytes(1, "b")].concat())), refused);
    // Of a oneof the last counts, so that an IBAN would pass that nobody would have read.
    assert_eq!(filtered(&selection, &[bytes(9, "NL91"), bytes(11, "t")].concat()), refused);
    let fine = [bytes(3, bytes(1, "a")), bytes(3, bytes(1, "a"))].concat();
    assert_eq!(filtered(&selection, &fine), Ok(fine.clone()));
    let unknown = [bytes(301, "a"), bytes(301, "a")].concat();
    assert_eq!(filtered(&selection, &unknown), Ok(Vec::new()));
}

#[test]
fn depth_has_a_limit_and_one_that_the_filter_survives() {
    let nested = |depth: usize| (1..depth).fold(Vec::new(), |inner, _| bytes(2, inner));
    let tree = |depth: usize| bytes(18, nested(depth - 1));
    let selection = passing(&["/tree/**"]);
    let at = |limit: usize, depth: usize| {
        let limits = Limits { depth: limit, ..Limits::default() };
        let mut out = Vec::new();
        MessageFilter::new(Arc::clone(&selection), limits, None).filter(&tree(depth), &mut out).map(|()| out)
    };
    assert_eq!(at(5, 5), Ok(tree(5)));
    assert_eq!(at(5, 6), Err(Refusal::Depth));
    assert_eq!(at(usize::MAX, 100), Ok(tree(100)));
    assert_eq!(at(usize::MAX, 20_000), Err(Refusal::Depth));
}

#[test]
fn a_protected_string_leaves_as_another() {
    let pointers = [("/customer/name", protected(Protection::Truncate)), ("/customer/**", Treatment::PASS)];
    let selection = selection(pointers);
    let message = bytes(2, [bytes(1, "Anna Blom"), bytes(3, "a@b.nl")].concat());
    assert_eq!(filtered(&selection, &message), Ok(bytes(2, [bytes(1, "Ann"), bytes(3, "a@b.nl")].concat())));
    assert_eq!(filtered(&selection, &bytes(2, bytes(1, b"\xff"))), Err(Refusal::Encoding));
    assert_eq!(filtered(&selection, &bytes(2, number(1, 1))), Err(Refusal::Syntax));
}

#[test]
fn what_is_protected_in_one_place_stays_as_it_is_in_another() {
    let selection = selection([
        ("/**", Treatment::PASS),
        ("/items/*/recipient/name", protected(Protection::Truncate)),
        ("/byPlace/*/recipient/name", Treatment::default()),
    ]);
    let name = |name: &str| bytes(1, name);
    let message = |first: &[u8], second: &[u8]| {
        let place = [number(1, 7), bytes(2, bytes(3, second))].concat();
        [bytes(2, name("Anna Blom")), bytes(3, bytes(3, first)), bytes(5, place)].concat()
    };
    let kept = message(&name("Ann"), b"");
    assert_eq!(filtered(&selection, &message(&name("Anna Blom"), &name("Anna Blom"))), Ok(kept));
}

#[test]
fn a_dropped_field_does_not_pass_with_the_whole_around_it() {
    let selection = selection([("/customer/**", Treatment::PASS), ("/customer/email", Treatment::default())]);
    let message = bytes(2, [bytes(1, "Anna"), bytes(3, "a@b.nl")].concat());
    assert_eq!(filtered(&selection, &message), Ok(bytes(2, bytes(1, "Anna"))));
}

#[test]
fn the_data_subject_is_found_and_passes_only_where_it_is_declared() {
    let name = selection([("/customer/name", SUBJECT), ("/orderId", Treatment::PASS)]);
    let message = [bytes(1, "o-1"), bytes(2, [bytes(1, "anna"), bytes(3, "a@b.nl")].concat())].concat();
    assert_eq!(subject_of(&name, &message).as_deref(), Some("anna"));
    assert_eq!(filtered(&name, &message), Ok(bytes(1, "o-1")));
    assert_eq!(subject_of(&name, &bytes(1, "o-1")), None);
    let id = selection([("/customer/id", SUBJECT)]);
    assert_eq!(subject_of(&id, &bytes(2, number(2, 13))).as_deref(), Some("-7"));
    let checksum = selection([("/checksum", SUBJECT)]);
    assert_eq!(subject_of(&checksum, b"\x8d\x01\x02\x01\x00\x00").as_deref(), Some("258"));
    assert_eq!(filtered(&checksum, &number(17, 1)), Err(Refusal::Syntax));
}

#[test]
fn a_message_that_names_several_persons_names_none() {
    let selection = selection([("/items/*/recipient/name", SUBJECT)]);
    let item = |name: &str| bytes(3, bytes(3, bytes(1, name)));
    assert_eq!(subject_of(&selection, &[item("anna"), item("anna")].concat()).as_deref(), Some("anna"));
    assert_eq!(subject_of(&selection, &[item("anna"), item("bert"), item("anna")].concat()), None);
}

#[test]
fn a_value_is_encrypted_for_the_person_of_its_record_wherever_that_stands() {
    let key = || Key { id: "k".into(), secret: [7; 32] };
    let selection = selection([
        ("/customer/name", SUBJECT),
        ("/orderId", protected(Protection::Encrypt(key()))),
        ("/items/*/recipient/name", SUBJECT),
        ("/items/*/sku", protected(Protection::Encrypt(key()))),
    ]);
    let item = |name: &str| bytes(3, [bytes(1, "sku"), bytes(3, bytes(1, name))].concat());
    let message = [bytes(1, "o-1"), item("bert"), bytes(3, bytes(1, "sku")), bytes(2, bytes(1, "anna"))].concat();
    let out = filtered(&selection, &message).unwrap();
    let text = String::from_utf8_lossy(&out);
    // The protected header names the key, and by that the person.
    let headers: Vec<_> =
        text.match_indices("eyJ").map(|(at, _)| &text[at..text[at..].find('.').unwrap() + at]).collect();
    let expected = |subject| {
        let sealed = Protection::Encrypt(key()).protect("x", Some(subject)).unwrap();
        sealed.split('.').next().unwrap().to_owned()
    };
    assert_eq!(headers, [expected("anna"), expected("bert"), expected("anna")]);
}
