"""Envoy's configuration from resolved flows: pure, in Envoy's JSON form, one Envoy concept a module.

:mod:`lawflow.mesh.sidecar` turns flows into what one sidecar has to do; :mod:`lawflow.mesh.resources` turns that into
the resources that xDS serves; :mod:`lawflow.mesh.bootstrap` is the static part that a sidecar starts with.
"""
