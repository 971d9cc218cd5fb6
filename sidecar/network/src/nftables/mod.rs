//! nftables by netlink: what of it the rules need, and no more.

mod attribute;
mod expression;
mod message;
mod socket;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::plan::Plan;

/// Puts the rules into this thread's network namespace, in place of any that are there.
///
/// # Errors
/// What the kernel refused them with; then the namespace is as it was.
pub fn apply(plan: &Plan) -> io::Result<()> {
    socket::Netlink::netfilter()?.carry_out(&message::replace(plan))
}

/// Takes the rules out of this thread's network namespace, if they are there.
///
/// # Errors
/// What the kernel refused it with.
pub fn remove() -> io::Result<()> {
    socket::Netlink::netfilter()?.carry_out(&message::remove())
}

/// Whether this thread's network namespace has these rules, and no others in their table.
///
/// # Errors
/// Where the kernel does not say.
pub fn present(plan: &Plan) -> io::Result<bool> {
    let answers = socket::Netlink::netfilter()?.list(&message::list_rules())?;
    let found: Vec<_> = answers.iter().filter_map(|each| message::rule_in(&each.payload)).collect();
    let chain_by_chain = |found: &[(String, String)]| {
        let mut sorted = found.to_vec();
        sorted.sort_by(|one, other| one.0.cmp(&other.0));
        sorted
    };
    let wanted: Vec<_> =
        plan.rules.iter().map(|rule| (rule.chain.name().to_owned(), rule.comment.to_owned())).collect();
    Ok(chain_by_chain(&found) == chain_by_chain(&wanted))
}

/// The addresses of this thread's network namespace that connections to others can come from.
///
/// # Errors
/// Where the kernel does not say.
pub fn own_addresses() -> io::Result<BTreeSet<IpAddr>> {
    let answers = socket::Netlink::route()?.list(&socket::list_addresses())?;
    Ok(answers.iter().filter_map(|each| address_in(&each.payload)).filter(|each| comes_from_afar(*each)).collect())
}

fn address_in(payload: &[u8]) -> Option<IpAddr> {
    const IFADDRMSG: usize = 8;
    const IFA_ADDRESS: u16 = 1;
    const IFA_LOCAL: u16 = 2;
    let attributes = payload.get(IFADDRMSG..)?;
    // On a device from point to point, the first one is the other end's.
    let bytes = attribute::find(attributes, IFA_LOCAL).or_else(|| attribute::find(attributes, IFA_ADDRESS))?;
    match bytes.len() {
        4 => Some(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?).into()),
        16 => Some(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).into()),
        _ => None,
    }
}

fn comes_from_afar(address: IpAddr) -> bool {
    let link_local = matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local());
    !address.is_loopback() && !address.is_unspecified() && !link_local
}
