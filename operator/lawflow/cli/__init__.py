"""The command ``lawflow``, also ``kubectl lawflow``."""
