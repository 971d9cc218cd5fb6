"""PodCertificateRequest: signed for the genuine sidecar of a live pod, denied to everybody else."""

import datetime as dt

from lawflow.controller.settings import Environment


async def reconcile(environment: Environment, namespace: str, name: str) -> dt.datetime | None:
    """Answer one request."""
    return None
