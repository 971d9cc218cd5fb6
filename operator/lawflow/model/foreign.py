"""What Lawflow reads of Kubernetes' own objects, and what keeps it from reading one. The rest is for the API server."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from lawflow.model.kinds import SERVICE
from lawflow.model.parse import Problem, problem_of

Map = dict[str, Any]


class _Read(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", alias_generator=to_camel)


class _Metadata(_Read):
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class _ContainerPort(_Read):
    container_port: int
    name: str | None = None


class _Container(_Read):
    name: str
    ports: list[_ContainerPort] | None = None
    args: list[str] | None = None
    env: list[Map] | None = None
    volume_mounts: list[Map] | None = None
    security_context: Map | None = None
    liveness_probe: Map | None = None
    readiness_probe: Map | None = None
    startup_probe: Map | None = None


class _PodSpec(_Read):
    service_account_name: str | None = None
    service_account: str | None = None
    containers: list[_Container] | None = None
    init_containers: list[_Container] | None = None
    volumes: list[Map] | None = None
    host_aliases: list[Map] | None = None
    security_context: Map | None = None


class _Pod(_Read):
    metadata: _Metadata | None = None
    spec: _PodSpec


class _WorkloadSpec(_Read):
    template: _Pod | None = None


class _Workload(_Read):
    spec: _WorkloadSpec


class _JobTemplate(_Read):
    spec: _WorkloadSpec


class _CronJobSpec(_Read):
    job_template: _JobTemplate


class _CronJob(_Read):
    spec: _CronJobSpec


class _ServicePort(_Read):
    port: int
    name: str | None = None
    protocol: str | None = None
    target_port: int | str | None = None


class _ServiceSpec(_Read):
    selector: dict[str, str] | None = None
    ports: list[_ServicePort] | None = None


class _Service(_Read):
    spec: _ServiceSpec | None = None


def shape_problems(obj: Mapping[str, Any]) -> list[Problem]:
    """What is not as Lawflow has to find it in a Service or a workload; nothing in an object of any other kind."""
    model = _model(obj)
    if model is None:
        return []
    try:
        model.model_validate({name: part for name, part in obj.items() if name in ("metadata", "spec")})
    except ValidationError as error:
        return [problem_of(details) for details in error.errors(include_url=False)]
    return []


def _model(obj: Mapping[str, Any]) -> type[_Read] | None:
    kind, spec = obj.get("kind"), obj.get("spec")
    if kind == SERVICE.name and obj.get("apiVersion") == SERVICE.api_version:
        return _Service
    if kind == "Pod":
        return _Pod
    if kind == "CronJob":
        return _CronJob
    template = spec.get("template") if isinstance(spec, Mapping) else None
    # Other kinds have templates, too, which need not be of pods.
    return _Workload if isinstance(template, Mapping) and "spec" in template else None
