"""Lawflow on one host without a cluster: ``lawflow up`` and ``lawflow demo``."""
