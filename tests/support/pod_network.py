"""Network namespaces as a node and its pods have them, for the program that puts rules into them. Needs root."""

import json
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.node import images
from tests.support.node.programs import programs

from lawflow.model.sidecar import USER_ID

NODE = {"IPv4": "10.99.0.1", "IPv6": "fd99::1"}
"""Of the node, on the device that leads to the pod."""
SECOND = {"IPv4": "10.99.0.3", "IPv6": "fd99::3"}
"""Of another host, as the pod sees it: the same device, another address that is not the node's when rules are put."""
POD = {"IPv4": "10.99.0.2", "IPv6": "fd99::2"}
APP_USER = 1000
CHECKER = 64537
REDIRECT = {"lawflow.dev/interception": "redirect"}
RESULT = {"cniVersion": "1.0.0", "ips": [{"address": "10.99.0.2/24", "gateway": "10.99.0.1"}]}
ANNOTATIONS = "io.kubernetes.cri.pod-annotations"


@dataclass(frozen=True)
class Ended:
    """How a program ended."""

    code: int
    out: str
    error: str


class PodNetwork:
    """Two namespaces of the network, tied by a pair of devices: a node's and a pod's. Nothing else sees them."""

    def __init__(self, ipv6: bool = True) -> None:
        """Makes them; ``ipv6`` says whether the pod has any."""
        name = uuid.uuid4().hex[:8]
        self.node, self.pod = f"lawflow-node-{name}", f"lawflow-pod-{name}"
        self._families = ["IPv4", "IPv6"] if ipv6 else ["IPv4"]
        for namespace in (self.node, self.pod):
            _ip("netns", "add", namespace)
            _ip("-netns", namespace, "link", "set", "lo", "up")
        if not ipv6:
            self.run(self.pod, ["sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6"])
        _ip(
            "-netns",
            self.node,
            "link",
            "add",
            "name",
            "pod0",
            "type",
            "veth",
            "peer",
            "name",
            "eth0",
            "netns",
            self.pod,
        )
        for family in self._families:
            length, extra = ("24", ()) if family == "IPv4" else ("64", ("nodad",))
            _ip("-netns", self.node, "address", "add", f"{NODE[family]}/{length}", "dev", "pod0", *extra)
            _ip("-netns", self.pod, "address", "add", f"{POD[family]}/{length}", "dev", "eth0", *extra)
        _ip("-netns", self.node, "link", "set", "pod0", "up")
        _ip("-netns", self.pod, "link", "set", "eth0", "up")
        for family in self._families:
            version = "-4" if family == "IPv4" else "-6"
            _ip(version, "-netns", self.pod, "route", "add", "default", "via", NODE[family])

    def add_second_address(self) -> None:
        """Gives the other end addresses that it did not have when rules were put: whoever has them is not the node."""
        for family in self._families:
            length, extra = ("24", ()) if family == "IPv4" else ("64", ("nodad",))
            _ip("-netns", self.node, "address", "add", f"{SECOND[family]}/{length}", "dev", "pod0", *extra)

    def close(self) -> None:
        """Removes both; what still runs in them keeps its own."""
        for namespace in (self.pod, self.node):
            _ip("netns", "delete", namespace)

    def run(self, namespace: str, command: Sequence[str], user: int = 0, input: str = "", **environment: str) -> Ended:
        """Runs a command in a namespace, as a user without rights where it is not root."""
        as_user = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--inh-caps=-all"] if user else []
        done = subprocess.run(
            ["ip", "netns", "exec", namespace, *as_user, *command],
            capture_output=True, text=True, input=input, timeout=60, check=False,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **environment},
        )  # fmt: skip
        return Ended(done.returncode, done.stdout, done.stderr)

    def start(self, namespace: str, command: Sequence[str], user: int) -> subprocess.Popen[str]:
        """Starts a command in a namespace, which tells of itself by lines on its output."""
        as_user = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--inh-caps=-all"]
        return subprocess.Popen(
            ["ip", "netns", "exec", namespace, *as_user, *command],
            stdout=subprocess.PIPE,
            stdin=subprocess.PIPE,
            text=True,
        )

    def call(
        self,
        command: str,
        annotations: Mapping[str, str] | None,
        namespace: str | None = None,
        previous: object = RESULT,
        **entry: Any,
    ) -> Ended:
        """Calls the plugin as a container runtime does; ``annotations`` of None is a runtime that tells none."""
        configuration = {
            "cniVersion": "1.0.0",
            "name": "pods",
            "type": "lawflow-network",
            "prevResult": previous,
            **entry,
        }
        if annotations is not None:
            configuration["runtimeConfig"] = {ANNOTATIONS: dict(annotations)}
        path = f"/run/netns/{self.pod}" if namespace is None else namespace
        return self.run(
            self.node, [str(program())], input=json.dumps(configuration), CNI_COMMAND=command, CNI_NETNS=path,
            CNI_CONTAINERID="c", CNI_IFNAME="eth0", CNI_PATH="/nowhere",
        )  # fmt: skip

    def check(self, user: int = CHECKER) -> Ended:
        """The proof that the first container of a pod makes."""
        return self.run(self.pod, [str(program()), "check"], user=user)

    def apply(self, *arguments: str) -> Ended:
        """What the init container with a right of its own does."""
        return self.run(self.pod, [str(program()), "apply", *arguments])

    def rules(self) -> str:
        """The pod's rules as nft shows them; empty where there are none."""
        return self.run(self.pod, [str(programs().nft), "list", "ruleset"]).out

    def remove_rule_by_rule(self, chain: str) -> None:
        """Empties a chain, as somebody with rights might."""
        assert self.run(self.pod, [str(programs().nft), "flush", "chain", "inet", "lawflow", chain]).code == 0


def program() -> Path:
    """The program under test."""
    return images.network_program()


SIDECAR_USER = USER_ID


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}"
