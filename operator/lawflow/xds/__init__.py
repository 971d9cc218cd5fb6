"""Serves :mod:`lawflow.mesh` snapshots to sidecars over ADS."""
