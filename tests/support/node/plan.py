"""What the first process of a node is told: where its files are, what to run, and when each program counts as there."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

ADDRESS = "192.0.2.1"
"""The node's address, in a network namespace that leads nowhere (RFC 5737 keeps the range for documentation)."""
ADDRESS_V6 = "2001:db8::1"
"""The same in IPv6 (RFC 3849)."""
NAME = "node"


@dataclass(frozen=True)
class Component:
    """A program that runs as long as the node does."""

    name: str
    command: list[str]
    ready: str = ""
    """Where it answers once it is there: an http or https URL that gives 200, ``tcp:HOST:PORT`` or ``unix:PATH``."""
    restarts: bool = False
    """Whether it is started again when it ends, as by a service manager; else the node ends with it."""


@dataclass(frozen=True)
class Plan:
    """All that the first process needs to know."""

    directory: Path
    """The node's files; removed with the node."""
    authority: Path
    """Signed the certificates of components that answer https."""
    path: str
    """PATH of the components."""
    port: int
    """Of the API server, inside the node and on this host's loopback address alike."""
    components: list[Component]

    def write(self, file: Path) -> None:
        """Writes it as JSON."""
        file.write_text(json.dumps(dataclasses.asdict(self), default=str), encoding="utf-8")

    @classmethod
    def read(cls, file: Path) -> "Plan":
        """Reads what ``write`` wrote."""
        found = json.loads(file.read_text(encoding="utf-8"))
        components = [Component(**each) for each in found.pop("components")]
        directory, authority = Path(found.pop("directory")), Path(found.pop("authority"))
        return cls(directory=directory, authority=authority, components=components, **found)
