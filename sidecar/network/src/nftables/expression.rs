//! Steps of rules as the kernel takes them (Linux, `include/uapi/linux/netfilter/nf_tables.h`).

use super::attribute::Attributes;
use crate::plan::{Expression, Header, Known, Meta, Rule};

const REGISTER: u32 = 1; // NFT_REG_1
const VERDICT: u32 = 0; // NFT_REG_VERDICT
const NF_DROP: u32 = 0;
const NF_ACCEPT: u32 = 1;
const NFTA_LIST_ELEM: u16 = 1;
const NFTA_DATA_VALUE: u16 = 1;
const NFTA_DATA_VERDICT: u16 = 2;
const PORT_IS_GIVEN: u32 = 2; // NF_NAT_RANGE_PROTO_SPECIFIED
const EQUAL: u32 = 0; // NFT_CMP_EQ
const NOT_EQUAL: u32 = 1; // NFT_CMP_NEQ

/// All steps of a rule.
#[must_use]
pub fn list(rule: &Rule) -> Attributes {
    rule.expressions.iter().fold(Attributes::new(), |list, each| {
        let (name, data) = encode(each);
        list.nested(NFTA_LIST_ELEM, &Attributes::new().text(1, name).nested(2, &data))
    })
}

/// A value in the form in which netfilter nests it.
#[must_use]
pub fn value(bytes: &[u8]) -> Attributes {
    Attributes::new().bytes(NFTA_DATA_VALUE, bytes)
}

fn encode(expression: &Expression) -> (&'static str, Attributes) {
    let new = Attributes::new;
    match expression {
        Expression::Load(meta) => ("meta", new().number(2, key(*meta)).number(1, REGISTER)),
        Expression::LoadBytes(header, offset, length) => {
            let base = match header {
                Header::Network => 1,
                Header::Transport => 2,
            };
            ("payload", new().number(1, REGISTER).number(2, base).number(3, *offset).number(4, *length))
        }
        Expression::LoadConnectionState => ("ct", new().number(2, 0).number(1, REGISTER)),
        Expression::LoadPort(port) => ("immediate", new().number(1, REGISTER).nested(2, &value(&port.to_be_bytes()))),
        Expression::Mask(mask) => {
            let kept = value(&mask.to_ne_bytes());
            let flipped = value(&[0; 4]);
            let registers = new().number(1, REGISTER).number(2, REGISTER).number(3, 4);
            ("bitwise", registers.nested(4, &kept).nested(5, &flipped))
        }
        Expression::Equals(bytes) => ("cmp", new().number(1, REGISTER).number(2, EQUAL).nested(3, &value(bytes))),
        Expression::Differs(bytes) => ("cmp", new().number(1, REGISTER).number(2, NOT_EQUAL).nested(3, &value(bytes))),
        Expression::In(set) => ("lookup", new().number(2, REGISTER).text(1, set.name()).number(4, set_number(*set))),
        Expression::Accept => verdict(NF_ACCEPT),
        Expression::Drop => verdict(NF_DROP),
        Expression::Redirect => ("redir", new().number(1, REGISTER).number(3, PORT_IS_GIVEN)),
        Expression::Reset => ("reject", new().number(1, 1).bytes(2, &[0])),
        Expression::Unreachable => ("reject", new().number(1, 2).bytes(2, &[1])),
    }
}

/// By which messages of one batch name a set beside its name.
#[must_use]
pub fn set_number(set: Known) -> u32 {
    match set {
        Known::NodeIpv4 => 1,
        Known::NodeIpv6 => 2,
        Known::ProbePort => 3,
        Known::UdpPort => 4,
    }
}

fn verdict(code: u32) -> (&'static str, Attributes) {
    let code = Attributes::new().number(1, code);
    let data = Attributes::new().nested(NFTA_DATA_VERDICT, &code);
    ("immediate", Attributes::new().number(1, VERDICT).nested(2, &data))
}

fn key(meta: Meta) -> u32 {
    match meta {
        Meta::InputDevice => 4,
        Meta::OutputDevice => 5,
        Meta::SocketUser => 10,
        Meta::Family => 15,
        Meta::Protocol => 16,
    }
}
