"""What a rule is: an id, an article, a check, the words for people, and two examples that are run as tests."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, Protocol, TypeVar

from lawflow.model.status import Finding, Severity

Patch = Mapping[str, Any]
"""An example: changes to the lawful example flow and its objects, by field path (see ``example.py``)."""

Scope = Literal["in", "out", "any"]
"""Flows that a rule concerns: those in the scope of the GDPR, those declared out of it, or any."""

WARN = Severity.WARN


class Element(Protocol):
    """A part of a flow that rules speak of: where it stands, what it is called, and which rules concern it."""

    @property
    def path(self) -> str:
        """Path of the field, e.g. ``.spec.purposes[0]``."""

    @property
    def names(self) -> Mapping[str, Any]:
        """Names that messages and fixes may use."""

    @property
    def facets(self) -> tuple[str, ...]:
        """Keys under which rules are looked up: always ``""``, then e.g. the letter of the basis."""


E = TypeVar("E", bound=Element)


@dataclass(frozen=True)
class Fault:
    """A check that failed at another place than the rule's own, or with more to say."""

    path: str | None = None
    names: Mapping[str, Any] = field(default_factory=dict)
    severity: Severity | None = None


def fault(path: str | None = None, severity: Severity | None = None, **names: Any) -> Fault:
    """A failed check at ``path`` (relative to the element), with names for the message."""
    return Fault(path, names, severity)


Outcome = Fault | bool
"""``False`` where the rule is met; ``True`` or a Fault where it is not."""


@dataclass(frozen=True)
class Part(Generic[E]):
    """A kind of element, e.g. the purposes of a flow; ``of`` finds them in a situation."""

    name: str
    of: Callable[[Any], Iterable[E]]


@dataclass(frozen=True, eq=False)
class Rule:
    """One rule. ``check`` says whether an element of the kind ``per`` fails it; the docstring says why it exists."""

    id: str
    article: str
    severity: Severity
    per: Part[Any]
    when: str
    scope: Scope
    path: str
    message: str
    fix: str
    repairable: bool
    """Whether other objects, or edits of them, could repair what this rule finds."""
    passing: Patch
    failing: Patch
    check: Callable[[Any], Outcome]

    @property
    def reason(self) -> str:
        """Why the rule exists, in a sentence or two."""
        return " ".join((self.check.__doc__ or "").split())

    @property
    def house(self) -> bool:
        """Whether the rule is Lawflow's own and not a sentence of the law."""
        return self.article == "house"

    @property
    def reference(self) -> str:
        """Address of the official text of the article; empty for house rules."""
        return "" if self.house else official_text(self.article)

    def finding(self, element: Element, outcome: Outcome) -> Finding:
        """What to tell of an element that fails."""
        found = outcome if isinstance(outcome, Fault) else _PLAIN
        names = {**element.names, **found.names}
        path = element.path + (self.path if found.path is None else found.path)
        return Finding.model_construct(
            rule=self.id,
            article=self.article,
            severity=found.severity or self.severity,
            path=path,
            message=self.message.format_map(names),
            fix=self.fix.format_map(names),
        )


_PLAIN = Fault()

Check = Callable[[E], Outcome]


def rule(
    id: str,
    *,
    article: str,
    per: Part[E],
    message: str,
    fix: str,
    failing: Patch,
    passing: Patch | None = None,
    severity: Severity = Severity.DENY,
    when: str = "",
    scope: Scope = "in",
    path: str = "",
    repairable: bool = False,
) -> Callable[[Check[E]], Rule]:
    """Make a rule of a check; ``passing`` is the lawful example itself unless it is given."""

    def of(check: Check[E]) -> Rule:
        return Rule(
            id, article, severity, per, when, scope, path, message, fix, repairable, passing or {}, failing, check
        )

    return of


def official_text(article: str) -> str:
    """Address of an article of Regulation (EU) 2016/679 at EUR-Lex, e.g. for ``6(1)(f)`` that of Article 6."""
    number = "".join(character for character in article.split("(")[0] if character.isdigit())
    return f"https://eur-lex.europa.eu/eli/reg/2016/679/oj/eng#art_{number}"
