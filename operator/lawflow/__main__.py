"""``python -m lawflow``."""

import sys

from lawflow.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
