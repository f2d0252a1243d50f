"""What is trained on in the study: examples by skill, a validation set of each skill, and a small model."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from parataxis.methods.skill_it import addition, lego
from parataxis.methods.skill_it.clauses import SetModel, answer_losses
from parataxis.nn.device import device_of

Rows = Int[np.ndarray, " _row"]
Scores = tuple[Float[Tensor, " row"], Float[Tensor, " row"]]  # of each example: its loss, how right it is
VALIDATION = 100  # examples a skill; twice as many test


@dataclass(frozen=True)
class Task:
    """x, y: all examples. groups: the training rows of each skill. validation: rows by whose losses graph and
    controller go. test: rows for the report, of the same skills. build: a fresh model. scores: loss and rightness of
    each example of a batch. at_once: rows that are scored as one batch; what one makes is to stay near the processor,
    or, of a large model, to fit into memory."""

    name: str
    x: Tensor
    y: Tensor
    groups: Mapping[str, Rows]
    validation: Mapping[str, Rows]
    build: Callable[[], nn.Module]
    scores: Callable[[nn.Module, Tensor, Tensor], Scores]
    test: Mapping[str, Rows]
    at_once: int = 256

    @property
    def skills(self) -> tuple[str, ...]:
        return tuple(self.groups)

    def on(self, device: str) -> "Task":
        """With examples and models there. Raises BadInput."""
        there = device_of(device)
        return replace(self, x=self.x.to(there), y=self.y.to(there), build=lambda: self.build().to(there))

    def losses(self, model: nn.Module, rows: Rows) -> Scores:
        """In eval mode, without gradients."""
        model.eval()
        with torch.no_grad():
            parts = torch.from_numpy(rows).split(self.at_once)
            scored = [self.scores(model, self.x[at], self.y[at]) for at in parts]
        loss, right = (torch.cat(each).cpu() for each in zip(*scored, strict=True))
        return loss, right

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """`validation <skill>`: the mean loss. `test <skill>`, `right <skill>`: mean loss and rightness of the test
        rows. The same bits in whatever order the examples are summed."""
        parts = [(f"validation {name}", rows) for name, rows in self.validation.items()]
        parts += [(f"test {name}", rows) for name, rows in self.test.items()]
        loss, right = (
            each.double().numpy() for each in self.losses(model, np.concatenate([rows for _, rows in parts]))
        )
        found: dict[str, float] = {}
        start = 0
        for name, rows in parts:
            end = start + len(rows)
            found[name] = math.fsum(loss[start:end]) / len(rows)
            if name.startswith("test "):
                found[name.replace("test", "right", 1)] = math.fsum(right[start:end]) / len(rows)
            start = end
        return found


def losses_of(row: Mapping[str, float], skills: Sequence[str]) -> dict[str, float]:
    """The validation losses in a row of a fit's history."""
    return {name: row[f"validation {name}"] for name in skills}


def lego_task(
    rng: Callable[..., np.random.Generator],
    size: int,
    *,
    parents: Sequence[int] = lego.chain(5),
    names: int = 10,
    validation: int = VALIDATION,
    depth: int = 5,
    width: int = 64,
) -> Task:
    """`size` training sentences a skill; no sentence stands twice, whatever is asked of it."""
    k = len(parents)
    found = lego.sentences(k * (size + 3 * validation), rng("sentences"), parents, names)
    asked = np.repeat(np.arange(k), size + 3 * validation)
    answers = found.bits[np.arange(len(found)), asked]
    symbols = lego.clause_symbols(found, asked, names)
    skills = [f"hop {at}" for at in range(k)]
    return _of_symbols("lego", symbols, answers, skills, validation, lego.symbols_of(names), 2, depth, width)


def addition_task(
    rng: Callable[..., np.random.Generator],
    size: int,
    *,
    validation: int = VALIDATION,
    depth: int = 3,
    width: int = 64,
) -> Task:
    """`size` training sums a skill."""
    k = addition.DIGITS
    found = addition.pairs(k * (size + 3 * validation), rng("pairs"))
    asked = np.repeat(np.arange(k), size + 3 * validation)
    symbols = addition.digit_symbols(found, asked)
    skills = [f"place {at}" for at in range(k)]
    answers = addition.answers(found, asked)
    return _of_symbols("addition", symbols, answers, skills, validation, addition.symbols_of(), 10, depth, width)


def _of_symbols(
    name: str,
    symbols: Int[np.ndarray, "row token part"],
    answers: Int[np.ndarray, " row"],
    skills: Sequence[str],
    validation: int,
    known: int,
    classes: int,
    depth: int,
    width: int,
) -> Task:
    """Rows stand skill by skill; the first of each validate, the next test."""
    parts = np.split(np.arange(len(symbols)), len(skills))
    return Task(
        name,
        torch.from_numpy(symbols),
        torch.from_numpy(answers.astype(np.int64)),
        {skill: rows[3 * validation :] for skill, rows in zip(skills, parts, strict=True)},
        {skill: rows[:validation] for skill, rows in zip(skills, parts, strict=True)},
        lambda: SetModel(known, classes, width=width, depth=depth),
        answer_losses,
        {skill: rows[validation : 3 * validation] for skill, rows in zip(skills, parts, strict=True)},
    )
