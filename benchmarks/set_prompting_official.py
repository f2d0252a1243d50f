"""Ours beside the released code of Set-Based Prompting, on the same weights and the same tokens: logits, text, time.

    git clone https://github.com/reidmcy/set-based-prompting
    python -m venv official
    official/bin/pip install transformers==4.38.2 torch==2.3.1 'numpy<2' accelerate==0.28.0 tensorflow-cpu==2.21.0 \\
        pandas pytz tqdm
    python benchmarks/set_prompting_official.py --checkout set-based-prompting --python official/bin/python

The commit of transformers that the released code was written for was never released; 4.38.2 is the nearest that was.
A made GPT-2 and a made Llama, whose order moves an ordinary prompt, and SmolLM2 are read in all orders of one question:
theirs by `order_independent_query`, ours with `layout="given"`, so that nothing is sorted. Logits are compared in units
of the largest of them. Their GPT-2 path puts the first new token at position N, the number of tokens: what ours writes
from there is compared as well. Times are CPU seconds of one thread, of a call that writes ten tokens: median, least and
most.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from parataxis.lm.models import load
from parataxis.methods.set_prompting.engines import State, read_on
from parataxis.methods.set_prompting.layout import OUTSIDE
from parataxis.methods.set_prompting.made import QUESTION, made_model, made_tokenizer, orders_of
from parataxis.methods.set_prompting.prompt import Set, SetPrompt
from parataxis.methods.set_prompting.prompter import SetPrompter

WORKER = Path(__file__).with_name("set_prompting_official_worker.py")
WORLDS = ("Mars", "Earth", "Saturn", "Venus")
PLANETS = SetPrompt("Which planet has the most moons?\n", Set([f"- {each}\n" for each in WORLDS]), "Answer:")
MADE = {"GPT-2": "gpt2", "Llama": "llama"}
NEW, LENGTHS = 10, (64, (128,) * 8, 32)


@dataclass(frozen=True)
class Case:
    """A model that both read, and the prompt."""

    name: str
    model: Any
    tokenizer: Any
    prompt: SetPrompt

    @property
    def prompter(self) -> SetPrompter:
        return SetPrompter(self.model, self.tokenizer, layout="given", engine="mask")


def cases() -> list[Case]:
    small = load("smollm2")
    made = [Case(f"made {name}", made_model(kind), made_tokenizer(), QUESTION) for name, kind in MADE.items()]
    return [*made, Case("SmolLM2", small.model, small.tokenizer, PLANETS)]


def job(case: Case, folder: Path) -> dict[str, Any]:
    """What the worker needs: the weights in a folder, and the ids that our tokenizing gives each piece."""
    before, options, after = case.prompt.pieces
    assert isinstance(before, str)
    assert isinstance(options, Set)
    assert isinstance(after, str)
    case.model.save_pretrained(folder)
    ids = {text: case.prompter.tokenize(text, text is before) for text in (before, *options.members, after)}
    return {"folder": str(folder), "prompt": [before, options.members, after], "ids": ids, "out": f"{folder}.npy"}


def theirs(arguments: argparse.Namespace, jobs: dict[str, Any], folder: Path) -> dict[str, Any]:
    told = {
        "checkout": str(arguments.checkout.resolve()),
        "models": jobs,
        "new": NEW,
        "rounds": arguments.rounds,
        "lengths": LENGTHS,
        "mask": str(folder / "mask.npy"),
        "out": str(folder / "found.json"),
    }
    command = [str(arguments.python), str(WORKER)]
    done = subprocess.run(command, input=json.dumps(told), text=True, capture_output=True, check=False)
    if done.returncode:
        sys.exit(f"the released code does not run with {arguments.python}:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads((folder / "found.json").read_text())
    return found


def seconds(work: Callable[[], object], rounds: int) -> list[float]:
    work()
    taken = []
    for _ in range(rounds):
        begun = time.process_time()
        work()
        taken.append(time.process_time() - begun)
    return taken


def spelled(taken: list[float]) -> str:
    values = [1000 * each for each in (statistics.median(taken), min(taken), max(taken))]
    return "{:.1f} ms [{:.1f}, {:.1f}]".format(*values)


def restarted(prompter: SetPrompter, state: State) -> list[int]:
    """What ours writes where the first new token stands at position N, the number of tokens, not at last + 1."""
    state = replace(state, layout=replace(state.layout, next_position=len(state.layout)))
    found = [int(state.logits.argmax())]
    while len(found) < NEW:
        state = read_on(prompter.model, state, found[-1], prompter.able)
        found.append(int(state.logits.argmax()))
    return found


def compare(case: Case, found: dict[str, Any], path: Path, rounds: int) -> None:
    print(f"\n{case.name}")
    if "error" in found:
        print(f"  the released code fails: {found['error']}")
        return
    prompter, prompts = case.prompter, orders_of(case.prompt)
    states = [prompter.encode(prompt) for prompt in prompts]
    ours, other = np.stack([state.logits.numpy() for state in states]), np.load(path)
    ids = [prompter.generate_ids(state, max_new_tokens=NEW, min_new_tokens=NEW)[0] for state in states]
    scale = float(np.abs(ours).max())
    print(
        f"  first step, of the logits' scale ({scale:.3g}): ours less theirs {np.abs(ours - other).max() / scale:.1e}"
    )
    for name, table, texts in (("theirs", other, found["ids"]), ("ours", ours, ids)):
        moved = float((table.max(0) - table.min(0)).max()) / scale
        print(f"  {name}: {len(table)} orders move them by {moved:.1e}, and write {len({*map(tuple, texts)})} texts")
    later = [restarted(prompter, state) for state in states]
    alike, alike_later = (sum(map(list.__eq__, each, found["ids"])) for each in (ids, later))
    print(
        f"  both write the same {NEW} tokens in {alike} of {len(ids)} orders, in {alike_later} if ours too restart at N"
    )
    taken = seconds(
        lambda: prompter.generate_ids(prompter.encode(prompts[0]), max_new_tokens=NEW, min_new_tokens=NEW), rounds
    )
    ratio = statistics.median(found["seconds"]) / statistics.median(taken)
    print(f"  a call: theirs {spelled(found['seconds'])}, ours {spelled(taken)}; ratio {ratio:.2f}")


def compare_masks(found: dict[str, Any], path: Path, rounds: int) -> None:
    model = made_model("gpt2", max_position_embeddings=2048, n_positions=2048)
    prompter = SetPrompter(model, made_tokenizer(), layout="given", engine="mask")
    before, members, after = LENGTHS
    prompt = SetPrompt("c" * (before - 1), Set(["c" * each for each in members]), "c" * after)  # <s> comes first
    layout = prompter.lay_out(prompt)
    assert int((layout.group == OUTSIDE).sum()) == before + after
    same = bool((layout.visible().numpy() == np.load(path)).all())
    taken = seconds(lambda: prompter.able.masks(layout, torch.float32), rounds)
    ratio = statistics.median(found["seconds"]) / statistics.median(taken)
    print(f"\nmask of {len(layout):,} tokens, the same: {'yes' if same else 'NO'}")
    print(f"  theirs {spelled(found['seconds'])}, ours {spelled(taken)}; ratio {ratio:.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkout", type=Path, required=True)
    parser.add_argument("--python", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    transformers.utils.logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        read = cases()
        jobs = {case.name: job(case, folder / case.name) for case in read}
        found = theirs(arguments, jobs, folder)
        print(f"theirs: {found['versions']}; imported in {found['import']:.1f} s")
        print(f"ours: transformers {transformers.__version__}, torch {torch.__version__}")
        for case in read:
            compare(case, found["models"][case.name], Path(jobs[case.name]["out"]), arguments.rounds)
        compare_masks(found["mask"], folder / "mask.npy", arguments.rounds)


if __name__ == "__main__":
    main()
