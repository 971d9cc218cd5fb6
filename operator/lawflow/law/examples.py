"""Changes to the example flow that several rules start from."""

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
    """Several changes as one, the later ones last."""
    return {path: value for patch in patches for path, value in patch.items()}
