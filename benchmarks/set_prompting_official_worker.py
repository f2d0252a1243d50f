"""The released code of Set-Based Prompting, asked in its own interpreter: `set_prompting_official.py` starts this.

It gets a job as JSON on its standard input, imports `set_based_prompting` from the checkout that the job names, and
writes arrays and a line of JSON. Nothing of parataxis is imported: that interpreter need not have it.
"""

import importlib
import json
import sys
import time
import traceback
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np


class Texts:
    """In place of a tokenizer: the ids of each text as ours gave them, so that both read the same tokens."""

    eos_token_id = pad_token_id = 2
    all_special_ids = ()

    def __init__(self, ids: dict[str, list[int]]) -> None:
        self.ids = ids

    def __call__(self, text: str, **_: Any) -> Any:
        import torch
        from transformers import BatchEncoding

        ids = torch.tensor([self.ids[text]])
        return BatchEncoding({"input_ids": ids, "attention_mask": torch.ones_like(ids)})

    def decode(self, ids: Any, **_: Any) -> str:
        return " ".join(map(str, ids.tolist()))


def asked(job: dict[str, Any], model: dict[str, Any]) -> dict[str, Any]:
    """First-step logits in every order, the ids that follow, and seconds a call."""
    import torch
    from set_based_prompting import order_independent_query
    from transformers import AutoModelForCausalLM

    loaded = AutoModelForCausalLM.from_pretrained(model["folder"], torch_dtype=torch.float32).eval()
    prefix, members, suffix = model["prompt"]
    texts, count = Texts(model["ids"]), job["new"]

    def ask(order: tuple[int, ...], new: int) -> Any:
        return order_independent_query(prefix, [members[place] for place in order], suffix, loaded, texts, new)

    with torch.no_grad():
        orders = list(permutations(range(len(members))))
        steps = [ask(order, 1).raw_output.scores[0][0].numpy() for order in orders]
        ids = [ask(order, count).raw_output.sequences[0, -count:].tolist() for order in orders]
        seconds = [timed(lambda: ask(orders[0], count)) for _ in range(job["rounds"])]
    np.save(model["out"], np.stack(steps))
    return {"ids": ids, "seconds": seconds}


def masked(job: dict[str, Any]) -> dict[str, Any]:
    """Seconds that building the mask takes for members of these lengths, and the mask."""
    import torch
    from set_based_prompting import get_attention_mask_2d_n_options

    def tokens(count: int) -> dict[str, Any]:
        return {"input_ids": torch.ones(1, count, dtype=torch.long), "attention_mask": torch.ones(1, count)}

    before, members, after = job["lengths"]
    pieces = (tokens(before), [tokens(each) for each in members], tokens(after), tokens(before + sum(members) + after))
    mask = get_attention_mask_2d_n_options(*pieces)
    np.save(job["mask"], mask[0, 0].numpy() > 0)
    return {"seconds": [timed(lambda: get_attention_mask_2d_n_options(*pieces)) for _ in range(job["rounds"])]}


def timed(work: Any) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def main() -> None:
    job = json.load(sys.stdin)
    sys.path.insert(0, job["checkout"])
    begun = time.process_time()
    importlib.import_module("set_based_prompting")  # which imports TensorFlow: it is timed
    import torch
    import transformers

    torch.set_num_threads(1)
    versions = f"transformers {transformers.__version__}, torch {torch.__version__}"
    found: dict[str, Any] = {"versions": versions, "import": time.process_time() - begun, "models": {}}
    found["mask"] = masked(job)
    for name, model in job["models"].items():
        try:
            found["models"][name] = asked(job, model)
        except Exception:  # of whatever kind: it is what there is to report
            found["models"][name] = {"error": traceback.format_exc().strip().splitlines()[-1]}
    Path(job["out"]).write_text(json.dumps(found))


if __name__ == "__main__":
    main()
