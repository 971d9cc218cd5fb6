"""Configuration files of the programs on a node."""

import json
from pathlib import Path

import yaml
from tests.support.authority import KeyPair
from tests.support.node.plan import ADDRESS, NAME
from tests.support.node.programs import Programs

POD_RANGES = ("10.244.0.0/24", "fd10:244::/64")
DNS_ADDRESS = "10.96.0.10"
PAUSE_IMAGE = "docker.io/lawflow/pause:1"
ETCD_CLIENTS, ETCD_PEERS = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
ETCD_DATA = Path("/var/lib/etcd")


def containerd(directory: Path, programs: Programs) -> str:
    """TOML for containerd: its socket lies in the node's folder, where this host reaches it."""
    return f"""\
version = 3
disabled_plugins = ["io.containerd.nri.v1.nri", "io.containerd.tracing.processor.v1.otlp"]
[grpc]
  address = "{containerd_socket(directory)}"
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "{PAUSE_IMAGE}"
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
  disable_apparmor = true
  # Each second, without this: a fifteenth of a processor for a dozen pods that do nothing.
  stats_collect_period = "1m"
[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ["{plugins(directory)}"]
  conf_dir = "{networks(directory)}"
  use_internal_loopback = true
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
    BinaryName = "{programs.runc}"
    SystemdCgroup = false
"""


def containerd_socket(directory: Path) -> Path:
    """Where containerd listens."""
    return directory / "containerd.sock"


def plugins(directory: Path) -> Path:
    """Where containerd finds CNI plugins: a folder of the node's own, since pods may add to it."""
    return directory / "cni" / "bin"


def networks(directory: Path) -> Path:
    """Where containerd finds network configurations."""
    return directory / "cni" / "net.d"


def network() -> str:
    """CNI: a routed pair of interfaces for each pod; nothing of it needs a bridge or a packet filter."""
    ranges, routes = [[{"subnet": each}] for each in POD_RANGES], [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]
    ipam = {"type": "host-local", "ranges": ranges, "routes": routes}
    plugins = [{"type": AT_ONCE}, {"type": "ptp", "ipam": ipam}]
    return json.dumps({"cniVersion": "1.0.0", "name": "pods", "plugins": plugins})


AT_ONCE = "addresses-at-once"
ADDRESSES_AT_ONCE = """\
#!/bin/sh
# Nobody else has an address of this node's range: a pod need not ask for a second or two whether somebody does.
if [ "$CNI_COMMAND" = ADD ]; then
    nsenter --net="$CNI_NETNS" sh -c 'echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad' || exit 1
    echo '{"cniVersion": "1.0.0"}'
fi
"""
"""The CNI plugin of that name."""


def kubelet(directory: Path, serving: KeyPair, clients: Path) -> str:
    """KubeletConfiguration for cgroups of either version, without evictions by what else runs on this machine."""
    return yaml.safe_dump(
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": str(clients)},
            },
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": str(serving.certificate),
            "tlsPrivateKeyFile": str(serving.key),
            "cgroupDriver": "cgroupfs",
            "cgroupsPerQOS": True,
            "enforceNodeAllocatable": ["pods"],
            "failCgroupV1": False,
            "failSwapOn": False,
            "clusterDomain": "cluster.local",
            "clusterDNS": [DNS_ADDRESS],
            "resolvConf": str(directory / "resolv.conf"),
            "containerRuntimeEndpoint": f"unix://{containerd_socket(directory)}",
            "evictionHard": {"memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
            "imageGCHighThresholdPercent": 100,
            "imageGCLowThresholdPercent": 99,
            "nodeStatusUpdateFrequency": "5s",
        }
    )


def proxy(kubeconfig: Path) -> str:
    """KubeProxyConfiguration: nftables, and no setting of the host's connection tracking."""
    return yaml.safe_dump(
        {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "nftables",
            "clientConnection": {"kubeconfig": str(kubeconfig)},
            "hostnameOverride": NAME,
            "clusterCIDR": ",".join(POD_RANGES),
            "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        }
    )


def dns(kubeconfig: Path) -> str:
    """A Corefile: names of the cluster, those below outside.example, which are this node's, and no others."""
    return f"""\
cluster.local:53 in-addr.arpa:53 {{
    bind {ADDRESS}
    errors
    ready 127.0.0.1:8181
    kubernetes cluster.local in-addr.arpa {{
        kubeconfig {kubeconfig}
        ttl 5
    }}
}}
outside.example:53 {{
    bind {ADDRESS}
    template IN A {{
        answer "{{{{ .Name }}}} 5 IN A {ADDRESS}"
    }}
    template IN AAAA {{
        rcode NOERROR
    }}
}}
.:53 {{
    bind {ADDRESS}
    template ANY ANY . {{
        rcode NXDOMAIN
    }}
}}
"""
