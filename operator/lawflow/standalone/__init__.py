"""Lawflow on one host: a folder of manifests, the engine of the cluster, and real Envoy processes."""
