//! What is sent for each rule, beside what nft 1.1 sends for the same rule written in its language.

use super::message::{list_rules, remove, replace, rule, rule_in};
use super::{address_in, comes_from_afar};
use crate::plan::{Plan, Pod, plan};
use crate::settings::Settings;

/// Taken from `nft --debug=mnl add rule inet lawflow …`: the attributes of each message, after the line that made it.
const GOLDEN: &str = include_str!("golden.txt");

const NFTABLES: u16 = 10 << 8;

fn planned() -> Plan {
    let node = ["10.0.0.1", "fd00::1"].map(|each| each.parse().unwrap()).into();
    plan(&Settings::default(), &Pod { node, probe_ports: [8080].into(), ..Pod::default() })
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Kind and payload of each message.
fn messages(mut bytes: &[u8]) -> Vec<(u16, &[u8])> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let length = u32::from_ne_bytes(bytes[..4].try_into().unwrap()) as usize;
        found.push((u16::from_ne_bytes(bytes[4..6].try_into().unwrap()), &bytes[16..length]));
        bytes = &bytes[length.next_multiple_of(4)..];
    }
    found
}

#[test]
#[cfg(target_endian = "little")]
fn each_rule_is_what_nft_sends_for_it() {
    let lines: Vec<&str> = GOLDEN.lines().collect();
    let made: Vec<String> = planned().rules.iter().map(|each| hex(rule(each).as_bytes())).collect();
    assert_eq!(made.len(), lines.len() / 2);
    for (made, golden) in made.iter().zip(lines.chunks(2)) {
        assert_eq!(made, golden[1], "{}", golden[0]);
    }
}

#[test]
fn a_batch_removes_the_table_before_it_makes_it_and_is_one_whole() {
    let batch = replace(&planned());
    let kinds: Vec<u16> = messages(&batch.bytes).iter().map(|(kind, _)| *kind).collect();
    // New table, delete table, new table; four sets with their elements; two chains; the rules.
    let table = [0, 2, 0, 9, 12, 9, 12, 9, 12, 9, 12, 3, 3].map(|kind| NFTABLES | kind);
    assert_eq!(kinds[0], 0x10);
    assert_eq!(kinds[1..=table.len()], table);
    assert!(kinds[table.len() + 1..kinds.len() - 1].iter().all(|kind| *kind == NFTABLES | 0x6));
    assert_eq!(kinds.last(), Some(&0x11));
    assert_eq!(batch.answers as usize, kinds.len() - 2);
    assert_eq!(remove().answers, 2);
}

#[test]
fn thousands_of_addresses_are_told_in_messages_that_fit() {
    let node = (0..3000_u32).map(|number| std::net::Ipv4Addr::from(0x0a00_0000 + number).into()).collect();
    let batch = replace(&plan(&Settings::default(), &Pod { node, probe_ports: [8080].into(), ..Pod::default() }));
    let longest = messages(&batch.bytes).iter().map(|(_, payload)| payload.len()).max().unwrap();
    assert!(longest < usize::from(u16::MAX), "{longest}");
    assert_eq!(messages(&batch.bytes).iter().filter(|(kind, _)| *kind == NFTABLES | 0xc).count(), 3 + 2);
}

#[test]
fn a_rule_that_is_read_back_tells_chain_and_comment() {
    let first = &planned().rules[0];
    let answer = |family: u8| [&[family, 0, 0, 0], rule(first).as_bytes()].concat();
    assert_eq!(rule_in(&answer(1)), Some((first.chain.name().to_owned(), first.comment.to_owned())));
    assert_eq!(rule_in(&answer(2)), None);
    assert_eq!(rule_in(&[1, 0]), None);
    assert_eq!(messages(&list_rules())[0].1[4..], *b"\x0c\0\x01\0lawflow\0");
}

#[test]
fn an_address_is_the_nodes_end_of_a_device() {
    let local = b"\x0a\x20\x80\0\x01\0\0\0\x08\0\x01\0\x0a\0\0\x02\x08\0\x02\0\x0a\0\0\x01";
    assert_eq!(address_in(local), Some("10.0.0.1".parse().unwrap()));
    assert_eq!(address_in(&local[..16]), Some("10.0.0.2".parse().unwrap()));
    for (address, counts) in [("127.0.0.1", false), ("::1", false), ("fe80::1", false), ("fd00::1", true)] {
        assert_eq!(comes_from_afar(address.parse().unwrap()), counts, "{address}");
    }
}
