import gzip
import itertools
import json

import pytest
from families import tokenizer

from parataxis.errors import BadInput
from parataxis.methods.set_prompting import Set, SetPrompt
from parataxis.methods.set_prompting.questions import Question, read_questions, repeated
from parataxis.methods.set_prompting.templates import TEMPLATES, pose, template

GOOD = {"question": "Which flies?", "choices": ["bee", "cat"], "answer": 0}


def written(folder, *rows, name="q.jsonl"):
    (folder / name).write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return folder / name


# -- reading -------------------------------------------------------------------------------------------------------


def test_json_lines_keep_what_else_they_hold(tmp_path):
    path = written(tmp_path, {**GOOD, "id": 7, "concept": "wings"}, "", {**GOOD, "answer": 1})
    first, second = read_questions(path)
    assert first == Question("7", "Which flies?", ("bee", "cat"), 0)
    assert first.extra == {"concept": "wings"}
    assert (second.id, second.answer) == ("3", 1)  # the line it stands in
    assert read_questions(path, 1) == [first]


def test_a_packed_file_and_a_csv_hold_the_same(tmp_path):
    packed = tmp_path / "q.jsonl.gz"
    packed.write_bytes(gzip.compress(json.dumps({**GOOD, "id": "2"}).encode()))
    listed = written(tmp_path, "id,question,choices,answer", '2,Which flies?,"[""bee"",""cat""]",0', name="a.csv")
    columns = written(
        tmp_path, "id,question,choice1,choice2,choice3,answer", "2,Which flies?,bee,cat,,bee", name="b.csv"
    )
    assert read_questions(packed) == read_questions(listed) == read_questions(columns)


@pytest.mark.parametrize(
    ("answer", "choices", "place"),
    [(1, ["a", "b"], 1), ("b", ["a", "b"], 1), ("B", ["x", "y"], 1), ("1", ["x", "y"], 1), ("3", ["2", "3"], 1)],
)
def test_an_answer_is_a_place_a_text_or_a_letter(tmp_path, answer, choices, place):
    (question,) = read_questions(written(tmp_path, {**GOOD, "choices": choices, "answer": answer}))
    assert question.answer == place


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({**GOOD, "answer": 2}, "answer=2: expected a place from 0 to 1"),
        ({**GOOD, "answer": -1}, "answer=-1"),
        ({**GOOD, "answer": True}, "answer=True"),
        ({**GOOD, "answer": None}, "answer=None"),
        ({**GOOD, "answer": "dog"}, "answer='dog'"),
        ({**GOOD, "choices": ["B", "A"], "answer": "A"}, "could be two of the choices"),
        ({**GOOD, "choices": ["1", "0"], "answer": "1"}, "could be two of the choices"),
        ({**GOOD, "choices": ["bee"]}, "a list of two texts or more"),
        ({**GOOD, "choices": "bee"}, "choices='bee'"),
        ({**GOOD, "choices": ["bee", " "]}, "choices[1]=' ': expected text that is not empty; drop the choice"),
        ({**GOOD, "choices": ["bee", 3]}, "choices[1]=3"),
        ({**GOOD, "choices": ["bee", "<|split_2d|>"]}, "choices[1]: holds <|split_2d|>"),
        ({**GOOD, "question": ""}, "question=''"),
        ({"choices": ["a", "b"], "answer": 0}, "question=None"),
        ([1], "holds list"),
        ("{", "is not JSON"),
    ],
)
def test_bad_lines_are_named(tmp_path, row, told):
    path = written(tmp_path, GOOD, row)
    with pytest.raises(BadInput) as caught:
        read_questions(path)
    assert str(caught.value).startswith(f"{path}:2: ")
    assert told in str(caught.value)


def test_bad_files_are_named(tmp_path):
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(b"x" * 500)[:20])
    (tmp_path / "latin.jsonl").write_bytes("{'question': 'é'}".encode("latin-1"))
    cases = {
        "cut.jsonl.gz": "not a whole gzip",
        "latin.jsonl": "not text in UTF-8",
        "none.jsonl": "can't be read",
        "q.txt": "expected a name that ends with one of .jsonl, .jsonl.gz, .csv",
        written(tmp_path, name="empty.jsonl").name: "holds no question",
        written(tmp_path, "question,choices,answer", "a,b", name="short.csv").name: "short.csv:2: expected 3 cells",
    }
    for name, told in cases.items():
        with pytest.raises(BadInput, match=told):
            read_questions(tmp_path / name)


def test_choices_that_read_alike_are_one():
    twice = Question("1", "Which?", ("bee", "cat", "bee"), 2)
    assert twice.key == 0
    assert repeated([twice, Question("2", "Which?", ("bee", "cat"), 0)]) == 1


# -- posing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text"),
    [  # the first prompts of csqa_quoted, csqa_input, mmlu_quoted, mmlu_input in reidmcy/set-based-prompting
        ("csqa", 'Q?\n<|start_2d|>"\n- a" <|split_2d|>"\n- the \'b\'" <|end_2d|>Answer: '),
        ("csqa-unquoted", 'Q?\n<|start_2d|>\n- a<|split_2d|>\n- the "b"<|end_2d|> Answer: '),
        ("mmlu", 'Q?<|start_2d|>"a" <|split_2d|>"the \'b\'" <|end_2d|>Answer: '),
        ("mmlu-unquoted", 'Q?<|start_2d|>a<|split_2d|>the "b"<|end_2d|> Answer: '),
        ("list", 'Q?\n<|start_2d|>- a\n<|split_2d|>- the "b"\n<|end_2d|>Answer:'),
    ],
)
def test_the_official_layouts(name, text):
    prompt, candidates = pose(Question("1", "Q?", ("a", 'the "b"'), 0), TEMPLATES[name])
    assert prompt.to_text() == text
    assert [each.strip() for each in candidates] == ["a", 'the "b"']


def test_a_chat_is_rendered_once_around_the_set():
    import copy

    chatty = copy.deepcopy(tokenizer())
    chatty.chat_template = (
        "{% for m in messages %}[{{ m.content }}]{% endfor %}{% if add_generation_prompt %}>{% endif %}"
    )
    question = Question("1", "Q {} ?", ("{}", "b"), 0)
    prompt, candidates = pose(question, template("chat"), chatty)
    assert isinstance(prompt, SetPrompt)
    assert prompt.pieces[:2] == ("[Q {} ?\n", Set(["- {}\n", "- b\n"]))
    assert prompt.pieces[2].endswith("]>")
    assert candidates == ("{}", "b")
    message, _ = pose(question, template("chat"))  # for an endpoint
    assert message.plain().startswith("Q {} ?\n- {}\n- b\nAnswer")
    with pytest.raises(BadInput, match="no chat template"):
        pose(question, template("chat"), tokenizer())


def test_an_unknown_template_is_named():
    with pytest.raises(BadInput, match="template='x': expected one of list, mmlu"):
        template("x")


@pytest.mark.parametrize("name", TEMPLATES)
def test_no_template_puts_an_order_back_in(name):
    """A letter or a number before an option would: then other options in other places were other texts."""
    question = Question("1", "Which?", ("x y", "z", "u"), 0)
    prompt, candidates = pose(question, template(name))
    for order in itertools.permutations(range(3)):
        other = Question("1", "Which?", tuple(question.choices[place] for place in order), 0)
        again, others = pose(other, template(name))
        assert again == prompt.ordered(order)
        assert others == tuple(candidates[place] for place in order)
    assert [each.strip() for each in candidates] == list(question.choices)  # scored is the text, not a letter
