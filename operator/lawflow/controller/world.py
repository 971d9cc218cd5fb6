"""The objects that the controller knows, kept current by watches: what every reconcile() reads."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lawflow.controller.capture import failure, shortfall
from lawflow.model import labels
from lawflow.model.base import GROUP, CustomResource
from lawflow.model.dataflow import DataFlow
from lawflow.model.kinds import (
    CONSENT_POLICY,
    DATA_CONTROLLER,
    DATA_FLOW,
    DATASET,
    FLOW_INDEX,
    NAMESPACE,
    POD,
    SERVICE,
    WORKLOAD_KINDS,
    Kind,
)  # fmt: skip
from lawflow.model.parse import InvalidObjectError, Problem, parse
from lawflow.model.workload import PodTemplate, pod_template
from lawflow.resolve import Key, Objects
from lawflow.store.protocol import Object

WATCHED: tuple[Kind, ...] = (
    NAMESPACE, DATA_CONTROLLER, CONSENT_POLICY, DATASET, SERVICE, DATA_FLOW, FLOW_INDEX, *WORKLOAD_KINDS,
)  # fmt: skip
"""Kinds that the world holds, in the order in which they are listed."""

_PARSED = frozenset({DATA_FLOW.name, CONSENT_POLICY.name, DATASET.name, DATA_CONTROLLER.name})
_WORKLOADS = frozenset(kind.name for kind in WORKLOAD_KINDS)
ENDED = frozenset({"Succeeded", "Failed"})
"""Phases of a pod that nothing runs of any more."""

REMEMBERED_DELETIONS = 50_000
"""More than can be deleted while one list is under way; an entry costs some hundred bytes."""


class World:
    """Objects by kind, namespace and name. Of workloads only what Lawflow asks about is kept."""

    def __init__(self) -> None:
        self.references = Objects()
        """Custom resources in typed form, and Services: what flows are joined with."""
        self._objects: dict[str, dict[str, dict[str, Object]]] = defaultdict(lambda: defaultdict(dict))
        self._problems: dict[Key, tuple[Problem, ...]] = {}
        self._gone: dict[str, None] = {}

    def observe(self, kind: Kind, obj: Object, *, deleted: bool = False) -> Object | None:
        """Take note of an object as it is, or was; returns what was known of it before.

        What arrives late is passed over: an older version than the known one, behind this process's own write, and
        any version of an object that is known to be gone, in a list that was begun before.
        """
        metadata = obj["metadata"]
        if self._is_gone(metadata.get("uid", ""), deleted=deleted):
            return None
        namespace, name = metadata.get("namespace", ""), metadata["name"]
        known = self._objects[kind.name][namespace]
        before = known.get(name)
        if before and _older(metadata, before["metadata"]):
            return before
        if deleted:
            known.pop(name, None)
        else:
            known[name] = _workload_facts(obj) if kind.name in _WORKLOADS else obj
        key = kind.name, namespace, name
        if kind.name in _PARSED:
            self._parse(key, None if deleted else obj)
        elif kind == SERVICE:
            self._remember_service(namespace, name, None if deleted else obj)
        return before

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """An object as it was last seen."""
        return self._objects[kind.name].get(namespace, {}).get(name)

    def all(self, kind: Kind, namespace: str | None = None) -> Iterator[Object]:
        """Objects of a kind, of one namespace or of all."""
        held = self._objects[kind.name]
        names = list(held) if namespace is None else [namespace]
        for each in names:
            yield from tuple(held.get(each, {}).values())

    def problems(self, kind: Kind, namespace: str, name: str) -> tuple[Problem, ...]:
        """Why an object does not fit its schema; empty where it does."""
        return self._problems.get((kind.name, namespace, name), ())

    def flow(self, namespace: str, name: str) -> DataFlow | None:
        """A flow in typed form."""
        found = self.references.resources.get((DATA_FLOW.name, namespace, name))
        return found if isinstance(found, DataFlow) else None

    def flows(self, namespace: str) -> list[DataFlow]:
        """The flows of a namespace that fit their schema, by name."""
        names = sorted(self._objects[DATA_FLOW.name].get(namespace, {}))
        return [flow for name in names if (flow := self.flow(namespace, name))]

    def namespaces_with_flows(self) -> set[str]:
        """Namespaces that hold a flow."""
        return {namespace for namespace, held in self._objects[DATA_FLOW.name].items() if held}

    def opted_in(self, namespace: str) -> bool:
        """Whether the namespace has sidecars injected."""
        found = self.get(NAMESPACE, "", namespace)
        return ((found or {}).get("metadata", {}).get("labels") or {}).get(labels.INJECT) == "enabled"

    def workloads(self, namespace: str) -> Iterator[tuple[Object, PodTemplate]]:
        """Workloads that nothing else controls, with their pod templates."""
        for kind in WORKLOAD_KINDS:
            for obj in self.all(kind, namespace):
                template = pod_template(obj)
                if template and self.owner(obj) is obj:
                    yield obj, template

    def live_pods(self, namespace: str) -> Iterator[Object]:
        """Pods that have not ended and are not being deleted."""
        for pod in self.all(POD, namespace):
            if pod["status"].get("phase") not in ENDED and not pod["metadata"].get("deletionTimestamp"):
                yield pod

    def owner(self, obj: Object) -> Object:
        """The workload at the end of the chain of controllers, as far as it is known; the object itself if it is."""
        reference = next(
            (each for each in obj["metadata"].get("ownerReferences") or () if each.get("controller")), None
        )
        kind = next((kind for kind in WORKLOAD_KINDS if reference and kind.name == reference["kind"]), None)
        found = self.get(kind, obj["metadata"].get("namespace", ""), reference["name"]) if kind and reference else None
        return self.owner(found) if found else obj

    def known(self, kind: Kind) -> list[Object]:
        """All objects of a kind as they are known now: take it before a fresh list is asked for."""
        return list(self.all(kind))

    def absent(self, kind: Kind, known_before: Iterable[Object], listed: Iterable[Object]) -> list[Object]:
        """Objects that were known before a list was asked for, and that it lacks: they are gone."""
        present = {_name(obj) for obj in listed}
        return [
            obj
            for obj in known_before
            if _name(obj) not in present
            and (now := self.get(kind, *_name(obj)))
            and now["metadata"].get("uid") == obj["metadata"].get("uid")
        ]

    def _is_gone(self, uid: str, *, deleted: bool) -> bool:
        if not uid:
            return False
        if deleted:
            self._gone.pop(uid, None)
            self._gone[uid] = None
            if len(self._gone) > REMEMBERED_DELETIONS:
                del self._gone[next(iter(self._gone))]
            return False
        return uid in self._gone

    def _parse(self, key: Key, obj: Object | None) -> None:
        self._problems.pop(key, None)
        self.references.resources.pop(key, None)
        if obj is None:
            return
        try:
            # Without its status: that one is ours, and an older release may have written another form.
            parsed: CustomResource = parse({name: part for name, part in obj.items() if name != "status"})
            self.references.resources[key] = parsed
        except InvalidObjectError as error:
            self._problems[key] = error.problems

    def _remember_service(self, namespace: str, name: str, obj: Object | None) -> None:
        if obj is None:
            self.references.services.pop((namespace, name), None)
        else:
            self.references.services[namespace, name] = obj


def _name(obj: Object) -> tuple[str, str]:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def _older(metadata: Mapping[str, Any], known: Mapping[str, Any]) -> bool:
    if metadata.get("uid") != known.get("uid"):
        return False
    versions = str(metadata.get("resourceVersion", "")), str(known.get("resourceVersion", ""))
    return all(map(str.isdigit, versions)) and int(versions[0]) < int(versions[1])


def _workload_facts(obj: Object) -> Object:
    """The part of a workload that Lawflow asks about: tens of thousands of them have to fit into memory."""
    metadata = obj["metadata"]
    facts: Object = {
        "apiVersion": obj.get("apiVersion"),
        "kind": obj.get("kind"),
        "metadata": _kept(metadata, _METADATA) | {"annotations": _own(metadata)},
        "status": _kept(obj.get("status") or {}, _STATUS),
        "spec": _kept(obj.get("spec") or {}, _SPEC),
    }
    if conditions := (obj.get("status") or {}).get("conditions"):
        facts["status"]["conditions"] = [_kept(each, ("type", "status")) for each in conditions]
    if template := pod_template(obj):
        pod_spec = _kept(template.spec, ("serviceAccountName", "serviceAccount"))
        body: Object = {"metadata": {"annotations": _own(template.metadata)}, "spec": pod_spec}
        match obj.get("kind"):
            case "Pod":
                facts["spec"] = pod_spec
                if labels.INJECTED in facts["metadata"]["annotations"]:
                    facts["spec"] |= _kept(template.spec, ("hostAliases",))
                if facts["metadata"]["annotations"].get(labels.INTERCEPTION) == "redirect":
                    facts["spec"] |= _kept(template.spec, ("nodeName",))
                    facts["status"] |= {"capture": shortfall(obj), "captureFailure": failure(obj)}
            case "CronJob":
                facts["spec"]["jobTemplate"] = {"spec": {"template": body}}
            case _:
                facts["spec"]["template"] = body
    return facts


_METADATA = ("name", "namespace", "uid", "resourceVersion", "generation", "ownerReferences", "deletionTimestamp")
_SPEC = ("replicas", "suspend")
_STATUS = ("phase", "replicas", "desiredNumberScheduled", "currentNumberScheduled", "active", "terminating")


def _kept(part: Mapping[str, Any], names: tuple[str, ...]) -> Object:
    return {name: part[name] for name in names if name in part}


def _own(metadata: Mapping[str, Any]) -> dict[str, str]:
    annotations = metadata.get("annotations") or {}
    return {name: text for name, text in annotations.items() if name.startswith(f"{GROUP}/") or name == labels.MIRROR}
