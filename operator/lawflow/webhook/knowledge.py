"""Keeps the view true: objects come in as events, verdicts are renewed when anything changes that they rest on."""

import datetime as dt
import logging
from collections.abc import Mapping
from typing import Any

from lawflow.law import Context, LegalData, evaluate
from lawflow.model.base import CustomResource
from lawflow.model.dataflow import DataFlow
from lawflow.model.flow_index import FlowIndex
from lawflow.model.kinds import (
    CONSENT_POLICY,
    DATA_CONTROLLER,
    DATA_FLOW,
    DATASET,
    FLOW_INDEX,
    NAMESPACE,
    SERVICE,
    Kind,
)
from lawflow.model.loopback import CLUSTER_DOMAIN, LoopbackDestination, loopback_destinations
from lawflow.model.parse import InvalidObjectError, parse
from lawflow.model.status import Severity
from lawflow.resolve import Objects
from lawflow.store.protocol import Object, WatchEvent
from lawflow.webhook.view import Grant, Verdict, View

WATCHED: tuple[Kind, ...] = (NAMESPACE, SERVICE, DATA_CONTROLLER, DATASET, CONSENT_POLICY, FLOW_INDEX, DATA_FLOW)
"""What verdicts rest on; flows come last, so that their references are known by then."""

_log = logging.getLogger(__name__)


class Knowledge:
    """The objects of the cluster and the view made of them. ``renew`` judges what has become stale, a slice a call."""

    def __init__(
        self,
        legal: LegalData,
        disabled_rules: frozenset[str] = frozenset(),
        cluster_domain: str = CLUSTER_DOMAIN,
    ) -> None:
        self.objects = Objects()
        self.context = Context(self.objects, legal, disabled_rules)
        self.view = View()
        self._cluster_domain = cluster_domain
        self._destinations: dict[tuple[str, str], tuple[LoopbackDestination, ...]] = {}
        self._stale: dict[tuple[str, str, str], None] = {}
        self._all_stale = False
        self._ready = False
        self._unsynced = {kind.name for kind in WATCHED}

    @property
    def ready(self) -> bool:
        """Whether every kind was read once and every flow judged once: nothing may be refused as missing before."""
        self._ready = self._ready or not (self._unsynced or self.stale)
        return self._ready

    @property
    def synced(self) -> bool:
        """Whether every kind was read once; judging before would be done twice."""
        return not self._unsynced

    @property
    def stale(self) -> bool:
        """Whether flows wait to be judged."""
        return bool(self._stale) or self._all_stale

    def observe(self, kind: Kind, event: WatchEvent) -> None:
        """Take in one event of a watch."""
        if event.type == "SYNCED":
            self._unsynced.discard(kind.name)
            return
        gone = event.type == "DELETED"
        metadata = event.object["metadata"]
        if kind is NAMESPACE:
            self._namespace(metadata, gone)
        elif kind is SERVICE:
            self._service(event.object, gone)
        else:
            self._resource(kind, event.object, gone)

    def doubt_all(self) -> None:
        """Let every flow be judged anew, because the day has changed or something that many flows refer to."""
        self._all_stale = True

    def renew(self, today: dt.date, at_most: int = 100) -> None:
        """Judge flows that are stale, at most so many, so that reviews in between do not wait."""
        if self._all_stale:
            self._all_stale = False
            self._stale.update(dict.fromkeys(flow.key for flow in self.objects.flows()))
        for key in list(self._stale)[:at_most]:
            del self._stale[key]
            flow = self.objects.resources.get(key)
            if isinstance(flow, DataFlow):
                self._judge(flow, today)

    def destinations(self, namespace: str, service_account: str) -> tuple[LoopbackDestination, ...]:
        """The destinations of a service account's flows, as injection needs them; worked out once a change."""
        names = self.view.namespace(namespace).flows_of_service_account.get(service_account)
        if names is None:
            # Nothing is remembered of accounts without flows: reviews may name any number of them.
            return ()
        key = namespace, service_account
        if key not in self._destinations:
            found = (self.objects.resources.get((DATA_FLOW.name, namespace, name)) for name in names)
            flows = [flow for flow in found if isinstance(flow, DataFlow)]
            self._destinations[key] = loopback_destinations(flows, self._cluster_domain)
        return self._destinations[key]

    def _judge(self, flow: DataFlow, today: dt.date) -> None:
        try:
            verdict = Verdict(
                flow.metadata.name,
                flow.spec.source.service_account_name,
                tuple(finding for finding in evaluate(flow, self.context, today) if finding.severity is Severity.DENY),
                bool(flow.status and flow.status.first_lawful_at),
            )
        except Exception:
            # A flow that cannot be judged must not take all others with it; its pods wait.
            _log.exception(
                "flow could not be judged", extra={"flow": f"{flow.metadata.namespace}/{flow.metadata.name}"}
            )
            verdict = _unevaluated(flow.metadata.name, flow.spec.source.service_account_name)
        self.view.writable(flow.metadata.namespace).put(verdict)

    def _namespace(self, metadata: Mapping[str, Any], gone: bool) -> None:
        if gone:
            self.view.namespaces.pop(metadata["name"], None)
        else:
            self.view.writable(metadata["name"]).read_labels(metadata.get("labels") or {})

    def _service(self, service: Object, gone: bool) -> None:
        metadata = service["metadata"]
        key = metadata.get("namespace", ""), metadata["name"]
        if gone:
            self.objects.services.pop(key, None)
        else:
            self.objects.services[key] = service

    def _resource(self, kind: Kind, obj: Object, gone: bool) -> None:
        metadata = obj["metadata"]
        namespace, name = metadata.get("namespace", ""), metadata["name"]
        key = (kind.name, namespace, name)
        resource = None if gone else _parsed(obj)
        before = self.objects.resources.get(key)
        if resource is None:
            self.objects.resources.pop(key, None)
        else:
            self.objects.resources[key] = resource
        if kind is FLOW_INDEX:
            self.view.writable(namespace).grants = _grants(resource)
        elif kind is DATA_FLOW:
            self._flow(obj, resource, key, gone)
        elif not _same_spec(before, resource):
            self.doubt_all()

    def _flow(self, obj: Object, flow: CustomResource | None, key: tuple[str, str, str], gone: bool) -> None:
        _, namespace, name = key
        self._stale.pop(key, None)
        for known in [known for known in self._destinations if known[0] == namespace]:
            del self._destinations[known]
        if flow is not None:
            self._stale[key] = None
        elif gone:
            self.view.writable(namespace).remove(name)
        else:
            # Written for another version of Lawflow: it exists, and nobody here can judge it.
            source = (obj.get("spec") or {}).get("source") or {}
            self.view.writable(namespace).put(_unevaluated(name, str(source.get("serviceAccountName", ""))))


def _unevaluated(flow: str, service_account: str) -> Verdict:
    return Verdict(flow, service_account, evaluated=False)


def _parsed(obj: Object) -> CustomResource | None:
    try:
        return parse(obj)
    except InvalidObjectError as error:
        metadata = obj["metadata"]
        where = f"{obj.get('kind')} {metadata.get('namespace', '')}/{metadata['name']}"
        _log.warning("stored object does not fit its schema", extra={"object": where, "paths": _paths(error)})
        return None


def _paths(error: InvalidObjectError) -> list[str]:
    return [problem.path for problem in error.problems]


def _same_spec(before: CustomResource | None, after: CustomResource | None) -> bool:
    return before is not None and after is not None and getattr(before, "spec", None) == getattr(after, "spec", None)


def _grants(index: CustomResource | None) -> dict[str, Grant]:
    if not isinstance(index, FlowIndex):
        return {}
    grants = {}
    for workload, grant in index.spec.grants.items():
        expires = dt.datetime.fromisoformat(grant.expires)
        if expires.tzinfo is not None:
            grants[workload] = Grant(grant.reason, grant.user, expires)
    return grants
