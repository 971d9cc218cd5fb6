//! The messages that make the table, and those that read it back.

use super::attribute::{Attributes, find};
use super::expression;
use crate::plan::{Chain, Known, Plan, Rule, Set};

/// The name of the one table, of family inet.
pub const TABLE: &str = "lawflow";

const REQUEST: u16 = 0x1;
const ACKNOWLEDGE: u16 = 0x4;
const CREATE: u16 = 0x400;
const APPEND: u16 = 0x800;
const DUMP: u16 = 0x300;

const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const SUBSYSTEM: u16 = 10; // NFNL_SUBSYS_NFTABLES
const NEW_TABLE: u16 = 0;
const DELETE_TABLE: u16 = 2;
const NEW_CHAIN: u16 = 3;
const NEW_RULE: u16 = 6;
const GET_RULE: u16 = 7;
const NEW_SET: u16 = 9;
const NEW_ELEMENTS: u16 = 12;

const UNSPECIFIED: u8 = 0;
const INET: u8 = 1; // NFPROTO_INET
const NFGENMSG: usize = 4;
const NEVER_CHANGES: u32 = 0x2; // NFT_SET_CONSTANT
const HOOK_INPUT: u32 = 1;
const HOOK_OUTPUT: u32 = 3;
const PRIORITY_DESTINATION_NAT: i32 = -100;
const PRIORITY_FILTER: i32 = 0;
/// An attribute is 64 KiB at most.
const ELEMENTS_A_MESSAGE: usize = 1000;

/// Messages that the kernel carries out all or none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// As they are sent.
    pub bytes: Vec<u8>,
    /// How many answers follow.
    pub answers: u32,
}

impl Batch {
    fn of(messages: &[(u16, u16, Attributes)]) -> Self {
        let mut batch = Self::default();
        batch.bytes.extend(message(BATCH_BEGIN, REQUEST, 0, UNSPECIFIED, SUBSYSTEM, &Attributes::new()));
        for (kind, flags, attributes) in messages {
            batch.answers += 1;
            let flags = REQUEST | ACKNOWLEDGE | flags;
            batch.bytes.extend(message(SUBSYSTEM << 8 | kind, flags, batch.answers, INET, 0, attributes));
        }
        let last = batch.answers + 1;
        batch.bytes.extend(message(BATCH_END, REQUEST, last, UNSPECIFIED, SUBSYSTEM, &Attributes::new()));
        batch
    }
}

/// Puts the table in place of any that is there.
#[must_use]
pub fn replace(plan: &Plan) -> Batch {
    let mut messages = remove_messages();
    messages.push((NEW_TABLE, CREATE, named()));
    messages.extend(plan.sets.iter().flat_map(set));
    messages.extend([Chain::Outbound, Chain::Inbound].map(|each| (NEW_CHAIN, CREATE, chain(each))));
    messages.extend(plan.rules.iter().map(|each| (NEW_RULE, CREATE | APPEND, rule(each))));
    Batch::of(&messages)
}

/// Takes the table away, if it is there.
#[must_use]
pub fn remove() -> Batch {
    Batch::of(&remove_messages())
}

/// To delete what is not there would be an error; to make what is there is none.
fn remove_messages() -> Vec<(u16, u16, Attributes)> {
    vec![(NEW_TABLE, CREATE, named()), (DELETE_TABLE, 0, named())]
}

/// Asks for the rules of the table.
#[must_use]
pub fn list_rules() -> Vec<u8> {
    message(SUBSYSTEM << 8 | GET_RULE, REQUEST | DUMP, 1, INET, 0, &named())
}

/// Chain and comment of a rule in an answer; none where the rule is of another table.
#[must_use]
pub fn rule_in(payload: &[u8]) -> Option<(String, String)> {
    let attributes = payload.get(NFGENMSG..)?;
    if payload.first() != Some(&INET) || text(find(attributes, 1)?) != TABLE {
        return None;
    }
    let comment = find(attributes, 7).and_then(|data| data.get(2..)).unwrap_or_default();
    Some((text(find(attributes, 2)?), text(comment)))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned()
}

fn named() -> Attributes {
    Attributes::new().text(1, TABLE)
}

fn chain(chain: Chain) -> Attributes {
    let (hook, priority, kind) = match chain {
        Chain::Outbound => (HOOK_OUTPUT, PRIORITY_DESTINATION_NAT, "nat"),
        Chain::Inbound => (HOOK_INPUT, PRIORITY_FILTER, "filter"),
    };
    let hook = Attributes::new().number(1, hook).bytes(2, &priority.to_be_bytes());
    named().text(3, chain.name()).nested(4, &hook).text(7, kind)
}

/// The attributes of a rule.
#[must_use]
pub fn rule(rule: &Rule) -> Attributes {
    let shown = [rule.comment.as_bytes(), b"\0"].concat();
    // As libnftnl does: the type of a comment, its length, and the comment.
    let comment = [&[0, u8::try_from(shown.len()).unwrap_or(u8::MAX)], shown.as_slice()].concat();
    named().text(2, rule.chain.name()).nested(4, &expression::list(rule)).bytes(7, &comment)
}

fn set(set: &Set) -> Vec<(u16, u16, Attributes)> {
    let name = || named().text(2, set.known.name());
    let (kind, length) = match set.known {
        Known::NodeIpv4 => (7, 4),
        Known::NodeIpv6 => (8, 16),
        Known::ProbePort | Known::UdpPort => (13, 2),
    };
    let described = name().number(3, NEVER_CHANGES).number(4, kind).number(5, length);
    let described = described.number(10, expression::set_number(set.known));
    let mut messages = vec![(NEW_SET, CREATE, described)];
    for some in set.elements.chunks(ELEMENTS_A_MESSAGE) {
        let elements = some.iter().fold(Attributes::new(), |list, element| {
            list.nested(1, &Attributes::new().nested(1, &expression::value(element)))
        });
        messages.push((NEW_ELEMENTS, CREATE, name().nested(3, &elements)));
    }
    messages
}

fn message(kind: u16, flags: u16, sequence: u32, family: u8, resource: u16, attributes: &Attributes) -> Vec<u8> {
    let mut payload = vec![family, 0];
    payload.extend(resource.to_be_bytes());
    payload.extend(attributes.as_bytes());
    super::socket::message(kind, flags, sequence, &payload)
}
