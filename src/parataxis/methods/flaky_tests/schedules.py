"""Orders in which to run a suite. Each is a pure function of the seed and the node ids, on any machine.

A shuffle sorts by a keyed hash of the names, so that neither the order of collection nor another test's presence
changes how two tests stand to each other.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Literal

from parataxis.audit.orders import tuscan

Level = Literal["global", "module", "class", "nested"]
LEVELS: tuple[Level, ...] = ("class", "module", "global", "nested")
TUSCAN_LIMIT = 100  # tests or groups; Tuscan squares need as many orders as they have rows


def module_of(nodeid: str) -> str:
    return nodeid.split("::", 1)[0]


def class_of(nodeid: str) -> str:
    """File and class; the functions of a file outside any class are one group."""
    return nodeid.split("[", 1)[0].rpartition("::")[0]


def shuffle(ids: Sequence[str], seed: int, index: int, level: Level = "class") -> tuple[int, ...]:
    """The `index`-th shuffle of `ids`, as places in `ids`.

    global: all tests; module, class: the groups, and the tests within each; nested: files, classes within a file, tests
    within a class.
    """
    key = partial(_key, f"{seed}/{index}")
    outer: dict[Level, Callable[[str], tuple[bytes, ...]]] = {
        "global": lambda nodeid: (),
        "module": lambda nodeid: (key(module_of(nodeid)),),
        "class": lambda nodeid: (key(class_of(nodeid)),),
        "nested": lambda nodeid: (key(module_of(nodeid)), key(class_of(nodeid))),
    }
    return tuple(
        place for place, nodeid in sorted(_named(ids), key=lambda item: (*outer[level](item[1]), key(item[1])))
    )


def _key(of: str, text: str) -> bytes:
    return hashlib.sha256(f"{of}/{text}".encode()).digest()


def _named(ids: Sequence[str]) -> list[tuple[int, str]]:
    """Each place with a name of its own: equal ids are told apart by how many came before."""
    seen: dict[str, int] = defaultdict(int)
    named = []
    for place, nodeid in enumerate(ids):
        named.append((place, f"{nodeid}\0{seen[nodeid]}" if seen[nodeid] else nodeid))
        seen[nodeid] += 1
    return named


def reverse(ids: Sequence[str]) -> tuple[int, ...]:
    """File order backwards: with file order itself, every pair of tests has stood both ways round."""
    return tuple(range(len(ids)))[::-1]


def tuscan_rows(ids: Sequence[str], seed: int) -> Iterator[tuple[int, ...]]:
    """Orders in which every test, or every group of tests, directly follows every other once, and is first once.

    Under 100 tests: a Tuscan square over all of them. Above: over the classes, or if they are 100 or more over the
    files, with a Tuscan square or, in large groups, shuffles within. None if there is one file, or too many.
    """
    names = dict(_named(ids))
    if len(ids) < TUSCAN_LIMIT:
        ranked = sorted(names, key=names.__getitem__)
        yield from (tuple(ranked[i] for i in row) for row in tuscan(len(ids)).orders)
        return
    for group_of in (class_of, module_of):
        groups: dict[str, list[int]] = defaultdict(list)
        for place in sorted(names, key=names.__getitem__):
            groups[group_of(ids[place])].append(place)
        if 1 < len(groups) < TUSCAN_LIMIT:
            yield from _grouped(ids, [groups[name] for name in sorted(groups)], seed)
            return


def _grouped(ids: Sequence[str], groups: list[list[int]], seed: int) -> Iterator[tuple[int, ...]]:
    squares = {len(group): tuscan(len(group)).orders for group in groups if len(group) < TUSCAN_LIMIT}
    for index, row in enumerate(tuscan(len(groups)).orders):
        order: list[int] = []
        for place in row:
            group = groups[place]
            if len(group) in squares:
                square = squares[len(group)]
                order += [group[i] for i in square[index % len(square)]]
            else:
                order += [group[i] for i in shuffle([ids[place] for place in group], seed, index, "global")]
        yield tuple(order)


def keep_declared(order: Sequence[int], declared: Sequence[int]) -> tuple[int, ...]:
    """The same order, but the tests whose order the suite declares by a marker stand as the suite has them."""
    marked = set(declared)
    in_turn = iter(sorted(declared))
    return tuple(next(in_turn) if place in marked else place for place in order)
