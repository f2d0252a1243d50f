import math

from families import plain, prompter

from parataxis.methods.set_prompting.asking import Likelihood
from parataxis.methods.set_prompting.judge import Judge, Judgement

PAIRS = [("a bee, the best", "bat"), ("the owl in the barn", "ab heron"), ("no", "the other is better, I know")]


def test_swapping_the_answers_mirrors_the_judgement_to_the_bit():
    judge = Judge(Likelihood(prompter()))
    for first, second in PAIRS:
        forth, back = judge.compare("Which flies?", first, second), judge.compare("Which flies?", second, first)
        assert forth.log_odds == -back.log_odds != 0
        assert forth.winner == 1 - back.winner
        assert forth.confidence == back.confidence > 0.5
        assert forth.leaning == back.leaning != 0
    assert judge.ask.asked == 2 * len(PAIRS)  # swapped, the prompts are the same


def test_an_ordinary_prompt_sees_which_answer_is_first():
    """The names are balanced here too; what is left is the order."""

    class GivenOrder(Judge):
        pass

    judge = GivenOrder(Likelihood(plain()))
    pairs = [(judge.compare("Which?", a, b), judge.compare("Which?", b, a)) for a, b in PAIRS]
    assert any(forth.leaning != 0 for forth, _ in pairs)


def test_equal_answers_are_a_tie():
    found = Judge(Likelihood(prompter())).compare("Which flies?", "a bee", "a bee")
    assert (found.winner, found.log_odds, found.confidence) == (None, 0, 0.5)


def test_a_liked_name_does_not_decide():
    class Likes:
        noisy, asked = False, 0

        def __call__(self, prompt, candidates):
            return tuple(2.0 * ("Robin" in each) + ("good" in self.under(prompt, each)) for each in candidates)

        def under(self, prompt, name):
            return next(each for each in prompt.sets[0].members if each.startswith(name.strip()))

        def ahead(self, questions):
            pass

        def forget(self):
            pass

    assert Judge(Likes()).compare("Q", "bad", "good") == Judgement(1, -1.0, 2.0)
    assert math.isclose(Judgement(1, -1.0, 2.0).confidence, 1 / (1 + math.exp(-1)))
