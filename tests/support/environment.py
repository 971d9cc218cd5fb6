"""What a test hands on of its own process's environment."""

import os


def without(*prefixes: str) -> dict[str, str]:
    """The variables of this process whose names begin with none of these: what would steer a command elsewhere."""
    return {name: text for name, text in os.environ.items() if not name.startswith(prefixes)}
