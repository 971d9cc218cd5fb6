"""What Ctrl-C sends, for processes that are to hear it."""

import signal


def heard() -> None:
    """For a child's ``preexec_fn``: a shell's background jobs ignore SIGINT, and so would all that they start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
