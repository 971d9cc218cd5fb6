"""Changes to the example flow that several rules start from."""

from typing import Any

from lawflow.law.rule import Patch

_BASIS = "purposes[0].lawfulBasis"

CONSENT: Patch = {
    "purposes[0]": {
        "purpose": "dpv:DirectMarketing",
        "lawfulBasis": {"article6": "A6-1-a", "consentPolicyRef": {"name": "newsletter"}},
    },
}

LEGAL_OBLIGATION: Patch = {
    _BASIS: {"article6": "A6-1-c", "legalObligation": {"citation": "§ 147 AO", "jurisdiction": "DE"}}
}

VITAL_INTEREST: Patch = {
    _BASIS: {"article6": "A6-1-d", "vitalInterest": {"description": "an unconscious patient in the emergency room"}}
}

PUBLIC_TASK: Patch = {
    _BASIS: {
        "article6": "A6-1-e",
        "publicTask": {"task": "collecting a levy", "law": {"citation": "§ 3 AO", "jurisdiction": "DE"}},
    }
}

LEGITIMATE_INTEREST: Patch = {
    _BASIS: {
        "article6": "A6-1-f",
        "legitimateInterest": {
            "interest": "preventing payment fraud",
            "necessity": "no check works without the identifier",
            "balancingTest": {"reference": "LIA-4", "date": "2026-01-15", "validUntil": "2027-01-15"},
            "objectionRoute": "https://acme.example/object",
        },
    }
}


def changed(*patches: Patch) -> Patch:
    """Several changes as one, applied in order."""
    result: dict[str, Any] = {}
    for patch in patches:
        for path, value in patch.items():
            result.pop(path, None)  # What is changed again takes its new place in the order.
            result[path] = value
    return result


HEALTH: Patch = {
    "operations[0].request.fields[0]": {
        "pointer": "/diagnosis",
        "category": "pd:HealthRecord",
        "necessity": "choose the treatment",
        "protect": "encrypt",
    },
    "purposes[0].lawfulBasis.article9": [
        {
            "condition": "A9-2-h",
            "law": {"citation": "§ 22 BDSG", "jurisdiction": "DE"},
            "professionalSecrecy": {"profession": "physicians"},
            "nationalConditions": "§ 22(2) BDSG checked",
        }
    ],
}
"""Data about health, under Article 9(2)(h)."""

CRIMINAL: Patch = {
    "operations[0].request.fields[0].category": "pd:CriminalConviction",
    "purposes[0].lawfulBasis.article10": {"law": {"citation": "§ 30 BZRG", "jurisdiction": "DE"}},
}

SUB_PROCESSOR: Patch = {
    "source.role": "processor",
    "source.processor": {
        "controllers": [{"name": "acme"}],
        "instructions": {"reference": "DPA-3, annex 1", "validUntil": "2027-01-01"},
        "subProcessorAuthorisation": {"kind": "general", "reference": "DPA-3, section 7"},
        "breachNotification": "https://acme.example/breach",
    },
}
"""The source is a processor, the destination its sub-processor."""

TO_CONTROLLER: Patch = {
    "destination.role": "controller",
    "destination.agreement": None,
    "destination.ownBasis": {"article6": "A6-1-c"},
}

CLAUSES: Patch = {
    "destination.external.country": "IN",
    "transfers": [
        {
            "tool": "A46-2-c",
            "reference": "SCC-12",
            "sccModule": "controllerToProcessor",
            "impactAssessment": {"reference": "TIA-12", "date": "2026-02-01", "validUntil": "2027-02-01"},
        }
    ],
}
"""A transfer under standard contractual clauses."""

ADEQUACY: Patch = {
    "destination.external.country": "US",
    "transfers": [
        {"tool": "A45-3", "adequacy": {"certification": "DPF-1234", "certificationValidUntil": "2027-01-01"}}
    ],
}
"""A transfer to a recipient that is certified under an adequacy decision."""

DEROGATION: Patch = {
    "destination.external.country": "IN",
    "transfers": [
        {
            "tool": "A49-1-b",
            "derogation": {"evidence": "a single hotel booking that the customer asked for"},
        }
    ],
}
