"""`python -m gleitzeit` is the command `gleitzeit`."""

import sys

from gleitzeit.cli import main

if __name__ == "__main__":
    sys.exit(main())
