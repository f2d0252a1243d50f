"""LEGO: chains of variables, each set by the one before it; skill s asks for the variable s steps from the root.

A sentence is a number: the digits of its code, in mixed radix, are its names, bits and the order of its clauses. So
distinct sentences are distinct numbers, and how many there are is known beforehand.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import factorial, perm

import numpy as np
from jaxtyping import Int

from parataxis.errors import BadInput

ALPHABET = "abcdefghijklmnopqrstuvwxyz"
AUTHORS_GRAPH = (  # rows: trained on
    (1.0, 0.0, 0.0, 0.0, 0.0),
    (0.5, 1.0, 0.5, 0.5, 0.0),
    (0.0, 0.0, 1.0, 0.0, 0.0),
    (0.0, 0.0, 0.0, 1.0, 0.0),
    (0.0, 0.0, 0.0, 0.0, 1.0),
)
RANDOM = (1, 1, 1, 3, 5)  # the authors' "random" mixture, which is skewed
VAL, COPY, NOT = range(3)  # a bit is given; the other's bit; its opposite


def chain(k: int) -> tuple[int, ...]:
    """The parent of each variable; -1 for one whose bit is given."""
    return tuple(range(-1, k - 1))


def two_chains(k: int) -> tuple[int, ...]:
    return tuple(at - 2 if at > 1 else -1 for at in range(k))


def binary_tree(k: int) -> tuple[int, ...]:
    return tuple((at - 1) // 2 for at in range(k))


@dataclass(frozen=True)
class Sentences:
    """names, bits: of each variable. order: which variable's clause stands at each place. parents: of each variable."""

    names: Int[np.ndarray, "sentence variable"]
    bits: Int[np.ndarray, "sentence variable"]
    order: Int[np.ndarray, "sentence variable"]
    parents: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def operators(self) -> Int[np.ndarray, "sentence variable"]:
        """VAL, COPY or NOT: how each variable is set."""
        found = np.full(self.bits.shape, VAL, np.int8)
        for at, parent in enumerate(self.parents):
            if parent >= 0:
                found[:, at] = np.where(self.bits[:, at] == self.bits[:, parent], COPY, NOT)
        return found

    def texts(self, asked: Int[np.ndarray, " sentence"], alphabet: str = ALPHABET) -> list[str]:
        """`Input: b = not a , a = val 1. Output: b = val 0`."""
        operators, found = self.operators, []
        for row, skill in enumerate(asked.tolist()):
            clauses = [self._clause(row, at, int(operators[row, at]), alphabet) for at in self.order[row].tolist()]
            said = f"{alphabet[self.names[row, skill]]} = val {self.bits[row, skill]}"
            found.append(f"Input: {' , '.join(clauses)}. Output: {said}")
        return found

    def _clause(self, row: int, at: int, operator: int, alphabet: str) -> str:
        left = alphabet[self.names[row, at]]
        if operator == VAL:
            return f"{left} = val {self.bits[row, at]}"
        return f"{left} = {'val' if operator == COPY else 'not'} {alphabet[self.names[row, self.parents[at]]]}"


def space(parents: Sequence[int], names: int) -> int:
    """How many different sentences there are."""
    k = len(parents)
    return perm(names, k) * 2**k * factorial(k)


def sentences(
    n: int, rng: np.random.Generator, parents: Sequence[int] = chain(5), names: int = len(ALPHABET)
) -> Sentences:
    """n different sentences, every one as likely. BadInput where there are not so many."""
    k = len(parents)
    if not 1 <= k <= names <= len(ALPHABET):
        raise BadInput(f"names={names}: expected from {k}, the number of variables, to {len(ALPHABET)}")
    there = space(parents, names)
    if n > there:
        raise BadInput(
            f"n={n}: there are but {there} different sentences of {k} variables with {names} names; ask for fewer"
        )
    if there >= 2**63:
        raise BadInput(f"variables={k}, names={names}: more than 2**63 sentences; take fewer of either")
    code = distinct_codes(n, there, rng)
    code, bits = np.divmod(code, 2**k)
    radices = [*range(names, names - k, -1), *range(k, 0, -1)]
    digits = np.empty((n, 2 * k), np.int8)
    for place, radix in enumerate(radices):
        code, digits[:, place] = np.divmod(code, radix)
    values = (bits[:, None] >> np.arange(k) & 1).astype(np.int8)
    return Sentences(_picked(digits[:, :k]), values, _picked(digits[:, k:]), tuple(parents))


def distinct_codes(n: int, there: int, rng: np.random.Generator) -> Int[np.ndarray, " code"]:
    """n different numbers below `there`, in random order."""
    if there < 4 * n:
        return rng.permutation(there)[:n]
    found = np.empty(0, np.int64)
    while len(found) < n:  # a quarter at most are double
        drawn = np.concatenate([found, rng.integers(there, size=n + n // 2 + 8)])
        _, first = np.unique(drawn, return_index=True)
        found = drawn[np.sort(first)]
    return found[:n]


def _picked(digits: Int[np.ndarray, "sentence pick"]) -> Int[np.ndarray, "sentence pick"]:
    """Digit i counts among the values that the picks before it have left: it is moved past those."""
    found = digits.copy()
    for at in range(1, digits.shape[1]):
        for before in np.sort(found[:, :at], axis=1).T:
            found[:, at] += found[:, at] >= before
    return found


def clause_symbols(
    given: Sentences, asked: Int[np.ndarray, " sentence"], names: int
) -> Int[np.ndarray, "sentence token part"]:
    """For `SetModel`: a token a clause, of left name, operator and right symbol; and last the question.

    Symbols: names, 3 operators, then names and two bits on the right, names asked for, and one that stands for nothing.
    """
    k = len(given.parents)
    right, question, nothing = names + 3, 2 * names + 5, 3 * names + 5
    symbols = np.empty((len(given), k + 1, 3), np.int16)
    operators = given.operators
    of_right = np.empty((len(given), k), np.int16)
    for at, parent in enumerate(given.parents):
        of_right[:, at] = given.names[:, parent] if parent >= 0 else names + given.bits[:, at]
    for part, table in enumerate((given.names, names + operators, right + of_right)):
        symbols[:, :k, part] = np.take_along_axis(table.astype(np.int16), given.order.astype(np.int64), 1)
    symbols[:, k] = nothing
    symbols[:, k, 0] = question + given.names[np.arange(len(given)), asked]
    return symbols


def symbols_of(names: int) -> int:
    """How many symbols `clause_symbols` uses."""
    return 3 * names + 6
