"""Seconds that the commands take which should load nothing heavy: the design promises less than 0.5 s.

Run it alone: `python benchmarks/import_time.py`.
"""

import subprocess
import sys
import time
from pathlib import Path

ROUNDS = 7
PROMISED = 0.5  # seconds
PARATAXIS = Path(sys.executable).with_name("parataxis")
COMMANDS = {
    "import parataxis": [sys.executable, "-c", "import parataxis"],
    "parataxis --help": [PARATAXIS, "--help"],
    "parataxis papers": [PARATAXIS, "papers"],
}


def seconds(argv: list[str | Path]) -> float:
    """The least of some rounds: what others do on the machine only adds."""
    spent = []
    for _ in range(ROUNDS + 1):  # the first fills the disk's cache
        begun = time.perf_counter()
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
        spent.append(time.perf_counter() - begun)
    return min(spent[1:])


if __name__ == "__main__":
    bare = seconds([sys.executable, "-c", "pass"])
    print(f"{'python -c pass':18} {bare:.3f} s")
    for name, argv in COMMANDS.items():
        taken = seconds(argv)
        print(f"{name:18} {taken:.3f} s, {taken / PROMISED:.2f} of the promised {PROMISED} s")
