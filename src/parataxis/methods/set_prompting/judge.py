"""Which of two answers is better, asked so that neither comes first, and neither has the better name."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from parataxis.methods.set_prompting.asking import Asker
from parataxis.methods.set_prompting.prompt import Set, SetPrompt

NAMES = ("Robin", "Jamie")
MEMBER = "{name} answers: {answer}\n"
AFTER = "The better answer is that of"


@dataclass(frozen=True)
class Judgement:
    """winner: 0 or 1, None for a tie. log_odds: of the first answer. leaning: log-odds of the first name, whatever
    stands under it; what it would have decided is taken out. calls: prompts read."""

    winner: int | None
    log_odds: float
    leaning: float
    calls: int = 2

    @property
    def confidence(self) -> float:
        """The probability of the winner; 0.5 for a tie."""
        return 1 / (1 + math.exp(-abs(self.log_odds)))


@dataclass(frozen=True)
class Judge:
    """`Judge(Likelihood(SetPrompter(model, tokenizer))).compare("Why is the sky blue?", one, other)`.

    The answers are a set, so that no order is there to see; they need names to be told apart by, and each gets each
    name once. Swapping the answers gives the same judgement, mirrored to the bit.
    """

    ask: Asker
    names: tuple[str, str] = NAMES

    def compare(self, question: str, first: str, second: str) -> Judgement:
        forth = self._odds(question, (first, second))
        back = self._odds(question, (second, first))
        odds = (forth - back) / 2
        return Judgement(None if odds == 0 else int(odds < 0), odds, (forth + back) / 2)

    def _odds(self, question: str, answers: Sequence[str]) -> float:
        """Log-odds of the answer under the first name."""
        members = [MEMBER.format(name=name, answer=answer) for name, answer in zip(self.names, answers, strict=True)]
        scores = self.ask(SetPrompt(f"{question}\n", Set(members), AFTER), [f" {name}" for name in self.names])
        return scores[0] - scores[1]
