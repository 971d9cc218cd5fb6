//! The routers that a network namespace has as its default: an init container's second clue to its node's addresses.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const GATEWAY: u32 = 2; // RTF_GATEWAY

/// The default gateways in the texts of `/proc/net/route` and `/proc/net/ipv6_route`.
#[must_use]
pub fn gateways(ipv4: &str, ipv6: &str) -> BTreeSet<IpAddr> {
    let found = ipv4.lines().filter_map(of_ipv4).chain(ipv6.lines().filter_map(of_ipv6));
    found.filter(|each| !each.is_unspecified()).collect()
}

fn of_ipv4(line: &str) -> Option<IpAddr> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [_device, destination, gateway, flags, _, _, _, mask, ..] = fields[..] else { return None };
    let number = |text| u32::from_str_radix(text, 16).ok();
    let default = number(destination)? == 0 && number(mask)? == 0 && number(flags)? & GATEWAY != 0;
    // The kernel prints the number that the four bytes are in its own order.
    default.then(|| Ipv4Addr::from(number(gateway).unwrap_or_default().to_ne_bytes()).into())
}

fn of_ipv6(line: &str) -> Option<IpAddr> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [destination, prefix, _, _, gateway, _, _, _, flags, ..] = fields[..] else { return None };
    let number = |text| u128::from_str_radix(text, 16).ok();
    let default = number(destination)? == 0 && number(prefix)? == 0 && number(flags)? & u128::from(GATEWAY) != 0;
    default.then(|| Ipv6Addr::from(number(gateway).unwrap_or_default()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const IPV4: &str = "\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t0100F40A\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t0000F40A\t0100F40A\t0003\t0\t0\t0\t00FFFFFF\t0\t0\t0
eth0\t0100F40A\t00000000\t0005\t0\t0\t0\tFFFFFFFF\t0\t0\t0
";
    const IPV6: &str = "\
fd000000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 fd000000000000000000000000000001 00000400 00000001 00000000 00000003     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
";

    #[test]
    fn routes_to_everywhere_alone_count() {
        let expected = ["10.244.0.1", "fd00::1"].map(|each| each.parse().unwrap());
        assert_eq!(gateways(IPV4, IPV6), expected.into());
    }

    #[test]
    fn no_routes_and_nonsense_give_none() {
        assert_eq!(gateways("", "x y z\n"), BTreeSet::new());
    }
}
