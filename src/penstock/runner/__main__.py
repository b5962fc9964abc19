"""`python3 -m penstock.runner JOBDIR` does what `python3 runner.pyz JOBDIR` does."""

import sys

from .main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
