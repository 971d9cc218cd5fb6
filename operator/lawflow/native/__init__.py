"""What is built from ``sidecar/``: the module for Envoy, and the minimizer for Python. No Python in here."""
