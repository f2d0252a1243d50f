"""`ask` and `run`: prompts whose sets are marked."""

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Annotated, Any

import typer

from parataxis.errors import BadInput
from parataxis.methods.set_prompting.cli_options import (
    AsJson,
    Dtype,
    DtypeName,
    Limit,
    Model,
    ScoringName,
    Threads,
    load,
    told,
)

MARKED = "Which is a fruit? <|start_2d|>- a chair <|split_2d|>- an apple <|end_2d|>Answer:"


def ask_command(
    prompt: Annotated[
        str, typer.Argument(help="With <|start_2d|>, <|split_2d|> and <|end_2d|> around sets; - reads it.")
    ],
    model: Model = "smollm2",
    candidate: Annotated[
        list[str] | None,
        typer.Option(
            help="Say how likely it is that this follows, most often with a space first; may be given again.",
            show_default=False,
        ),
    ] = None,
    scoring: Annotated[ScoringName, typer.Option(help="How a candidate is scored.")] = ScoringName.sum,
    condition: Annotated[str, typer.Option(help="As in `run`: normal for an ordinary prompt.")] = "order_independent",
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Tokens to write.")] = 10,
    dtype: Dtype = DtypeName.float32,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Ask with a prompt, a part of which is a set: what the model writes, or how likely each candidate is.

    Example: parataxis prompts ask "Which is a fruit? <|start_2d|>- a chair <|split_2d|>- an apple <|end_2d|>Answer:"
    """
    from parataxis.methods.set_prompting import conditions
    from parataxis.methods.set_prompting.prompt import SetPrompt
    from parataxis.methods.set_prompting.prompter import SetPrompter

    chosen = conditions.condition(condition)
    given = SetPrompt.parse(sys.stdin.read() if prompt == "-" else prompt)
    if not given.sets:
        raise BadInput(f"PROMPT={prompt!r}: has no set; mark one, as in {MARKED!r}")
    lm = load(model, dtype, threads)
    prompter = SetPrompter(lm.model, lm.tokenizer, edits=chosen.edits)
    arranged = chosen.arrange(given)
    found: dict[str, Any] = {"condition": chosen.name, "model": lm.name}
    with told():
        if candidate:
            scores = prompter.score(arranged, candidate, scoring.value).tolist()
            ranked = sorted(zip(candidate, scores, strict=True), key=lambda pair: -pair[1])
            found |= {"scoring": scoring.value, "scores": dict(ranked)}
        else:
            (found["text"],) = prompter.generate(arranged, max_new_tokens=max_new_tokens)
    if as_json:
        print(json.dumps(found, indent=1))
    elif candidate:
        print("\n".join(f"{score:8.2f}  {each}" for each, score in found["scores"].items()))
    else:
        print(found["text"])


def run_command(
    prompts: Annotated[Path, typer.Argument(metavar="PROMPTS.JSON", help="A JSON list, or JSON lines (.jsonl).")],
    out: Annotated[Path, typer.Option(help="JSON lines, which the same command goes on with.")],
    model: Model = "smollm2",
    condition: Annotated[
        list[str] | None,
        typer.Option(
            help="normal, order_independent, only_parallel_attention or only_parallel_position, then _reversed or "
            "_permuted_2013, then _padded; normal_permuted is all orders. May be given again; by default normal, "
            "normal_reversed and order_independent.",
            show_default=False,
        ),
    ] = None,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Tokens to write.")] = 10,
    top_k: Annotated[int, typer.Option(min=0, help="Of so many tokens keep the probabilities, at every step.")] = 0,
    limit: Limit = None,
    dtype: Dtype = DtypeName.float32,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Run a file of prompts in the official format under the conditions of the paper.

    A prompt is {"prompt": "Which? <|start_2d|>a<|split_2d|>b<|end_2d|> Answer: ", "prompt_metadata": {"label": "a",
    "incorrect_answers": ["b"]}}; the metadata may be missing. OUT has a line for each prompt and condition, with the
    names of the official tool. Accuracy is the paper's: the answer whose tokens have the largest mean logit along
    what the model writes.

    Example: parataxis prompts run prompts.json --out answers.jsonl
    """
    from parataxis.methods.set_prompting import conditions, official
    from parataxis.methods.set_prompting.kept import writable
    from parataxis.progress import watching

    names = condition or list(conditions.OFFICIAL)
    for each in names:
        conditions.check(each)
    writable(out)
    entries = official.read_prompts(prompts, limit)
    lm = load(model, dtype, threads)
    with told(), watching("prompts") as watch:
        lines = official.run(entries, lm, out, names=names, max_new_tokens=max_new_tokens, top_k=top_k, watch=watch)
    found = _by_condition(lines)
    print(json.dumps(found, indent=1) if as_json else _table(found))
    if not as_json:
        print(f"\nlines: {out}")


def _by_condition(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of each condition: how many prompts, and the share of right answers where these are known."""
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in lines:
        groups[line["condition"]].append(line)
    return [{"condition": name, "prompts": len(group), **_accuracy(group)} for name, group in groups.items()]


def _accuracy(group: list[dict[str, Any]]) -> dict[str, Any]:
    import numpy as np

    from parataxis.methods.set_prompting.summary import rate

    known = [line["is_correct_answer"] for line in group if "is_correct_answer" in line]
    if not known:
        return {"accuracy": None}
    found = rate(np.array(known))
    return {"accuracy": found.value, "low": found.low, "high": found.high}


def _table(found: list[dict[str, Any]]) -> str:
    from parataxis.columns import aligned
    from parataxis.methods.set_prompting.summary import Estimate
    from parataxis.methods.set_prompting.text import percent

    rows = [["condition", "prompts", "accuracy"]]
    for each in found:
        known = each["accuracy"] is not None
        accuracy = percent(Estimate(each["accuracy"], each["low"], each["high"])) if known else ""
        rows.append([each["condition"], str(each["prompts"]), accuracy])
    return aligned(rows)


def register(app: typer.Typer) -> None:
    app.command("ask")(ask_command)
    app.command("run")(run_command)
