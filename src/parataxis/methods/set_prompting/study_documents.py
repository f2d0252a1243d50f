"""Passages in the place of options: what the place of the gold passage decides, and a set of passages."""

import gzip
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from parataxis.claims import Measurement, Table
from parataxis.files import JsonLines
from parataxis.lm.models import LanguageModel
from parataxis.methods.set_prompting.layout import PLAIN
from parataxis.methods.set_prompting.prompt import Set, SetPrompt
from parataxis.methods.set_prompting.prompter import SetPrompter
from parataxis.methods.set_prompting.study_asking import spread_out
from parataxis.methods.set_prompting.summary import rate, resampled

CLAIMS = ("documents", "documents-flips-plain", "documents-flips-sets")
REREAD = {"toy": 2, "quick": 2, "full": 10, "paper": 50}  # searches whose set is read once more, gold last
PASSAGES, WORDS = 4, 120
LAST = PASSAGES - 1


@dataclass(frozen=True)
class Search:
    """A question, one answer, and passages, the first of which holds the answer."""

    question: str
    answer: str
    passages: tuple[str, ...]

    def prompt(self, gold: int = 0) -> SetPrompt:
        """gold: the place of the gold passage."""
        order = [*self.passages[1 : gold + 1], self.passages[0], *self.passages[gold + 1 :]]
        return SetPrompt("Passages:\n", Set(order), f"Question: {self.question}?\nAnswer:")


def read_searches(path: Path, n: int, rng: np.random.Generator) -> list[Search]:
    """n questions drawn from the file, each with the passages of three others."""
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        rows = [json.loads(line) for line in stream]
    rows = [{**row, **row["ctxs"][0]} if "ctxs" in row else row for row in rows]  # as published: one passage, the gold
    drawn = rng.permutation(len(rows))[: n * PASSAGES].reshape(n, PASSAGES)
    return [
        Search(rows[places[0]]["question"], rows[places[0]]["answers"][0], tuple(_passage(rows[i]) for i in places))
        for places in drawn.tolist()
    ]


def _passage(row: dict[str, str]) -> str:
    return f"[{row['title']}] {' '.join(row['text'].split()[:WORDS])}\n"


def measure(
    opened: Callable[[], LanguageModel], searches: Sequence[Search], real: bool, ctx: Any
) -> Iterator[Measurement | Table]:
    if all(map(ctx.done, CLAIMS)):
        return
    model = opened()
    with JsonLines(ctx.work / "documents.jsonl") as log:
        kept = {row["search"]: row for row in log}
        left = [each for each in searches if each.prompt().to_text() not in kept]
        twice = {each.prompt().to_text() for each in searches[: REREAD[ctx.scale]]}
        work = spread_out(lambda each: _read(model, each, each.prompt().to_text() in twice), left, ctx)
        for row in ctx.progress(work, "passages", len(left)):
            kept[row["search"]] = row
            log.append(row)
    rows = [kept[each.prompt().to_text()] for each in searches]
    table = np.array([row["likely"] for row in rows])
    names = ("gold first", "gold last", "a set", "no passages")
    caption = "Mean log-probability of a token of the answer, teacher-forced."
    yield Table("documents", ("prompt", "nats a token"), list(zip(names, table.mean(0).tolist(), strict=True)), caption)
    gain = (table[:, 2] - table[:, :2].mean(1))[:, None]
    found = resampled(gain, lambda means: means, ctx.seed)[0]
    facts: dict[str, Any] = {"real": real, "data": f"NQ-open, {model.name}"}
    yield Measurement(CLAIMS[0], found.value, found.low, found.high, len(searches), "nats a token", **facts)
    facts["unit"] = "share of questions"
    flips = rate(np.array([row["texts"][0] != row["texts"][1] for row in rows]))
    yield Measurement(CLAIMS[1], flips.value, flips.low, flips.high, len(searches), **facts)
    again = [row for row in rows if row["sets"]]
    moved, null = (float(np.mean([row[name][0] != row[name][1] for row in again])) for name in ("sets", "texts"))
    yield Measurement(CLAIMS[2], moved, moved, moved, len(again), null=null, **facts)


def _read(model: LanguageModel, search: Search, again: bool) -> dict[str, Any]:
    """Log-probabilities a token of the answer, and what is written where the gold passage is first, and last.

    again: write so from the set too, laid out as given.
    """
    plain, sets = (
        SetPrompter(model.model, model.tokenizer, **options) for options in ({"edits": PLAIN}, {"layout": "given"})
    )
    answer = [f" {search.answer}"]
    states = [plain.encode(search.prompt(gold)) for gold in (0, LAST)]
    of_sets = [sets.encode(search.prompt(gold)) for gold in (0, LAST)[: 1 + again]]
    bare = SetPrompt(f"Question: {search.question}?\nAnswer:")
    scores = [plain.score_after(state, answer, "mean") for state in states]
    scores += [sets.score_after(of_sets[0], answer, "mean"), plain.score(bare, answer, "mean")]
    return {
        "search": search.prompt().to_text(),
        "likely": [float(each[0]) for each in scores],
        "texts": [plain.generate_ids(state)[0] for state in states],
        "sets": [sets.generate_ids(state)[0] for state in of_sets] if again else [],
    }
