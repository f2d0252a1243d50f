"""Entry: `python worker` is the supervisor, `python worker FILE` one order in a fresh interpreter (_parataxis_worker)."""

if __name__ == "__main__":  # not when a test's own multiprocessing imports this file again
    import os
    import sys

    from _parataxis_worker import main

    sys.path[0] = os.getcwd()  # as `python -m pytest` does; this folder's modules are found no more
    main(os.path.dirname(os.path.abspath(__file__)), sys.argv[1:])
