"""What the common tests need to know of this method."""

import json
from pathlib import Path

from parataxis.lm.models import PACKED
from parataxis.methods.set_prompting.layout import lay_out
from parataxis.methods.set_prompting.made import QUESTION, made_model, made_tokenizer, orders_of
from parataxis.methods.set_prompting.prompt import Set, SetPrompt
from parataxis.methods.set_prompting.prompter import SetPrompter

MARKED = "Which is a fruit? <|start_2d|>- a chair <|split_2d|>- an apple <|end_2d|>Answer:"
AUDIT = ["prompts", "audit", "questions.jsonl", "--limit", "20", "--out", "audit"]
CHOICES = ["a chair", "an apple", "a cloud"]


def prepare(folder):
    """A made model stands where the packaged one is kept once it is converted: no test needs that package."""
    small = folder.parent / "cache-home" / "parataxis" / "lm" / Path(PACKED).stem
    made_model("llama").save_pretrained(small)
    made_tokenizer().save_pretrained(small)
    lines = [json.dumps({"question": f"Which is a fruit, {n}?", "choices": CHOICES, "answer": 1}) for n in range(2)]
    (folder / "questions.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "wrong.jsonl").write_text('{"question": "Which?", "choices": ["a", ""], "answer": 0}\n')
    (folder / "prompts.json").write_text(json.dumps([{"prompt": MARKED}]))
    (folder / "unmarked.json").write_text(json.dumps([{"prompt": "Which <|split_2d|> of them?"}]))


def _same_audit(value, text):
    return value["questions"] == 2 if "questions" in value else bool(text)


HELP_EXAMPLES = [(AUDIT, _same_audit)]
BAD_INPUTS = [
    (["prompts", "audit", "absent.jsonl"], "absent.jsonl: can't be read"),
    (["prompts", "audit", "wrong.jsonl"], "wrong.jsonl:1: choices[1]='': expected text"),
    (["prompts", "audit", "questions.jsonl", "--orders", "some"], "orders='some': expected two, all, or a number"),
    (["prompts", "audit", "questions.jsonl", "--model", "./absent"], "there is no such folder"),
    (["prompts", "run", "unmarked.json", "--out", "lines.jsonl"], "<|split_2d|>"),
    (["prompts", "ask", "Which of them?"], "has no set; mark one, as in"),
]


def _positions():
    """The paper's Figure 1 by hand: prefix of 2, members of 2 and 3 tokens, suffix of 1."""
    prompt = SetPrompt("ab", Set(["cd", "efg"]), "h")
    return lay_out(prompt, lambda text, first: [ord(each) for each in text]).positions.numpy()


GOLDEN = [("the two edits by hand: |A| = 2, |S| = 2 and 3, |D| = 1", _positions, [0, 1, 2, 3, 2, 3, 4, 5], 0)]


def _predict(prompts):
    prompter = SetPrompter(made_model("llama"), made_tokenizer())
    return [prompter.logits(prompt).numpy() for prompt in prompts]


PREDICT = (_predict, orders_of(QUESTION)[:4])
SAVE = "a prompt is text, and round-trips to text; the model is the user's own"
