"""The rules in a pod's network: what is captured, what comes in, and who sees that they are there.

What listens and calls is tests/support/pod_peer.py, in namespaces of the network that belong to each test alone; no
cluster is needed.
"""

from collections.abc import Iterator

import pytest
from tests.support.pod_network import APP_USER, CHECKER, NODE, POD, REDIRECT, RESULT, SECOND, SIDECAR_USER, PodNetwork
from tests.support.pod_peers import calls, listening, source_of_captured

from lawflow.model.sidecar import HEALTH_PORT, OUTBOUND_PORT, PEER_PORT

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

FAMILIES = ("IPv4", "IPv6")
NOWHERE = {"IPv4": "203.0.113.7", "IPv6": "2001:db8:7::7"}
LOOPBACK = {"IPv4": "127.0.0.1", "IPv6": "::1"}
ANY = {"IPv4": "0.0.0.0", "IPv6": "::"}
families = pytest.mark.parametrize("family", FAMILIES)
EXPECTED = """\
table inet lawflow {
	set node_ipv4 {
		type ipv4_addr
		flags constant
		elements = { 10.99.0.1 }
	}

	set node_ipv6 {
		type ipv6_addr
		flags constant
		elements = { fd99::1 }
	}

	set probe_ports {
		type inet_service
		flags constant
		elements = { 8080, 9000 }
	}

	set udp_ports {
		type inet_service
		flags constant
		elements = { 53 }
	}

	chain outbound {
		type nat hook output priority -100; policy accept;
		meta skuid 64536 accept comment "the sidecar's own connections leave"
		oif "lo" accept comment "what stays in the pod"
		meta l4proto tcp redirect to :15001 comment "all other TCP goes to the sidecar"
		udp dport @udp_ports accept comment "names, and UDP that the pod declares"
		meta l4proto icmp accept comment "errors and echoes"
		meta l4proto ipv6-icmp accept comment "errors and echoes"
		reject comment "ways around the sidecar"
	}

	chain inbound {
		type filter hook input priority filter; policy accept;
		iif "lo" udp dport 15021 reject comment "a sign for the check"
		iif "lo" accept comment "what stays in the pod"
		ct state established accept comment "connections that were let in or went out"
		tcp dport 15443 accept comment "peers, whom the sidecar verifies"
		tcp dport 15021 accept comment "probes of the sidecar"
		ip saddr @node_ipv4 tcp dport @probe_ports accept comment "probes by the node"
		ip6 saddr @node_ipv6 tcp dport @probe_ports accept comment "probes by the node"
		meta l4proto tcp ct state invalid drop comment "stray packets"
		meta l4proto tcp reject with tcp reset comment "ways around the sidecar"
	}
}
"""


@pytest.fixture
def network() -> Iterator[PodNetwork]:
    made = PodNetwork()
    yield made
    made.close()


@pytest.fixture
def guarded(network: PodNetwork) -> PodNetwork:
    """A pod that was made with the plugin, with probes at 8080 and 9000."""
    added = network.call("ADD", {**REDIRECT, "lawflow.dev/probe-ports": "8080,9000"})
    assert added.code == 0, added.out
    network.add_second_address()
    return network


def test_the_rules_are_what_nft_shows_and_a_second_time_gives_the_same(network: PodNetwork) -> None:
    for _ in range(2):
        assert network.call("ADD", {**REDIRECT, "lawflow.dev/probe-ports": "8080, 9000"}).code == 0
        assert network.rules() == EXPECTED


def test_an_init_container_puts_the_same_rules_and_counts_its_gateways_as_the_node(network: PodNetwork) -> None:
    applied = network.apply("--probe-ports=8080,9000", "--node-address=10.99.0.1,fd99::1")
    assert (applied.code, applied.error) == (0, "")
    assert network.rules() == EXPECTED
    assert network.apply("--probe-ports=8080,9000", "--node-address=10.0.0.9").code == 0
    assert "elements = { 10.0.0.9, 10.99.0.1 }" in network.rules()


@families
def test_what_an_app_sends_anywhere_arrives_at_the_sidecar_with_its_destination(
    guarded: PodNetwork, family: str
) -> None:
    with listening(guarded, guarded.pod, SIDECAR_USER, LOOPBACK[family], OUTBOUND_PORT):
        for user in (0, APP_USER, CHECKER):
            assert source_of_captured(guarded, user, NOWHERE[family], 80) == f"{NOWHERE[family]} 80"
        assert source_of_captured(guarded, APP_USER, NODE[family], 22) == f"{NODE[family]} 22"


@families
def test_an_app_that_listens_everywhere_at_the_port_of_its_destination_is_not_what_it_calls(
    guarded: PodNetwork, family: str
) -> None:
    with (
        listening(guarded, guarded.pod, APP_USER, ANY[family], 8443),
        listening(guarded, guarded.pod, SIDECAR_USER, LOOPBACK[family], OUTBOUND_PORT),
    ):
        assert source_of_captured(guarded, APP_USER, NOWHERE[family], 8443) == f"{NOWHERE[family]} 8443"


@families
def test_the_sidecar_reaches_what_it_calls(guarded: PodNetwork, family: str) -> None:
    with listening(guarded, guarded.node, 0, NODE[family], 8443):
        assert calls(guarded, guarded.pod, SIDECAR_USER, NODE[family], 8443) == "met 8443"
        assert calls(guarded, guarded.pod, APP_USER, NODE[family], 8443) == "refused"


@families
def test_what_stays_in_the_pod_is_nobodys_business(guarded: PodNetwork, family: str) -> None:
    with listening(guarded, guarded.pod, APP_USER, ANY[family], 7000):
        for address in (LOOPBACK[family], POD[family]):
            assert calls(guarded, guarded.pod, APP_USER, address, 7000) == "met 7000"


@families
def test_others_reach_the_sidecar_and_never_the_app(guarded: PodNetwork, family: str) -> None:
    for port in (PEER_PORT, HEALTH_PORT, 7000, 8080):
        with listening(guarded, guarded.pod, SIDECAR_USER, ANY[family], port):
            expected = f"met {port}" if port in (PEER_PORT, HEALTH_PORT) else "refused"
            assert calls(guarded, guarded.node, 0, POD[family], port, source=SECOND[family]) == expected, port


@families
def test_the_node_reaches_ports_of_probes_and_no_others(guarded: PodNetwork, family: str) -> None:
    for port, expected in ((8080, "met 8080"), (9000, "met 9000"), (7000, "refused")):
        with listening(guarded, guarded.pod, APP_USER, ANY[family], port):
            assert calls(guarded, guarded.node, 0, POD[family], port, source=NODE[family]) == expected


@families
def test_what_an_app_sends_by_udp_is_refused_and_what_it_answers_is_not(guarded: PodNetwork, family: str) -> None:
    with listening(guarded, guarded.node, 0, NODE[family], 443, kind="udp"):
        assert calls(guarded, guarded.pod, APP_USER, NODE[family], 443, kind="udp") == "refused"
        assert calls(guarded, guarded.pod, SIDECAR_USER, NODE[family], 443, kind="udp") == "met 443"
    with listening(guarded, guarded.pod, APP_USER, ANY[family], 5353, kind="udp"):
        assert calls(guarded, guarded.node, 0, POD[family], 5353, kind="udp") == "met 5353"
        assert calls(guarded, guarded.pod, APP_USER, LOOPBACK[family], 5353, kind="udp") == "met 5353"


@families
def test_names_and_declared_ports_are_reached_by_udp(network: PodNetwork, family: str) -> None:
    assert network.call("ADD", {**REDIRECT, "lawflow.dev/udp-ports": "123, 8125"}).code == 0
    for port, expected in ((53, "met 53"), (8125, "met 8125"), (8126, "refused")):
        with listening(network, network.node, 0, NODE[family], port, kind="udp"):
            assert calls(network, network.pod, APP_USER, NODE[family], port, kind="udp") == expected
    assert network.apply("--udp-ports=8126").code == 0
    assert "elements = { 53, 8126 }" in network.rules()


def test_the_check_sees_rules_and_their_absence(network: PodNetwork) -> None:
    missing = network.check()
    assert missing.code == 1
    assert "not sent to its sidecar" in missing.error
    assert network.call("ADD", REDIRECT).code == 0
    assert network.check() == network.check(user=APP_USER)
    assert network.check().code == 0, network.check().error
    network.remove_rule_by_rule("inbound")
    unguarded = network.check()
    assert (unguarded.code, "not guarded" in unguarded.error) == (1, True)


def test_the_check_of_a_pod_without_ipv6_asks_for_none() -> None:
    network = PodNetwork(ipv6=False)
    try:
        assert network.check().code == 1
        assert network.call("ADD", REDIRECT).code == 0
        assert network.check().code == 0, network.check().error
    finally:
        network.close()


def test_the_check_tells_what_keeps_it_from_seeing(network: PodNetwork) -> None:
    assert network.call("ADD", REDIRECT).code == 0
    assert "another user" in network.check(user=SIDECAR_USER).error
    with listening(network, network.pod, SIDECAR_USER, "127.0.0.1", OUTBOUND_PORT):
        taken = network.check()
    assert (taken.code, f"127.0.0.1:{OUTBOUND_PORT}" in taken.error) == (1, True)


@pytest.mark.parametrize(
    "annotations", [None, {}, {"lawflow.dev/interception": "explicit"}, {"lawflow.dev/probe-ports": "8080"}]
)
def test_any_other_pod_stays_as_it_is(network: PodNetwork, annotations: dict[str, str] | None) -> None:
    for command in ("ADD", "CHECK", "DEL"):
        called = network.call(command, annotations)
        assert called.code == 0, called.out
    assert network.rules() == ""
    assert network.check().code == 1, "where the runtime tells no annotations, the pod itself finds out"


def test_the_runtime_is_told_that_rules_are_gone(network: PodNetwork) -> None:
    assert network.call("ADD", REDIRECT).code == 0
    assert network.call("CHECK", REDIRECT).code == 0
    network.remove_rule_by_rule("outbound")
    told = network.call("CHECK", REDIRECT)
    assert (told.code, '"code":102' in told.out.replace(" ", "")) == (1, True)


def test_a_pod_that_ends_leaves_nothing_and_may_be_gone_already(network: PodNetwork) -> None:
    assert network.call("ADD", REDIRECT).code == 0
    assert network.call("DEL", REDIRECT).code == 0
    assert network.rules() == ""
    for gone in ("", "/run/netns/of-nobody"):
        assert network.call("DEL", REDIRECT, namespace=gone).code == 0


def test_a_pod_whose_rules_cannot_be_put_does_not_start(network: PodNetwork) -> None:
    failed = network.call("ADD", REDIRECT, namespace="/run/netns/of-nobody")
    assert (failed.code, "of-nobody" in failed.out) == (1, True)
    for annotation in ("lawflow.dev/probe-ports", "lawflow.dev/udp-ports"):
        failed = network.call("ADD", {**REDIRECT, annotation: "http"})
        assert (failed.code, "http" in failed.out, annotation in failed.out) == (1, True, True)
    assert network.rules() == ""


def test_a_pod_with_several_addresses_hands_all_of_them_on(network: PodNetwork) -> None:
    both = {**RESULT, "ips": [*RESULT["ips"], {"address": "fd99::2/64", "gateway": "fd99::5"}]}
    called = network.call("ADD", {**REDIRECT, "lawflow.dev/probe-ports": "1"}, previous=both)
    assert '"fd99::2/64"' in called.out
    assert "fd99::5" in network.rules()
