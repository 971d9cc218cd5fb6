"""Kopf handlers that reconcile the custom resources, one module a kind."""
