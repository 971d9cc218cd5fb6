"""Judgements for programs: JSON, SARIF 2.1.0 and policy reports."""

import hashlib
from collections.abc import Iterable
from itertools import groupby
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from lawflow import __version__
from lawflow.cli.judgement import Judgement, ObjectFinding
from lawflow.cli.rules import RuleText, rule_text
from lawflow.model.status import Severity

Document = dict[str, Any]

_LEVEL = {Severity.DENY: "error", Severity.WARN: "warning", Severity.INFO: "note"}
_RESULT = {Severity.DENY: "fail", Severity.WARN: "warn", Severity.INFO: "skip"}
_REPORT_SEVERITY = {Severity.DENY: "high", Severity.WARN: "medium", Severity.INFO: "info"}


def as_json(judgement: Judgement) -> Document:
    """The interface for scripts; its names and shape are stable."""
    return {
        "findings": [
            {
                "rule": found.finding.rule,
                "article": found.finding.article,
                "severity": found.finding.severity.value,
                "object": {"kind": found.kind, "namespace": found.namespace, "name": found.name},
                "path": found.finding.path,
                "source": {"file": found.file, "line": found.line},
                "message": found.finding.message,
                "fix": found.finding.fix,
            }
            for found in judgement.findings
        ],
        "summary": {
            "deny": judgement.count(Severity.DENY),
            "warn": judgement.count(Severity.WARN),
            "info": judgement.count(Severity.INFO),
            "objects": judgement.objects,
        },
    }


def as_sarif(judgement: Judgement) -> Document:
    """SARIF 2.1.0 (OASIS), which code hosts show beside the lines of a change."""
    ids = sorted({found.finding.rule for found in judgement.findings})
    position = {rule: index for index, rule in enumerate(ids)}
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "lawflow",
                        "version": __version__,
                        "rules": [_sarif_rule(rule_text(rule)) for rule in ids],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [
                    {
                        "ruleId": found.finding.rule,
                        "ruleIndex": position[found.finding.rule],
                        "level": _LEVEL[found.finding.severity],
                        "message": {"text": f"{found.finding.message}. Fix: {found.finding.fix}."},
                        "locations": [
                            {
                                "physicalLocation": {
                                    "artifactLocation": {"uri": _uri(found.file)},
                                    "region": {"startLine": found.line},
                                },
                                "logicalLocations": [
                                    {"fullyQualifiedName": f"{_qualified(found)}{found.finding.path}", "kind": "object"}
                                ],
                            }
                        ],
                        "partialFingerprints": {"lawflow/v1": _fingerprint(found)},
                    }
                    for found in judgement.findings
                ],
            }
        ],
    }


def as_policy_reports(judgement: Judgement) -> list[Document]:
    """Policy reports (wgpolicyk8s.io/v1alpha2): one for each namespace, and one for cluster-scoped objects."""
    in_order = sorted(judgement.findings, key=lambda found: (found.namespace, found.sort_key))
    return [
        _policy_report(namespace, list(members))
        for namespace, members in groupby(in_order, key=lambda found: found.namespace)
    ]


def _policy_report(namespace: str, members: list[ObjectFinding]) -> Document:
    results = [_RESULT[found.finding.severity] for found in members]
    report: Document = {
        "apiVersion": "wgpolicyk8s.io/v1alpha2",
        "kind": "PolicyReport" if namespace else "ClusterPolicyReport",
        "metadata": {"name": "lawflow", "labels": {"app.kubernetes.io/managed-by": "lawflow"}},
        "summary": {name: results.count(name) for name in ("pass", "fail", "warn", "error", "skip")},
        "results": [
            {
                "source": "lawflow",
                "policy": "lawflow",
                "rule": found.finding.rule,
                "category": found.finding.article,
                "severity": _REPORT_SEVERITY[found.finding.severity],
                "result": _RESULT[found.finding.severity],
                "scored": found.finding.severity is not Severity.INFO,
                "message": found.finding.message,
                "resources": [_resource(found)],
                "properties": {"path": found.finding.path, "fix": found.finding.fix},
            }
            for found in members
        ],
    }
    if namespace:
        report["metadata"]["namespace"] = namespace
    return report


def _resource(found: ObjectFinding) -> Document:
    resource = {"apiVersion": found.api_version, "kind": found.kind, "name": found.name}
    return {**resource, "namespace": found.namespace} if found.namespace else resource


def _sarif_rule(text: RuleText) -> Document:
    rule: Document = {
        "id": text.id,
        "shortDescription": {"text": text.summary},
        "help": {"text": text.reason or text.summary},
        "defaultConfiguration": {"level": _LEVEL[text.severity]},
        "properties": {"tags": ["gdpr" if text.reference else "house", f"article {text.article}"]},
    }
    if text.reference:
        rule["helpUri"] = text.reference
    return rule


def _uri(file: str) -> str:
    path = PurePosixPath(file)
    return path.as_uri() if path.is_absolute() else quote("stdin" if file == "<stdin>" else file)


def _qualified(found: ObjectFinding) -> str:
    return "/".join(part for part in (found.kind, found.namespace, found.name) if part)


def _fingerprint(found: ObjectFinding) -> str:
    """What stays the same while lines move, so that a host recognises a finding that it has shown already."""
    parts: Iterable[str] = (found.finding.rule, _qualified(found), found.finding.path, found.finding.message)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
