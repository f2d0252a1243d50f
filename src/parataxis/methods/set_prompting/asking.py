"""Who is asked: a model that can be opened, by the likelihood of each candidate, or an endpoint, by what it writes."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from parataxis.methods.set_prompting.prompt import SetPrompt

if TYPE_CHECKING:  # an endpoint is asked without torch
    from parataxis.methods.set_prompting.layout import Layout
    from parataxis.methods.set_prompting.prompter import Scoring, SetPrompter

MOST_KEPT = 4000  # more than twice the orders of a question
MOST_AT_ONCE = 24  # prompts in one pass: all orders of four options
# A bullet, quotes and brackets before an answer; these and punctuation after it. Not the minus of a number.
EDGES = re.compile(r"""^(?:[-*•]\s+)?["'“”‘’`*_(\[]*|["'“”‘’`*_)\].,;:!?]*$""")
Asked = tuple[SetPrompt, Sequence[str]]  # a prompt and the candidates for what follows it
Scores = tuple[float, ...]  # one a candidate, more is better; all 0: none of them was chosen


@runtime_checkable
class Asker(Protocol):
    """noisy: asked the same again it may answer otherwise. asked: how many prompts were read so far."""

    noisy: bool
    asked: int

    def __call__(self, prompt: SetPrompt, candidates: Sequence[str]) -> Scores: ...

    def ahead(self, questions: Sequence[Asked]) -> None:
        """What is about to be asked, so that it may be read at once."""

    def forget(self) -> None: ...


class Likelihood:
    """Scores candidates with a SetPrompter. What is laid out to the same tensor is read once, until `forget`."""

    noisy = False

    def __init__(self, prompter: "SetPrompter", scoring: "Scoring" = "sum") -> None:
        self.prompter, self.scoring, self.asked = prompter, scoring, 0
        self._kept: dict[Any, dict[str, float]] = {}  # by prompt and by tensor, the oldest first

    def __call__(self, prompt: SetPrompt, candidates: Sequence[str]) -> Scores:
        self.ahead([(prompt, candidates)])
        found = self._kept[prompt, _different(candidates)]
        return tuple(found[each] for each in candidates)

    def ahead(self, questions: Sequence[Asked]) -> None:
        """Prompts that begin alike, as the orders of one question do, are best read together."""
        new: dict[Any, tuple[Layout, tuple[str, ...]]] = {}
        keys = {}
        for prompt, candidates in questions:
            question = (prompt, _different(candidates))
            if question not in self._kept and question not in keys:
                layout = self.prompter.lay_out(prompt)
                keys[question] = _tensor(layout, question[1])
                if keys[question] not in self._kept:
                    new.setdefault(keys[question], (layout, question[1]))
        self.asked += len(new)
        read = self.prompter.score_many(list(new.values()), self.scoring, batch=MOST_AT_ONCE)
        for (key, (_, candidates)), scores in zip(new.items(), read, strict=True):
            self._kept[key] = dict(zip(candidates, scores.tolist(), strict=True))
        for question, key in keys.items():
            self._kept[question] = self._kept[key]
        while len(self._kept) > MOST_KEPT:
            del self._kept[next(iter(self._kept))]

    def forget(self) -> None:
        self._kept.clear()


def _tensor(layout: "Layout", candidates: tuple[str, ...]) -> Any:
    """All that the scores depend on."""
    return (*(getattr(layout, name).numpy().tobytes() for name in ("ids", "positions", "segment")), candidates)


def _different(candidates: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted(set(candidates)))


class Written:
    """Asks an endpoint for text and sees which candidate it is; the score of that one is 1."""

    noisy = True

    def __init__(self, endpoint: Any) -> None:
        self.endpoint, self.asked = endpoint, 0
        self._kept: dict[str, str] = {}

    def __call__(self, prompt: SetPrompt, candidates: Sequence[str]) -> Scores:
        text = prompt.plain()
        if text not in self._kept:
            self.asked += 1
            self._kept[text] = self.endpoint.ask([{"role": "user", "content": text}])
        chosen = match(self._kept[text], candidates)
        return tuple(float(each == chosen) for each in candidates)

    def ahead(self, questions: Sequence[Asked]) -> None:
        """An endpoint is asked one by one."""

    def forget(self) -> None:
        self._kept.clear()


def match(written: str, candidates: Sequence[str]) -> str | None:
    """The one candidate that a text states: it is the text, or the text begins with it, or holds no other.

    Case doesn't count, nor do quotes and punctuation around it. A candidate inside a longer one that is there counts
    as that one. None if no candidate is there, or two are.
    """
    said = _bare(written)
    bare = {each: _bare(each) for each in candidates}
    for told in (lambda text: said == text, lambda text: _begins(said, text), lambda text: _holds(said, text)):
        there = [each for each in dict.fromkeys(candidates) if bare[each] and told(bare[each])]
        longest = [each for each in there if not any(bare[each] in bare[other] for other in there if other != each)]
        if longest:
            return longest[0] if len(longest) == 1 else None
    return None


def _bare(text: str) -> str:
    words = " ".join(text.casefold().split())
    return EDGES.sub("", words) or words


def _begins(said: str, text: str) -> bool:
    return re.match(rf"{re.escape(text)}(?!\w)", said) is not None


def _holds(said: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(text)}(?!\w)", said) is not None
