"""Lawflow makes machine-to-machine data flows comply with the GDPR, and proves it."""

__version__ = "0.1.0"
