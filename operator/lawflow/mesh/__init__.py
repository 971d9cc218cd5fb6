"""Resolved flows in, Envoy resources out. Pure."""
