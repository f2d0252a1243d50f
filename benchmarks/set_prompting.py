"""What reading a set costs: ours against a plain forward pass of the same model over the same tokens.

    python benchmarks/set_prompting.py                      one thread, CPU seconds, 15 rounds: 8 minutes
    python benchmarks/set_prompting.py --part again         one part of it
    python benchmarks/set_prompting.py --threads 2          wall-clock seconds

The model is SmolLM2-135M-Instruct in float32; the plain pass is the library's own, with a cache and the logits of the
last token only, as ours. Prompts are made of words that are one token each: 53 tokens, a question of four options, and
1,120, a prefix of 64, 8 documents of 128, and a suffix of 32. Each is run once before; the collector is off; rounds
alternate. A line gives the median of each and of the rounds' ratios, with its 95% interval from order statistics.
"""

import argparse
import gc
import os
import platform
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import transformers
from scipy.stats import binom

from parataxis.lm.likelihood import continuation_log_probs
from parataxis.lm.models import LanguageModel, load
from parataxis.methods.set_prompting.asking import Likelihood
from parataxis.methods.set_prompting.baselines import Once
from parataxis.methods.set_prompting.layout import PLAIN
from parataxis.methods.set_prompting.orders import every, stream
from parataxis.methods.set_prompting.prompt import Set, SetPrompt
from parataxis.methods.set_prompting.prompter import SetPrompter

SIZES = {53: (15, (8, 9, 8, 9), 4), 1120: (64, (128,) * 8, 32)}  # tokens of the prefix, the members, the suffix
Work = Callable[[], object]


class Words:
    """Texts of so many tokens: words of the model's vocabulary, each with the space before it."""

    def __init__(self, tokenizer: Any) -> None:
        spaced = sorted(word for word in tokenizer.get_vocab() if word.startswith("Ġ") and word[1:].isalpha())
        self.words = [" " + word[1:] for word in spaced if word[1:].isascii() and word[1:].islower()]
        self.rng = stream("words", 0)

    def __call__(self, count: int) -> str:
        return "".join(self.words[place] for place in self.rng.integers(len(self.words), size=count))

    def prompt(self, size: int) -> SetPrompt:
        before, members, after = SIZES[size]
        return SetPrompt(self(before), Set([self(each) for each in members]), self(after))


class Timer:
    """Runs several ways of doing a thing in turn, and prints what each took."""

    def __init__(self, rounds: int, threads: int) -> None:
        self.rounds = rounds
        self.clock = time.process_time if threads == 1 else time.perf_counter
        self.low, self.high = (int(binom.ppf(q, rounds, 0.5)) for q in (0.025, 0.975))
        self.high = min(self.high, rounds - 1)

    def seconds(self, work: Work) -> float:
        begun = self.clock()
        work()
        return self.clock() - begun

    def compare(self, title: str, first: tuple[str, Work], *others: tuple[str, Work], over: bool) -> None:
        """over: print how many times the first's time each of the others takes; else how many times it is faster."""
        ways = (first, *others)
        for _, work in ways:
            work()
        taken: list[list[float]] = [[] for _ in ways]
        gc.collect()
        gc.disable()
        for _ in range(self.rounds):
            for times, (_, work) in zip(taken, ways, strict=True):
                times.append(self.seconds(work))
        gc.enable()
        print(f"\n{title}")
        for number, (times, (name, _)) in enumerate(zip(taken, ways, strict=True)):
            said = f"  {name:44}{statistics.median(times) * 1000:10.2f} ms"
            if number:
                ratios = sorted(b / a if over else a / b for a, b in zip(taken[0], times, strict=True))
                middle = statistics.median(ratios)
                said += f"{middle:9.2f} x [{ratios[self.low]:.2f}, {ratios[self.high]:.2f}]"
            print(said)


def plain(lm: LanguageModel, prompt: SetPrompt) -> Work:
    """The library's own forward pass over the same tokens, none of which it is told is in a set."""
    ids = SetPrompter(lm.model, lm.tokenizer, edits=PLAIN).lay_out(prompt).ids[None]

    def work() -> None:
        with torch.inference_mode():
            lm.model(input_ids=ids, use_cache=True, logits_to_keep=1)

    return work


def reading(lm: LanguageModel, words: Words, timer: Timer) -> None:
    prompters = [SetPrompter(lm.model, lm.tokenizer, engine=engine) for engine in ("mask", "kv")]
    for size in SIZES:
        prompt = words.prompt(size)
        assert len(prompters[0].lay_out(prompt)) == size
        ways = [(f"set-based, engine {each.engine}", partial(each.encode, prompt)) for each in prompters]
        timer.compare(f"read {size:,} tokens", ("plain", plain(lm, prompt)), *ways, over=True)


def again(lm: LanguageModel, words: Words, timer: Timer) -> None:
    """Another question about the same documents, in another order."""
    prompter = SetPrompter(lm.model, lm.tokenizer)
    kept = words.prompt(1120)
    prompter.cache_items(kept)
    prefix, documents, _ = kept.pieces
    assert isinstance(documents, Set)
    prompt = SetPrompt(prefix, Set(documents.members[::-1]), words(32))
    fresh = SetPrompter(lm.model, lm.tokenizer, engine="mask").logits(prompt)
    assert torch.allclose(prompter.logits(prompt), fresh, atol=1e-4 * float(fresh.abs().max()))
    way = ("set-based, documents cached", lambda: prompter.encode(prompt))
    timer.compare("ask again, 1,120 tokens", ("plain", plain(lm, prompt)), way, over=False)


def masks(lm: LanguageModel, words: Words, timer: Timer) -> None:
    prompter = SetPrompter(lm.model, lm.tokenizer)
    prompt = words.prompt(1120)
    layout = prompter.lay_out(prompt)
    lay_out = ("texts tokenised, positions, segments", lambda: prompter.lay_out(prompt))
    mask = ("mask", lambda: prompter.able.masks(layout, torch.float32))
    timer.compare("build what a forward pass needs, 1,120 tokens", lay_out, mask, over=False)


def all_orders(lm: LanguageModel, words: Words, timer: Timer) -> None:
    """One question, four options, 24 orders; by each way the scores of the options in every order."""
    prompt, candidates = words.prompt(53), [words(4) for _ in range(4)]
    orders = every(range(4))
    calls: list[int] = []
    lm.model.register_forward_pre_hook(lambda *_: calls.append(1))

    def audit(name: str, prompter: SetPrompter) -> Work:
        def work() -> None:
            calls.clear()
            ask = Likelihood(prompter)
            method = Once(name, ask)
            for order in orders:
                method.answer(prompt.ordered(order), [candidates[place] for place in order])
            counted[name] = f"{ask.asked} prompts read, {len(calls)} forward passes"

        return work

    counted: dict[str, str] = {}
    ways = [
        (name, audit(name, SetPrompter(lm.model, lm.tokenizer, **options)))
        for name, options in (("plain", {"edits": PLAIN}), ("set-based", {}))
    ]
    one = SetPrompter(lm.model, lm.tokenizer)
    ways.append(("set-based, one order", lambda: one.score(prompt, candidates)))
    timer.compare("audit 24 orders of four options, 53 tokens", *ways, over=False)
    print("  " + "; ".join(f"{name}: {told}" for name, told in counted.items()))


def scoring(lm: LanguageModel, words: Words, timer: Timer) -> None:
    prompter = SetPrompter(lm.model, lm.tokenizer)
    prompt, candidates = words.prompt(53), [words(count) for count in (3, 5, 8, 10)]
    state, rows = prompter.encode(prompt), prompter.candidate_ids(candidates)
    facts = (state.cache, state.logits, state.seen(), state.layout.next_position)

    def each_from_cache() -> None:
        prompter.encode(prompt)
        for row in rows:
            continuation_log_probs(lm.model, *facts, [row])

    one_by_one = ("each with the prompt", lambda: [prompter.score(prompt, [each]) for each in candidates])
    ways = [("each from the prompt's cache", each_from_cache)]
    ways.append(("all in one batch from it", lambda: prompter.score(prompt, candidates)))
    timer.compare("score four candidates of 3 to 10 tokens after 53", one_by_one, *ways, over=False)


PARTS = {"read": reading, "again": again, "mask": masks, "orders": all_orders, "score": scoring}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--part", choices=PARTS, action="append", help="by default all; may be given again")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    lm = load("smollm2")
    words, timer = Words(lm.tokenizer), Timer(arguments.rounds, arguments.threads)
    clock = "1 thread, CPU seconds" if arguments.threads == 1 else f"{arguments.threads} threads, wall-clock seconds"
    print(
        f"smollm2, float32, {clock}, {arguments.rounds} rounds; {os.cpu_count()} cores, {platform.machine()}, "
        f"Python {platform.python_version()}, torch {torch.__version__}, transformers {transformers.__version__}"
    )
    for name in arguments.part or PARTS:
        PARTS[name](lm, words, timer)


if __name__ == "__main__":
    main()
