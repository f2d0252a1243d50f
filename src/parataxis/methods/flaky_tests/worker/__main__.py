"""Entry: `python worker FOLDER` serves a hunt, `python worker FILE` is one order in a fresh interpreter."""

if __name__ == "__main__":  # not when a test's own multiprocessing imports this file again
    import os
    import sys

    from _parataxis_worker import main

    main(os.path.dirname(os.path.abspath(__file__)), sys.argv[1])
