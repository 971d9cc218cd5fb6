"""The admission server: a thin shell over :mod:`lawflow.law` and :mod:`lawflow.inject`."""
