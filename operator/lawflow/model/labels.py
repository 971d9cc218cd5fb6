"""Labels, annotations and headers under ``lawflow.dev/``: what users write on their own objects."""

INJECT = "lawflow.dev/inject"
"""Namespace label; ``enabled`` opts the namespace in to injection and to the gate."""
ENFORCE = "lawflow.dev/enforce"
"""Namespace label; ``deny`` (default), ``warn`` or ``audit``."""
MISSING = "lawflow.dev/missing"
"""Namespace label; ``deny`` refuses a workload object whose flow does not exist yet, not only its pods."""
INTERCEPTION = "lawflow.dev/interception"
"""Namespace label or pod annotation; ``explicit`` (default) or ``redirect``."""
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
RETRY = "lawflow.dev/retry-at"
"""Workload annotation that the controller touches so that a refused pod is tried again at once."""


def names(annotation: str | None) -> tuple[str, ...]:
    """The names in a comma-separated annotation, in order, without blanks and repetitions."""
    return tuple(dict.fromkeys(part.strip() for part in (annotation or "").split(",") if part.strip()))
