"""Pure injection: a Pod in, the Pod with its sidecar out."""
