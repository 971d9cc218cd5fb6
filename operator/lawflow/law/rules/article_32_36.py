"""Articles 32 to 36: security, breaches, impact assessments."""

from lawflow.law.examples import HEALTH, changed
from lawflow.law.kinds import DATASET, FLOW
from lawflow.law.parts import DatasetFacts
from lawflow.law.rule import WARN, Outcome, fault, rule
from lawflow.law.situation import Situation

_ASSESSED = {"impactAssessment": {"reference": "DPIA-9", "date": "2026-05-01", "residualRisk": "low"}}


@rule(
    "GDPR-32-plaintext",
    article="32(1)(a)",
    per=FLOW,
    path=".security.minimumTlsVersion",
    message="the path to {recipient} is declared to allow plaintext",
    fix='declare security.minimumTlsVersion: "1.3" (or "1.2")',
    failing={"security.minimumTlsVersion": "none"},
)
def plaintext(flow: Situation) -> Outcome:
    """Personal data on the wire are encrypted; plaintext has been no state of the art for a long time."""
    return flow.spec.security.minimum_tls_version == "none"


@rule(
    "GDPR-32-tls-outdated",
    article="32(1)",
    severity=WARN,
    per=FLOW,
    path=".security.minimumTlsVersion",
    message="the path to {recipient} is declared to allow TLS {version}",
    fix='declare security.minimumTlsVersion: "1.3" (or "1.2")',
    failing={"security.minimumTlsVersion": "1.1"},
)
def tls_outdated(flow: Situation) -> Outcome:
    """TLS 1.0 and 1.1 are deprecated (RFC 8996), and so below the state of the art."""
    version = flow.spec.security.minimum_tls_version
    return fault(version=version) if version in ("1.0", "1.1") else False


@rule(
    "GDPR-32-recipient-storage-unencrypted",
    article="32(1)(a)",
    severity=WARN,
    per=FLOW,
    path=".security.encryptionAtRest",
    message="whether {recipient} stores the data encrypted is not declared, or declared not to be so",
    fix="ask the recipient and declare security.encryptionAtRest: true",
    failing={"security.encryptionAtRest": None},
)
def recipient_unencrypted(flow: Situation) -> Outcome:
    """Encryption is the first measure that Article 32 names."""
    return flow.spec.security.encryption_at_rest is not True


@rule(
    "GDPR-32-dataset-unencrypted",
    article="32(1)(a)",
    severity=WARN,
    per=DATASET,
    repairable=True,
    message="dataset {dataset} is not declared to be encrypted at rest",
    fix="encrypt it and declare spec.encryptionAtRest: true on the dataset",
    failing={"Dataset.encryptionAtRest": False},
)
def dataset_unencrypted(dataset: DatasetFacts) -> Outcome:
    """Encryption is the first measure that Article 32 names."""
    return dataset.spec.encryption_at_rest is not True


@rule(
    "GDPR-32-1-d-test-missing",
    article="32(1)(d)",
    severity=WARN,
    per=FLOW,
    path=".security.lastTested",
    message="when the security measures were last tested is not declared",
    fix="test them and declare security.lastTested",
    failing={"security.lastTested": None},
)
def test_missing(flow: Situation) -> Outcome:
    """Measures are tested regularly; a drill counts."""
    return flow.spec.security.last_tested is None


@rule(
    "GDPR-32-1-d-test-old",
    article="32(1)(d)",
    severity=WARN,
    per=FLOW,
    path=".security.lastTested",
    message="the last test of the security measures lies more than {interval} back",
    fix="test them again and declare the new day under security.lastTested",
    failing={"security.lastTested": "2025-06-30"},
)
def test_old(flow: Situation) -> Outcome:
    """How often is a matter of risk; the interval is a setting of the legal data (settings.securityTestInterval)."""
    tested, interval = flow.spec.security.last_tested, flow.legal.settings.security_test_interval
    return fault(interval=interval) if tested is not None and flow.older(tested, interval) else False


@rule(
    "GDPR-33-breach-contact-missing",
    article="33(1)",
    severity=WARN,
    per=FLOW,
    path=".controllerRef",
    repairable=True,
    message="the DataController declares no contact for breaches; the authority is to be told within {hours} hours",
    fix="declare spec.breachContact on the DataController",
    failing={"DataController.breachContact": None},
)
def breach_contact_missing(flow: Situation) -> Outcome:
    """The clock starts when somebody becomes aware; who that is should not be found out then."""
    if flow.controller is None or flow.controller.breach_contact is not None:
        return False
    return fault(hours=flow.legal.settings.breach_notification_hours)


@rule(
    "GDPR-35-assessment-missing",
    article="35(3)",
    per=FLOW,
    path=".impactAssessment",
    message="no data protection impact assessment is declared for {reason}",
    fix="make one and declare spec.impactAssessment.reference, or declare impactAssessment.exemption (35(5), 35(10))",
    passing=changed(HEALTH, {"subjects.scale": "large"}, _ASSESSED),
    failing=changed(HEALTH, {"subjects.scale": "large"}),
)
def assessment_missing(flow: Situation) -> Outcome:
    """Article 35(3), and the national lists under 35(4), name processing that needs an assessment first."""
    return fault(reason=reason) if not _assessed(flow) and (reason := _mandatory(flow)) else False


@rule(
    "GDPR-35-assessment-advisable",
    article="35(1)",
    severity=WARN,
    per=FLOW,
    path=".impactAssessment",
    message="two or more criteria of WP248 are met ({criteria}), but no impact assessment is declared",
    fix="make one and declare spec.impactAssessment.reference, or declare impactAssessment.exemption",
    passing={"risk": {"profiling": True, "matching": True}, **_ASSESSED},
    failing={"risk": {"profiling": True, "matching": True}},
)
def assessment_advisable(flow: Situation) -> Outcome:
    """Processing that meets two of the nine criteria mostly needs an assessment (WP248 rev.01)."""
    if _assessed(flow) or _mandatory(flow):
        return False
    criteria = _criteria(flow)
    return fault(criteria=", ".join(criteria)) if len(criteria) > 1 else False


@rule(
    "GDPR-36-consultation-missing",
    article="36(1)",
    per=FLOW,
    path=".impactAssessment.priorConsultation",
    message="the impact assessment leaves a high risk, but no prior consultation is declared",
    fix="consult the supervisory authority and declare impactAssessment.priorConsultation, or lower the risk",
    passing=_ASSESSED,
    failing={**_ASSESSED, "impactAssessment.residualRisk": "high"},
)
def consultation_missing(flow: Situation) -> Outcome:
    """Where the risk stays high, the authority is consulted before processing starts."""
    assessment = flow.spec.impact_assessment
    return assessment is not None and assessment.residual_risk == "high" and assessment.prior_consultation is None


def _assessed(flow: Situation) -> bool:
    assessment = flow.spec.impact_assessment
    return assessment is not None and (assessment.reference is not None or assessment.exemption is not None)


def _mandatory(flow: Situation) -> str:
    risk = flow.spec.risk
    if (flow.special or flow.criminal) and flow.spec.subjects.scale == "large":
        return "special or criminal data on a large scale"
    if risk.systematic_evaluation:
        return "systematic and extensive automated evaluation"
    if risk.public_monitoring:
        return "systematic monitoring of a public area"
    return "processing on a national list under 35(4)" if risk.national_list is not None else ""


def _criteria(flow: Situation) -> list[str]:
    """The criteria of WP248 rev.01, chapter III.B.a, that the flow meets."""
    risk = flow.spec.risk
    vulnerable = risk.vulnerable_subjects or risk.employment_monitoring or flow.children
    if not vulnerable:
        vulnerable = any(flow.concerns(subject) for subject in ("dpv:VulnerableHuman", "dpv:Patient", "dpv:Employee"))
    met = {
        "evaluation or scoring": risk.profiling,
        "automated decisions": flow.spec.automated_decision is not None,
        "systematic monitoring": risk.systematic_monitoring or risk.employment_monitoring,
        "sensitive data": bool(flow.special or flow.criminal),
        "large scale": flow.spec.subjects.scale == "large",
        "matching of datasets": risk.matching,
        "vulnerable subjects": vulnerable,
        "innovative technology": risk.innovative_technology,
        "keeps from a right or service": risk.prevents_right,
    }
    return [name for name, holds in met.items() if holds]


RULES = (
    plaintext, tls_outdated, recipient_unencrypted, dataset_unencrypted, test_missing, test_old,
    breach_contact_missing, assessment_missing, assessment_advisable, consultation_missing,
)  # fmt: skip
