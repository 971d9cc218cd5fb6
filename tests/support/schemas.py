"""JSON schemas of an API server's own kinds, one file each, in the form that kubeconform looks for."""

import json
from pathlib import Path
from typing import Any

from tests.support.cluster import Cluster

Object = dict[str, Any]

PATTERN = "{{.ResourceKind}}{{.KindSuffix}}.json"
"""The name of a kind's file within the directory, as kubeconform's ``-schema-location`` has it."""
_REFERENCE = "#/definitions/"


def write_schemas(cluster: Cluster, directory: Path) -> str:
    """Writes the schemas of all kinds that the API server serves; returns the schema location for kubeconform.

    Unknown fields are forbidden, as they would be by ``kubectl apply --validate=strict``.
    """
    definitions = json.loads(cluster.kubectl("get", "--raw", "/openapi/v2").stdout)["definitions"]
    for name, definition in definitions.items():
        for kind in definition.get("x-kubernetes-group-version-kind", ()):
            group = f"-{kind['group'].partition('.')[0]}" if kind["group"] else ""
            file = directory / f"{kind['kind'].lower()}{group}-{kind['version']}.json"
            file.write_text(json.dumps(_standalone(definition, definitions, (name,))))
    return str(directory / PATTERN)


def _standalone(schema: Object, definitions: Object, within: tuple[str, ...]) -> Object:
    """The schema without references: what refers back to itself may be anything there."""
    if reference := schema.get("$ref"):
        name = reference.removeprefix(_REFERENCE)
        return {} if name in within else _standalone(definitions[name], definitions, (*within, name))
    if schema.get("format") == "int-or-string":
        return {"type": ["integer", "string"]}
    made: Object = {key: schema[key] for key in ("type", "enum", "required") if key in schema}
    if "items" in schema:
        made["items"] = _standalone(schema["items"], definitions, within)
    if "properties" in schema:
        properties = schema["properties"].items()
        made["properties"] = {name: _standalone(part, definitions, within) for name, part in properties}
        made["additionalProperties"] = False
    if "additionalProperties" in schema:
        made["additionalProperties"] = _standalone(schema["additionalProperties"], definitions, within)
    return made
