"""Many audits of systems whose truth is known, in a process without shape checks: prints a row an audit as JSON.

    python simulate.py AUDITS BUDGET ITEMS LOW HIGH [per-item]

The outcome is true with probability LOW, or HIGH where item 5 comes before item 2. With LOW = HIGH the order does not
matter. With per-item, every item's outcome is drawn so, and only that of item 2 ever with HIGH.
"""

import json
import random
import sys

from parataxis.audit import audit


def simulate(audits, budget, n, low, high, per_item):
    for seed in range(audits):
        chance = random.Random(f"{low}/{high}/{seed}")

        def whole(items, chance=chance):
            hit = {2, 5} <= set(items) and items.index(5) < items.index(2)
            return chance.random() < (high if hit else low)

        def each(items, chance=chance, whole=whole):
            return [whole(items) if item == 2 else chance.random() < low for item in items]

        found = audit(each if per_item else whole, range(n), budget=budget, seed=seed, per_item=per_item)
        witness = found.witness
        yield {
            "verdict": found.verdict.value,
            "calls": found.calls,
            "base": list(witness.base) if witness else None,
            "minimal": witness.minimal if witness else None,
            "found": [each.place for each in found.items if each.found],
        }


if __name__ == "__main__":
    audits, budget, n = map(int, sys.argv[1:4])
    low, high = map(float, sys.argv[4:6])
    print(json.dumps(list(simulate(audits, budget, n, low, high, "per-item" in sys.argv))))
