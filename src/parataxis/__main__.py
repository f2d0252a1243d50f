"""`python -m parataxis`: the same as the command `parataxis`."""

from parataxis.cli import main

if __name__ == "__main__":
    main()
