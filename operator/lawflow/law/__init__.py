"""The law as rules: a flow and the objects around it in, findings out. Pure; ``today`` is a parameter.

``evaluate`` judges a flow, ``assess`` adds the day of the next review, ``RULES`` is the table of all rules by id.
"""

from lawflow.law.catalogue import RULES
from lawflow.law.context import Context
from lawflow.law.engine import Assessment, assess, evaluate, next_review
from lawflow.law.legal import LegalData, LegalDataError, default_legal_data, load_legal_data
from lawflow.law.rule import Rule
from lawflow.law.verdict import beyond_repair, lawful
from lawflow.law.workload import evaluate_workload

__all__ = [
    "RULES",
    "Assessment",
    "Context",
    "LegalData",
    "LegalDataError",
    "Rule",
    "assess",
    "beyond_repair",
    "default_legal_data",
    "evaluate",
    "evaluate_workload",
    "lawful",
    "load_legal_data",
    "next_review",
]
