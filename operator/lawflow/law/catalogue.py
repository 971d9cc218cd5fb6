"""The table of contents: every rule, in the order in which findings of equal weight are told."""

from collections.abc import Mapping
from types import MappingProxyType

from lawflow.law.rule import Rule
from lawflow.law.rules import article_06

CHAPTERS: tuple[tuple[str, tuple[Rule, ...]], ...] = (("Lawfulness of processing (Article 6)", article_06.RULES),)

RULES: Mapping[str, Rule] = MappingProxyType({rule.id: rule for _, rules in CHAPTERS for rule in rules})
"""All rules by id."""
