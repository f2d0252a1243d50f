"""Addition of two numbers of three digits; skill s asks for the digit of the sum at place s, counted from the ones."""

import numpy as np
from jaxtyping import Int

from parataxis.errors import BadInput
from parataxis.methods.skill_it.lego import distinct_codes

DIGITS = 3
AUTHORS_GRAPH = ((1.0, 0.0, 0.0), (0.5, 1.0, 0.0), (0.0, 0.0, 1.0))  # rows: trained on
RANDOM = (13, 14, 18)  # the authors' "random" mixture
Pairs = Int[np.ndarray, "pair term"]


def pairs(n: int, rng: np.random.Generator, digits: int = DIGITS) -> Pairs:
    """n different pairs of numbers below 10**digits, every one as likely. BadInput where there are not so many."""
    if not 1 <= digits <= 9:
        raise BadInput(f"digits={digits}: expected 1 to 9")
    there = 10 ** (2 * digits)
    if n > there:
        raise BadInput(f"n={n}: there are but {there} pairs of numbers of {digits} digits; ask for fewer")
    return np.stack(np.divmod(distinct_codes(n, there, rng), 10**digits), 1)


def answers(given: Pairs, asked: Int[np.ndarray, " pair"]) -> Int[np.ndarray, " pair"]:
    return given.sum(1) // 10**asked % 10


def texts(given: Pairs, asked: Int[np.ndarray, " pair"], digits: int = DIGITS) -> list[str]:
    """`Input: A = 1 2 3 + 4 5 6 , A 0 = ? Output: 9`."""
    return [
        f"Input: A = {' '.join(f'{a:0{digits}}')} + {' '.join(f'{b:0{digits}}')} , A {skill} = ? Output: {digit}"
        for (a, b), skill, digit in zip(given.tolist(), asked.tolist(), answers(given, asked).tolist(), strict=True)
    ]


def digit_symbols(
    given: Pairs, asked: Int[np.ndarray, " pair"], digits: int = DIGITS
) -> Int[np.ndarray, "pair token part"]:
    """For `SetModel`: a token a place, of both digits that stand there and the place; and last the question.

    Symbols: 10 digits of the first number, 10 of the second, the places, the places asked for, and one for nothing.
    """
    places = 10 ** np.arange(digits)
    symbols = np.empty((len(given), digits + 1, 3), np.int16)
    for term in range(2):
        symbols[:, :digits, term] = 10 * term + given[:, term, None] // places % 10
    symbols[:, :digits, 2] = 20 + np.arange(digits)
    symbols[:, digits] = 20 + 2 * digits
    symbols[:, digits, 0] = 20 + digits + asked
    return symbols


def symbols_of(digits: int = DIGITS) -> int:
    """How many symbols `digit_symbols` uses."""
    return 20 + 2 * digits + 1
