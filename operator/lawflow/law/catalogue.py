"""The table of contents: every rule, in the order in which findings of equal weight are told."""

from collections.abc import Mapping
from types import MappingProxyType

from lawflow.law.rule import Rule
from lawflow.law.rules import (
    article_02,
    article_05,
    article_06,
    article_07_08,
    article_09,
    article_10,
    article_12_22,
    article_26_28,
    article_30,
    article_32_36,
    article_45,
    article_49,
    chapter_5,
    house,
    sidecar,
    workload,
)

CHAPTERS: tuple[tuple[str, tuple[Rule, ...]], ...] = (
    ("Lawfulness of processing (Article 6)", article_06.RULES),
    ("Consent (Articles 7 and 8)", article_07_08.RULES),
    ("Special categories (Article 9)", article_09.RULES),
    ("Criminal convictions and offences (Article 10)", article_10.RULES),
    ("Principles (Article 5)", article_05.RULES),
    ("Controllers and processors (Articles 26 to 28)", article_26_28.RULES),
    ("Transfers to third countries (Articles 44 and 46)", chapter_5.RULES),
    ("Adequacy (Article 45)", article_45.RULES),
    ("Derogations (Article 49)", article_49.RULES),
    ("Rights and automated decisions (Articles 12 to 22)", article_12_22.RULES),
    ("Security, breaches and impact assessments (Articles 32 to 36)", article_32_36.RULES),
    ("Records of processing (Article 30)", article_30.RULES),
    ("Outside the scope (Article 2)", article_02.RULES),
    ("Rules of Lawflow's own", house.RULES),
    ("Rules of Lawflow's own about what sidecars can apply", sidecar.RULES),
    ("Rules of Lawflow's own about workloads", workload.RULES),
)

RULES: Mapping[str, Rule] = MappingProxyType({rule.id: rule for _, rules in CHAPTERS for rule in rules})
"""All rules by id."""
