"""`python -m gaussiantalker` is the command line, too."""

import sys

from gaussiantalker.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
