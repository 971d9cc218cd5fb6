//! Which rules a pod gets, as data; nothing here touches the kernel.
//!
//! `nft list table inet lawflow` shows them in a pod's network namespace, each with the comment that it has here.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::settings::Settings;

const IPV4: u8 = 2; // NFPROTO_IPV4
const IPV6: u8 = 10; // NFPROTO_IPV6
const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;
/// Where names are asked for.
const DNS: u16 = 53;
/// In every network namespace the loopback device is the first.
const LOOPBACK: u32 = 1;
const INVALID: u32 = 1; // NF_CT_STATE_INVALID_BIT
const ESTABLISHED: u32 = 2; // NF_CT_STATE_BIT(IP_CT_ESTABLISHED)

/// Where rules hook in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chain {
    /// New connections of the pod's processes.
    Outbound,
    /// Packets that arrive.
    Inbound,
}

impl Chain {
    /// Its name in the table.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Outbound => "outbound",
            Self::Inbound => "inbound",
        }
    }
}

/// What is known of a packet beside its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meta {
    /// Index of the device that it came in by.
    InputDevice,
    /// Index of the device that it leaves by.
    OutputDevice,
    /// The user whose socket sends it.
    SocketUser,
    /// IPv4 or IPv6.
    Family,
    /// TCP, UDP and so on.
    Protocol,
}

/// Where a part of a packet is counted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// The IP header.
    Network,
    /// The header of TCP or UDP.
    Transport,
}

/// A step of a rule. There is one register, which loads write and comparisons read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expression {
    /// Load what is known of the packet.
    Load(Meta),
    /// Load bytes of the packet.
    LoadBytes(Header, u32, u32),
    /// Load the state of the packet's connection.
    LoadConnectionState,
    /// Load a number in network order, for what follows.
    LoadPort(u16),
    /// Keep those bits alone.
    Mask(u32),
    /// End the rule unless the register has this value.
    Equals(Vec<u8>),
    /// End the rule where the register has this value.
    Differs(Vec<u8>),
    /// End the rule unless the register's value is in the set.
    In(Known),
    /// Let the packet pass.
    Accept,
    /// Lose the packet.
    Drop,
    /// Send the connection to the loaded port of this host.
    Redirect,
    /// Answer with a TCP reset.
    Reset,
    /// Answer that the port cannot be reached.
    Unreachable,
}

/// A rule, with the comment that tools show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Where it hooks in.
    pub chain: Chain,
    /// What it is there for.
    pub comment: &'static str,
    /// Its steps.
    pub expressions: Vec<Expression>,
}

/// A set that rules look values up in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// IPv4 addresses of the node.
    NodeIpv4,
    /// IPv6 addresses of the node.
    NodeIpv6,
    /// Ports of probes.
    ProbePort,
    /// Ports to which UDP may leave.
    UdpPort,
}

impl Known {
    /// Its name in the table.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NodeIpv4 => "node_ipv4",
            Self::NodeIpv6 => "node_ipv6",
            Self::ProbePort => "probe_ports",
            Self::UdpPort => "udp_ports",
        }
    }
}

/// A set with its elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    /// Which one it is.
    pub known: Known,
    /// Its elements, in network order.
    pub elements: Vec<Vec<u8>>,
}

/// A whole table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Its sets.
    pub sets: Vec<Set>,
    /// Its rules, in order.
    pub rules: Vec<Rule>,
}

/// What the rules of one pod depend on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pod {
    /// The addresses that its node's probes come from.
    pub node: BTreeSet<IpAddr>,
    /// Where they may go to.
    pub probe_ports: BTreeSet<u16>,
    /// Ports elsewhere that it may reach by UDP, beside that of DNS.
    pub udp_ports: BTreeSet<u16>,
}

/// The rules for a pod.
#[must_use]
pub fn plan(settings: &Settings, pod: &Pod) -> Plan {
    let mut rules = outbound(settings);
    rules.extend(first_inbound(settings));
    let mut sets = probes(&pod.node, &pod.probe_ports);
    for from in [Known::NodeIpv4, Known::NodeIpv6] {
        if sets.iter().any(|set| set.known == from) {
            rules.push(from_node(from));
        }
    }
    rules.extend(last_inbound());
    let udp = pod.udp_ports.iter().chain([&DNS]).copied().collect::<BTreeSet<_>>();
    sets.push(Set { known: Known::UdpPort, elements: udp.into_iter().map(network).collect() });
    Plan { sets, rules }
}

fn outbound(settings: &Settings) -> Vec<Rule> {
    use Expression::{Accept, Equals, In, Load, LoadPort, Redirect, Unreachable};
    let rule = |comment, expressions| Rule { chain: Chain::Outbound, comment, expressions };
    let is = |protocol: u8| [Load(Meta::Protocol), Equals(vec![protocol])];
    vec![
        rule(
            "the sidecar's own connections leave",
            vec![Load(Meta::SocketUser), Equals(settings.sidecar_user.to_ne_bytes().into()), Accept],
        ),
        // Routed over loopback is all that does not leave the pod: 127.0.0.0/8, ::1 and the pod's own addresses.
        rule("what stays in the pod", vec![Load(Meta::OutputDevice), Equals(LOOPBACK.to_ne_bytes().into()), Accept]),
        rule(
            "all other TCP goes to the sidecar",
            [&is(TCP)[..], &[LoadPort(settings.outbound_port), Redirect]].concat(),
        ),
        // Of what no sidecar can filter, that alone leaves which no app can do without, or which its pod names.
        rule(
            "names, and UDP that the pod declares",
            [&is(UDP)[..], &[DESTINATION, In(Known::UdpPort), Accept]].concat(),
        ),
        rule("errors and echoes", [&is(ICMP)[..], &[Accept]].concat()),
        rule("errors and echoes", [&is(ICMPV6)[..], &[Accept]].concat()),
        rule("ways around the sidecar", vec![Unreachable]),
    ]
}

fn first_inbound(settings: &Settings) -> Vec<Rule> {
    use Expression::{Accept, Differs, Equals, Load, LoadConnectionState, Mask, Unreachable};
    let loopback = || [Load(Meta::InputDevice), Equals(LOOPBACK.to_ne_bytes().into())];
    let to = |protocol, port| [Load(Meta::Protocol), Equals(vec![protocol]), DESTINATION, Equals(network(port))];
    let rule = |comment, steps: &[&[Expression]]| Rule { chain: Chain::Inbound, comment, expressions: steps.concat() };
    vec![
        // No right is needed to see that this datagram does not arrive: that is how `check` knows that the chain is
        // there. Nothing of Lawflow's uses UDP at this port.
        rule("a sign for the check", &[&loopback(), &to(UDP, settings.health_port), &[Unreachable]]),
        rule("what stays in the pod", &[&loopback(), &[Accept]]),
        rule(
            "connections that were let in or went out",
            &[&[LoadConnectionState, Mask(ESTABLISHED), Differs(vec![0; 4]), Accept]],
        ),
        rule("peers, whom the sidecar verifies", &[&to(TCP, settings.peer_port), &[Accept]]),
        rule("probes of the sidecar", &[&to(TCP, settings.health_port), &[Accept]]),
    ]
}

fn from_node(addresses: Known) -> Rule {
    use Expression::{Accept, Equals, In, Load, LoadBytes};
    let (family, source) = match addresses {
        Known::NodeIpv6 => (IPV6, LoadBytes(Header::Network, 8, 16)),
        _ => (IPV4, LoadBytes(Header::Network, 12, 4)),
    };
    let from = [Load(Meta::Family), Equals(vec![family]), source, In(addresses)];
    let to = [Load(Meta::Protocol), Equals(vec![TCP]), DESTINATION, In(Known::ProbePort), Accept];
    Rule { chain: Chain::Inbound, comment: "probes by the node", expressions: [&from[..], &to[..]].concat() }
}

fn last_inbound() -> Vec<Rule> {
    use Expression::{Differs, Drop, Equals, Load, LoadConnectionState, Mask, Reset};
    let tcp = || [Load(Meta::Protocol), Equals(vec![TCP])];
    let rule = |comment, steps: &[&[Expression]]| Rule { chain: Chain::Inbound, comment, expressions: steps.concat() };
    vec![
        // A reset would end connections of which a packet came late or twice.
        rule("stray packets", &[&tcp(), &[LoadConnectionState, Mask(INVALID), Differs(vec![0; 4]), Drop]]),
        rule("ways around the sidecar", &[&tcp(), &[Reset]]),
    ]
}

const DESTINATION: Expression = Expression::LoadBytes(Header::Transport, 2, 2);

/// No sets where there is nothing to probe, or nobody to do so.
fn probes(node: &BTreeSet<IpAddr>, ports: &BTreeSet<u16>) -> Vec<Set> {
    if ports.is_empty() || node.is_empty() {
        return Vec::new();
    }
    let (mut ipv4, mut ipv6) = (Vec::new(), Vec::new());
    for address in node {
        match address {
            IpAddr::V4(v4) => ipv4.push(v4.octets().into()),
            IpAddr::V6(v6) => ipv6.push(v6.octets().into()),
        }
    }
    let ports = ports.iter().map(|port| network(*port)).collect();
    let sets = [(Known::NodeIpv4, ipv4), (Known::NodeIpv6, ipv6), (Known::ProbePort, ports)];
    let sets = sets.map(|(known, elements)| Set { known, elements });
    sets.into_iter().filter(|set| !set.elements.is_empty()).collect()
}

fn network(port: u16) -> Vec<u8> {
    port.to_be_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comments(plan: &Plan, chain: Chain) -> Vec<&'static str> {
        plan.rules.iter().filter(|rule| rule.chain == chain).map(|rule| rule.comment).collect()
    }

    fn names(plan: &Plan) -> Vec<(&'static str, usize)> {
        plan.sets.iter().map(|set| (set.known.name(), set.elements.len())).collect()
    }

    #[test]
    fn udp_leaves_to_dns_and_to_what_the_pod_declares_and_nothing_else_leaves() {
        let made = plan(&Settings::default(), &Pod { udp_ports: [8125].into(), ..Pod::default() });
        assert_eq!(made.sets, [Set { known: Known::UdpPort, elements: vec![vec![0, 53], vec![0x1f, 0xbd]] }]);
        let outbound: Vec<_> = made.rules.iter().filter(|rule| rule.chain == Chain::Outbound).collect();
        assert_eq!(outbound.last().unwrap().expressions, [Expression::Unreachable]);
    }

    #[test]
    fn without_probes_nobody_but_peers_and_health_come_in() {
        for (node, ports) in [(vec![], vec![8080]), (vec!["10.0.0.1".parse().unwrap()], vec![])] {
            let (node, probe_ports) = (node.into_iter().collect(), ports.into_iter().collect());
            let made = plan(&Settings::default(), &Pod { node, probe_ports, ..Pod::default() });
            assert_eq!(names(&made), [("udp_ports", 1)]);
            assert!(!comments(&made, Chain::Inbound).contains(&"probes by the node"));
        }
    }

    #[test]
    fn each_family_of_the_node_has_a_rule_and_a_set_of_its_own() {
        let node = ["10.0.0.1", "10.0.0.2", "fd00::1"].map(|each| each.parse().unwrap()).into();
        let made = plan(&Settings::default(), &Pod { node, probe_ports: [9000, 8080].into(), ..Pod::default() });
        assert_eq!(names(&made), [("node_ipv4", 2), ("node_ipv6", 1), ("probe_ports", 2), ("udp_ports", 1)]);
        assert_eq!(made.sets[2].elements[0], [0x1f, 0x90]);
        assert_eq!(comments(&made, Chain::Inbound).iter().filter(|each| **each == "probes by the node").count(), 2);
    }

    #[test]
    fn the_sidecar_is_passed_before_anything_is_redirected_and_the_last_rule_refuses() {
        let made = plan(&Settings { sidecar_user: 7, ..Settings::default() }, &Pod::default());
        assert_eq!(
            made.rules[0].expressions,
            [Expression::Load(Meta::SocketUser), Expression::Equals(vec![7, 0, 0, 0]), Expression::Accept]
        );
        assert_eq!(made.rules[2].expressions.last(), Some(&Expression::Redirect));
        assert_eq!(made.rules.last().unwrap().expressions.last(), Some(&Expression::Reset));
    }
}
