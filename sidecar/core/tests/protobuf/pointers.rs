//! Which pointers lead into a message.

use std::sync::Arc;

use lawflow_core::{DescriptorSet, MessageSelection, Protection, Treatment};

use super::schema::{bytes, declared, filtered, number, passing};

fn reason(pointer: &str, treatment: Treatment) -> String {
    let set = DescriptorSet::decode(&declared()).unwrap();
    let error = MessageSelection::with(&set, "shop.Order", [(pointer, treatment)]).unwrap_err().to_string();
    assert!(error.contains(&format!("{pointer:?}")), "{error}");
    error
}

fn masked() -> Treatment {
    Treatment { protection: Some(Arc::new(Protection::Mask)), ..Treatment::PASS }
}

fn subject() -> Treatment {
    Treatment { is_subject: true, ..Treatment::default() }
}

#[test]
fn a_field_goes_by_either_of_its_names() {
    for pointer in ["/order_id", "/orderId"] {
        assert_eq!(filtered(&passing(&[pointer]), &bytes(1, "o-1")), Ok(bytes(1, "o-1")), "{pointer}");
    }
}

#[test]
fn what_leads_to_no_field_is_refused_with_pointer_and_message() {
    for (pointer, part) in [
        ("/orderID", "shop.Order has no field \"orderID\""),
        ("/customer/nme", "shop.Customer has no field \"nme\""),
        ("/internal", "shop.Order has no field"),
        ("", "shop.Order is a message"),
        ("/customer", "shop.Customer is a message"),
        ("/items", "items is repeated"),
        ("/items/0/sku", "items is repeated"),
        ("/items/sku", "items is repeated"),
        ("/labels/color", "labels is repeated or a map"),
        ("/by_place/*", "shop.Item is a message"),
        ("/*/name", "shop.Order is a message"),
        ("/orderId/x", "order_id holds no fields"),
        ("/extra", "end in /**"),
        ("/extra/value", "end in /**"),
        ("/**/a", "** ends a pointer"),
    ] {
        let error = reason(pointer, Treatment::PASS);
        assert!(error.contains(part), "{error}");
    }
    assert!(reason("/customer/nme", Treatment::PASS).contains("shop.Order"));
}

#[test]
fn strings_alone_are_changed_and_strings_and_integers_name_somebody() {
    for pointer in ["/status", "/token", "/balance", "/counts/*", "/createdAt", "/customer/**", "/isGift", "/**"] {
        reason(pointer, masked());
    }
    for pointer in ["/status", "/token", "/tags/*", "/counts/*", "/weights/*", "/createdAt", "/isGift", "/customer/**"]
    {
        reason(pointer, subject());
    }
}

#[test]
fn a_message_or_import_that_is_not_described_is_named() {
    let set = DescriptorSet::decode(&declared()).unwrap();
    let error = MessageSelection::with(&set, "shop.Invoice", []).unwrap_err().to_string();
    assert!(error.contains("shop.Invoice"), "{error}");
}

#[test]
fn nothing_declared_lets_nothing_through() {
    assert_eq!(filtered(&passing(&[]), &[bytes(1, "o-1"), number(300, 7)].concat()), Ok(Vec::new()));
}
