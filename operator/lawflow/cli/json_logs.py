"""Structured logs of the server commands, one JSON object a line on standard error."""

import logging
import sys

from pythonjsonlogger.json import JsonFormatter


def log_as_json() -> None:
    """Send what every module logs from INFO up to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
