"""Labels, annotations and headers under ``lawflow.dev/``: what users write on their own objects."""

INJECT = "lawflow.dev/inject"
"""Namespace label; ``enabled`` opts the namespace in to injection and to the gate."""
ENFORCE = "lawflow.dev/enforce"
"""Namespace label; ``deny`` (default), ``warn`` or ``audit``."""
MISSING = "lawflow.dev/missing"
"""Namespace label; ``deny`` refuses a workload object whose flow does not exist yet, not only its pods."""
INTERCEPTION = "lawflow.dev/interception"
"""Namespace label or pod annotation; ``explicit`` (default) or ``redirect``. On an injected pod, what came of it."""
PROBE_PORTS = "lawflow.dev/probe-ports"
"""Pod annotation in mode redirect: ports, comma-separated, at which the node probes the app past the sidecar."""
UDP_PORTS = "lawflow.dev/udp-ports"
"""Pod annotation in mode redirect: ports elsewhere, comma-separated, that UDP may go to past the sidecar, beside 53."""
INDEX_READY = "lawflow.dev/index-ready"
"""Namespace label that the controller sets once the namespace's FlowIndex is complete."""
FLOWS = "lawflow.dev/flows"
"""Pod template annotation: names of flows, comma-separated, that the workload declares beside its own."""
ACCEPT_FLOWS_FROM = "lawflow.dev/accept-flows-from"
"""Service annotation: namespaces, comma-separated, whose flows this Service accepts."""
BREAK_GLASS = "lawflow.dev/break-glass"
"""Workload annotation: the reason for passing the gate in an emergency."""
BREAK_GLASS_USER = "lawflow.dev/break-glass-user"
"""Workload annotation beside it: who passed the gate."""
INJECTED = "lawflow.dev/injected"
"""Pod annotation: version of the sidecar that was injected."""
TRUST_BUNDLE = "lawflow.dev/trust-bundle"
"""Pod annotation: version of the trust bundle that the sidecar acknowledged last, noted by the xDS server."""
POLICY_REJECTED = "lawflow.dev/policy-rejected"
"""Pod annotation: why the sidecar's Envoy did not take its last configuration, noted by the xDS server."""
MODULE = "lawflow.dev/module"
"""Pod annotation: version of the sidecar's module and the schema of the policies that it reads, e.g. ``0.1.0/1``, noted
by the xDS server."""
LOCAL_PORT = "lawflow.dev/local-port"
"""Pod template annotation, read by `lawflow up` alone: the port of 127.0.0.1 where the app listens on this host."""
RETRY = "lawflow.dev/retry-at"
"""Workload annotation that the controller touches so that a refused pod is tried again at once."""
MIRROR = "kubernetes.io/config.mirror"
"""Kubernetes' own annotation of mirror pods, by which the kubelet reports static pods. The API server lets them have no
service account, so there is no identity that claiming to be one would win."""


def names(annotation: str | None) -> tuple[str, ...]:
    """The names in a comma-separated annotation, in order, without blanks and repetitions."""
    return tuple(dict.fromkeys(part.strip() for part in (annotation or "").split(",") if part.strip()))


def port(text: str) -> int | None:
    """The number of a port in an annotation; ``None`` where the text is none."""
    # Numbers of thousands of digits are no ports, and an error to int().
    is_number = text.isascii() and text.isdecimal() and len(text) <= len("65535")
    return int(text) if is_number and 0 < int(text) < 65536 else None
