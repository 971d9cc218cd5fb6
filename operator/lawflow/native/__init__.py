"""What is built from ``sidecar/`` and loaded by other programs: the module for Envoy. No Python in here."""
