"""`python -m parataxis`: the same as the command `parataxis`."""

import sys

from parataxis.cli import main

if __name__ == "__main__":
    sys.exit(main())
