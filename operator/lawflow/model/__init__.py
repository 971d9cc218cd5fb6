"""The custom resources as types: the one source of ``crds/``, of the API reference and of every parsed object.

Each kind has a module; :mod:`lawflow.model.kinds` lists them, :mod:`lawflow.model.parse` turns a plain object into a
type or into errors with a path, and :mod:`lawflow.model.schema` turns a type into a CustomResourceDefinition.
"""
