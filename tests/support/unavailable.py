"""The one way in which a test tier says that it cannot run on this machine."""


class UnavailableError(Exception):
    """Something a tier stands on cannot be had here; the message is the reason a reader of the test report sees.

    It is no failure: a tier that raises it is skipped aloud, except in CI, where every tier has to run.
    """
