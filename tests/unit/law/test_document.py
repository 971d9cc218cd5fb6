"""The page of rules is made from the rules."""

import re

import pytest
import yaml

from lawflow.law import RULES
from lawflow.law.document import catalogue_page

pytestmark = pytest.mark.unit


def test_every_rule_has_an_entry() -> None:
    assert re.findall(r"^### (.+)$", catalogue_page(), re.MULTILINE) == list(RULES)


def test_every_example_on_the_page_is_yaml() -> None:
    examples = re.findall(r"```yaml\n(.*?)```", catalogue_page(), re.DOTALL)
    assert len(examples) >= len(RULES)
    assert all(isinstance(yaml.safe_load(example), dict) for example in examples)
