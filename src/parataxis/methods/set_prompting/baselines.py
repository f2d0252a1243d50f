"""What people do about the order of options, and the method itself, behind one interface: `answer(prompt, candidates)`.

Each says what an answer costs, in prompts that the model reads.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float
from scipy.special import log_softmax, softmax

from parataxis.errors import BadInput
from parataxis.methods.set_prompting.asking import Asked, Asker, Scores
from parataxis.methods.set_prompting.orders import Order, ascending, cyclic, every, given, stream
from parataxis.methods.set_prompting.prompt import SetPrompt

SAMPLED = 0.05  # of the questions: on these PriDe learns how much a slot is liked


@dataclass(frozen=True)
class Answer:
    """scores: one a candidate, more is better; all 0 if none was chosen. calls: prompts that were read for it."""

    scores: Scores
    calls: int

    def best(self, candidates: Sequence[str]) -> int | None:
        """The place of the best; among equals the first by its text, so that a tie does not see the order."""
        if not any(self.scores):
            return None
        return min(range(len(candidates)), key=lambda place: (-self.scores[place], candidates[place], place))


@runtime_checkable
class Method(Protocol):
    """candidates: one for each member of the prompt's set, in the order of the members, as are the scores.

    invariant: the answer can't depend on the order in which the options are given. depends: on what else than the
    question it depends.
    """

    @property
    def name(self) -> str: ...

    @property
    def depends(self) -> str: ...

    @property
    def invariant(self) -> bool: ...

    def ahead(self, questions: Sequence[Asked]) -> None:
        """What is about to be answered, so that it may be read at once."""

    def answer(self, prompt: SetPrompt, candidates: Sequence[str]) -> Answer: ...


@dataclass(frozen=True)
class Once:
    """Asks once. arrange: the order into which it puts the options first."""

    name: str
    ask: Asker
    arrange: Callable[[Sequence[str]], Order] = given
    invariant: bool = False
    depends: str = ""

    def ahead(self, questions: Sequence[Asked]) -> None:
        self.ask.ahead([_ordered(*each, self.arrange(_members(*each))) for each in questions])

    def answer(self, prompt: SetPrompt, candidates: Sequence[str]) -> Answer:
        return Answer(_asked(self.ask, prompt, candidates, self.arrange(_members(prompt, candidates))), 1)


@dataclass(frozen=True)
class Permuted:
    """Asks in several orders: cyclic ones, which put every option into every slot once, or all.

    vote: the option that most orders are for, ties broken by the mean probability; else the mean probability. All
    orders are the same orders whichever is given; the cyclic ones of another order are others.
    """

    name: str
    ask: Asker
    cyclic: bool = False
    vote: bool = False
    depends: str = ""

    @property
    def invariant(self) -> bool:
        return not self.cyclic

    def ahead(self, questions: Sequence[Asked]) -> None:
        """The orders of each are read at once when it is answered."""

    def answer(self, prompt: SetPrompt, candidates: Sequence[str]) -> Answer:
        orders = self._orders(prompt, candidates)
        questions = [_ordered(prompt, candidates, order) for order in orders]
        self.ask.ahead(questions)
        tables = [_put_back(self.ask(*each), order) for each, order in zip(questions, orders, strict=True)]
        return Answer(_averaged(tables, candidates, self.vote), len(orders))

    def _orders(self, prompt: SetPrompt, candidates: Sequence[str]) -> list[Order]:
        members = _members(prompt, candidates)
        return cyclic(len(members)) if self.cyclic else every(ascending(members))


def _averaged(tables: Sequence[Scores], candidates: Sequence[str], vote: bool = False) -> Scores:
    shares = np.mean([softmax(scores) if any(scores) else np.zeros(len(scores)) for scores in tables], 0)
    if vote:
        votes = [Answer(scores, 1).best(candidates) for scores in tables]
        shares = shares + [votes.count(place) for place in range(len(candidates))]
    return tuple(shares.tolist())


class Pride:
    """Learns on a few questions how much each slot is liked, and takes that away from the others' answers.

    sample: prompts and candidates, asked in cyclic orders when the first question comes; their own answers are the
    mean over these orders. Slots of prompts with another number of options are learned apart, and not at all where
    the sample has none. Zheng et al., "Large Language Models Are Not Robust Multiple Choice Selectors", ICLR 2024.
    """

    name, invariant = "pride", False

    def __init__(self, ask: Asker, sample: Sequence[tuple[SetPrompt, Sequence[str]]]) -> None:
        self.ask, self.sample = ask, sample
        told = json.dumps([[prompt.to_text(), list(candidates)] for prompt, candidates in sample])
        self.depends = hashlib.sha256(told.encode()).hexdigest()[:16]
        self._tables: dict[str, list[Scores]] = {}
        self._log_prior: dict[int, Float[np.ndarray, " slot"]] = {}

    def ahead(self, questions: Sequence[Asked]) -> None:
        self.ask.ahead(questions)

    def answer(self, prompt: SetPrompt, candidates: Sequence[str]) -> Answer:
        count = len(_members(prompt, candidates))
        log_prior = self.learn().get(count, 0.0)
        if prompt.to_text() in self._tables:
            return Answer(_averaged(self._tables[prompt.to_text()], candidates), count)
        return Answer(tuple((log_softmax(self.ask(prompt, candidates)) - log_prior).tolist()), 1)

    def learn(self) -> dict[int, Float[np.ndarray, " slot"]]:
        """The log of each slot's share, by the number of options: of a question, the softmax of the slot's mean
        log-probability; then the mean over questions."""
        if self.sample and not self._log_prior:
            priors: dict[int, list[Float[np.ndarray, " slot"]]] = {}
            for prompt, candidates in self.sample:
                orders = cyclic(len(candidates))
                tables = [_asked(self.ask, prompt, candidates, order) for order in orders]
                by_slot = [log_softmax(scores)[list(order)] for scores, order in zip(tables, orders, strict=True)]
                priors.setdefault(len(candidates), []).append(softmax(np.mean(by_slot, 0)))
                self._tables[prompt.to_text()] = tables
            self._log_prior = {count: np.log(np.mean(each, 0)) for count, each in priors.items()}
        return self._log_prior


def sampled(keys: Sequence[str], sizes: Sequence[int], seed: int = 0) -> list[int]:
    """Places of the questions that PriDe learns from: 5% of those with each number of options, at least one.

    keys: what tells the questions apart; by these they are drawn, not by their place.
    """
    lots = [float(stream("pride", seed, key).random()) for key in keys]
    found: list[int] = []
    for size in sorted(set(sizes)):
        alike = sorted((place for place in range(len(keys)) if sizes[place] == size), key=lambda place: lots[place])
        found += alike[: max(1, round(SAMPLED * len(alike)))]
    return sorted(found)


def _members(prompt: SetPrompt, candidates: Sequence[str]) -> tuple[str, ...]:
    if len(prompt.sets) != 1:
        raise BadInput(f"prompt: has {len(prompt.sets)} sets; to order the options, one is needed")
    members = prompt.sets[0].members
    if len(members) != len(candidates):
        raise BadInput(f"candidates: there are {len(candidates)}, and {len(members)} options; one for each is needed")
    return members


def _asked(ask: Asker, prompt: SetPrompt, candidates: Sequence[str], order: Order) -> Scores:
    """Asked in another order, scores in the order of the candidates."""
    return _put_back(ask(*_ordered(prompt, candidates, order)), order)


def _put_back(scores: Scores, order: Order) -> Scores:
    return tuple(scores[order.index(place)] for place in range(len(order)))


def _ordered(prompt: SetPrompt, candidates: Sequence[str], order: Order) -> Asked:
    return prompt.ordered(order), [candidates[place] for place in order]
