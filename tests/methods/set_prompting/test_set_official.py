import copy
import json
from dataclasses import replace

import pytest
import torch
from families import model, plain, prompter, tokenizer

from parataxis.errors import BadInput
from parataxis.lm.models import LanguageModel
from parataxis.methods.set_prompting import SetPrompt
from parataxis.methods.set_prompting.official import read_prompts, run

TEXT = "Which flies?<|start_2d|>a bee<|split_2d|>the cat<|split_2d|>a cab<|end_2d|> Answer: "
METADATA = {"label": "a bee", "incorrect_answers": ["the cat", "a cab"], "page": 3}


@pytest.fixture
def lm():
    return LanguageModel(model("llama"), tokenizer(), "tiny")


def written(folder, value, name="prompts.json"):
    (folder / name).write_text(value if isinstance(value, str) else json.dumps(value))
    return folder / name


def test_a_list_and_lines_hold_the_same(tmp_path):
    rows = [{"prompt": TEXT, "prompt_metadata": METADATA}, {"prompt": "A<|start_2d|>b<|split_2d|>c<|end_2d|>D"}]
    listed = read_prompts(written(tmp_path, rows))
    lines = read_prompts(written(tmp_path, "\n".join(map(json.dumps, rows)) + "\n", "prompts.jsonl"))
    assert listed == lines
    assert listed[0].prompt == SetPrompt.parse(TEXT)
    assert listed[0].candidates == ["a bee", "the cat", "a cab"]
    assert (listed[1].metadata, listed[1].candidates) == (None, [])
    assert read_prompts(written(tmp_path, rows), 1) == listed[:1]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"prompt": TEXT}, "holds dict, expected a list"),
        ([], "holds no prompt"),
        ("[{]", "prompts.json:1: is not JSON"),
        ([{"prompt": TEXT}, {"text": TEXT}], "prompts.json[1]: expected an object with the text `prompt`"),
        ([{"prompt": TEXT, "label": "a"}], "prompts.json[0]: 'label' is unknown; put it into prompt_metadata"),
        ([{"prompt": TEXT, "prompt_metadata": "a"}], "prompt_metadata='a'"),
        ([{"prompt": "no set"}], "the prompt has no set; mark one"),
        ([{"prompt": "A<|start_2d|>b"}], "prompts.json[0]: prompt: <|start_2d|> at character 1 has no <|end_2d|>"),
    ],
)
def test_bad_files_are_named(tmp_path, value, told):
    with pytest.raises(BadInput) as caught:
        read_prompts(written(tmp_path, value))
    assert told in str(caught.value)


def test_a_line_holds_what_the_model_writes_and_the_papers_score(tmp_path, lm):
    entries = read_prompts(written(tmp_path, [{"prompt": TEXT, "prompt_metadata": METADATA}]))
    lines = run(entries, lm, tmp_path / "out.jsonl", top_k=5, max_new_tokens=6)
    assert [line["condition"] for line in lines] == ["normal", "normal_reversed", "order_independent"]
    assert lines == [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    prompt = SetPrompt.parse(TEXT)
    asked = [(plain(), prompt), (plain(), prompt.ordered((2, 1, 0))), (prompter(), prompt)]
    for line, (asker, own) in zip(lines, asked, strict=True):
        assert line["text_output"] == asker.generate(own, max_new_tokens=6)[0]
        scores = asker.score(own, entries[0].candidates, "paper")
        assert list(line["label_scores"].values()) == pytest.approx(scores.tolist())
        assert line["is_correct_answer"] == bool(scores.argmax() == 0)
        assert line["correct_answer_prob"] == pytest.approx(float(scores.softmax(0)[0]))
        shares = asker.logits(own).float().softmax(-1)
        assert line["probs"]["token_probs"][0] == pytest.approx(float(shares.max()))
        best = line["probs"]["token_probs_dict"][0]
        assert list(best.values()) == pytest.approx(shares.topk(5).values.tolist())
        assert line["probs"]["token_ids"][0] == int(shares.argmax())
        assert len(line["probs"]["token_ids"]) <= 6
    edits = [(line["edit_position"], line["edit_attention"], line["order_independent_output"]) for line in lines]
    assert edits == [(False,) * 3] * 2 + [(True,) * 3]
    assert lines[0]["text_output"] != lines[1]["text_output"] or lines[0]["label_scores"] != lines[1]["label_scores"]


def test_every_order_of_a_set_gives_the_same_line(tmp_path, lm):
    backwards = SetPrompt.parse(TEXT).ordered((1, 2, 0)).to_text()
    entries = read_prompts(written(tmp_path, [{"prompt": TEXT}, {"prompt": backwards}]))
    names = ["order_independent", "order_independent_reversed", "normal_permuted"]
    lines = run(entries, lm, tmp_path / "out.jsonl", names=names, top_k=9)
    sets = [line for line in lines if "order_independent" in line["condition"]]
    assert len(sets) == 4
    assert all(line["probs"] == sets[0]["probs"] for line in sets)
    flat = [line for line in lines if line not in sets]
    assert len(flat) == 12
    assert len({str(line["probs"]) for line in flat}) == 6
    assert "label_scores" not in lines[0]


def test_lines_that_are_there_are_not_asked_for_again(tmp_path, lm, monkeypatch):
    entries = read_prompts(written(tmp_path, [{"prompt": TEXT, "prompt_metadata": METADATA}]))
    out = tmp_path / "out.jsonl"
    first = run(entries, lm, out)
    monkeypatch.setattr(torch.nn.Module, "__call__", None)  # the model can't be asked
    assert run(entries, lm, out) == first
    with pytest.raises(TypeError):
        run(entries, lm, out, max_new_tokens=3)
    assert len(out.read_text().splitlines()) == 3


def test_text_ends_where_the_model_ends_it(tmp_path, lm):
    end = int(prompter().logits(SetPrompt.parse(TEXT)).argmax())
    lm = replace(lm, tokenizer=copy.deepcopy(tokenizer()))
    lm.tokenizer.eos_token = lm.tokenizer.convert_ids_to_tokens(end)
    entries = read_prompts(written(tmp_path, [{"prompt": TEXT}]))
    (line,) = run(entries, lm, tmp_path / "out.jsonl", names=["order_independent"], top_k=1)
    assert line["probs"]["token_ids"] == [end]


def test_other_labels_or_other_numbers_are_another_line(tmp_path, lm):
    """An answer that was corrected in the file, or another dtype, must not be answered with what was kept."""

    def right(label, others, lm=lm):
        metadata = {"label": label, "incorrect_answers": others}
        entries = read_prompts(written(tmp_path, [{"prompt": TEXT, "prompt_metadata": metadata}]))
        (line,) = run(entries, lm, tmp_path / "out.jsonl", names=["order_independent"])
        return line["is_correct_answer"]

    scored = [right(label, sorted({"a bee", "the cat", "a cab"} - {label})) for label in ("a bee", "the cat", "a cab")]
    assert sorted(scored) == [False, False, True]
    half = LanguageModel(copy.deepcopy(lm.model).to(torch.bfloat16), lm.tokenizer, lm.name)
    right("a bee", ["a cab", "the cat"], half)
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [line["dtype"] for line in lines] == ["float32"] * 3 + ["bfloat16"]
