"""The long runs that `make soak` asks for: a hundred thousand reviews, and a minute of rotations under load.

They are tests with their own bounds (marker ``soak``); what they measured is kept here.
"""

import subprocess
import sys


def main() -> int:
    """Run them and print their figures; the exit code is theirs."""
    command = [sys.executable, "-m", "pytest", "-m", "soak", "--quiet", "--override-ini=timeout=1800"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    for line in done.stdout.splitlines():
        print(line, file=sys.stdout if line.startswith("{") else sys.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
