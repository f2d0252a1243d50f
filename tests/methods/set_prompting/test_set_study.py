"""What the study rests on: data sets as they are published, rows that are kept, questions asked on several cores."""

import gzip
import json

import pytest
from families import model, tokenizer

from parataxis.errors import BadInput
from parataxis.lm.models import LanguageModel
from parataxis.methods.set_prompting import study_asking, study_questions
from parataxis.methods.set_prompting.cli_options import DATA_SETS, find
from parataxis.methods.set_prompting.prompter import SetPrompter
from parataxis.methods.set_prompting.questions import Question, read_questions
from parataxis.methods.set_prompting.study_documents import read_searches
from parataxis.studies.context import Context
from parataxis.studies.registry import methods

PAPER = methods()["set-prompting"].paper
TINY = LanguageModel(model("llama"), tokenizer(), "tiny")
QUESTIONS = [Question(str(n), f"Which is {n}?", ("bat", "elm", "owl", "bee")[: 3 + n % 2], n % 3) for n in range(7)]


def packed(path, rows):
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
    return path


PUBLISHED = [
    {
        "id": "q",
        "question": {"stem": "Which é?", "choices": [{"label": each, "text": f"the {each}"} for each in "123"]},
        "answerKey": "3",
    },
    {
        "id": "r",
        "question": {"stem": "What?", "choices": [{"label": each, "text": each.lower()} for each in "AB"]},
        "answerKey": "A",
    },
]


def test_questions_are_read_as_they_are_published(tmp_path):
    assert read_questions(packed(tmp_path / "x.jsonl.gz", PUBLISHED)) == [
        Question("q", "Which é?", ("the 1", "the 2", "the 3"), 2),
        Question("r", "What?", ("a", "b"), 0),
    ]


def test_a_published_question_without_its_answer_is_refused(tmp_path):
    wrong = [PUBLISHED[0], {**PUBLISHED[1], "answerKey": "C"}]
    with pytest.raises(BadInput, match=r"x\.jsonl\.gz:2: question=.*one of the labels as answerKey"):
        read_questions(packed(tmp_path / "x.jsonl.gz", wrong))


def test_a_data_set_by_its_name_is_read_as_it_is_fetched(tmp_path, monkeypatch):
    asked = []
    path = packed(tmp_path / "arc_challenge_test.jsonl.gz", PUBLISHED)
    monkeypatch.setattr("parataxis.data.find", lambda paper, file: asked.append((paper.name, file)) or path)
    assert len(read_questions(find("arc_challenge_test"))) == 2
    assert asked == [("set-prompting", "arc_challenge_test.jsonl.gz")]


def test_what_can_be_asked_by_name_has_options_and_is_in_paper_toml():
    files = {each.file for each in PAPER.data}
    assert {f"{name}.jsonl.gz" for name in DATA_SETS} <= files
    with pytest.raises(BadInput, match="nq_open_oracle: there is no such file, nor a data set"):
        find("nq_open_oracle")


def test_a_passage_is_the_same_as_published_and_made_flat(tmp_path):
    rows = [
        {"question": f"who is {n}", "answers": [f"bee {n}"], "title": "T", "text": f"It is bee {n}."} for n in range(8)
    ]
    published = [
        {**{key: row[key] for key in ("question", "answers")}, "ctxs": [{"title": "T", "text": row["text"]}]}
        for row in rows
    ]
    files = packed(tmp_path / "flat.jsonl.gz", rows), packed(tmp_path / "published.jsonl.gz", published)
    one, other = (read_searches(file, 2, Context(PAPER, "toy", 0, tmp_path).rng("searches")) for file in files)
    assert one == other
    assert all(each.answer.split()[1] in each.passages[0] for each in one)


@pytest.mark.parametrize("cores", [1, 3])
def test_no_number_depends_on_how_many_cores_there_are(cores, tmp_path, monkeypatch):
    """Nor on which question is asked first."""
    posed = study_asking.posed(QUESTIONS)
    rows = study_asking.asked(TINY, "toy", posed, "plain", "two", Context(PAPER, "toy", 0, tmp_path / "toy"))
    monkeypatch.setattr(study_asking, "CORES", cores)
    quick = Context(PAPER, "quick", 0, tmp_path / "quick")
    others = study_asking.asked(TINY, "quick", posed, "plain", "two", quick)
    assert [each.id for each in rows] == [each.id for each in QUESTIONS]
    assert [(each.id, each.scores) for each in others] == [(each.id, each.scores) for each in rows]


def test_what_was_asked_before_a_kill_is_not_asked_again(tmp_path, monkeypatch):
    data = {"csqa": QUESTIONS[:4], "arc": QUESTIONS[4:]}

    def measured(kept=()):
        ctx = Context(PAPER, "toy", 0, tmp_path, kept=frozenset(kept))
        return {each.id: each for each in study_questions.measure(lambda: TINY, data, False, ctx)}

    whole = measured()
    monkeypatch.setattr(SetPrompter, "score_many", None)
    assert measured(study_questions.CLAIMS[:1]) == {name: whole[name] for name in study_questions.CLAIMS[1:]}
    assert measured(study_questions.CLAIMS) == {}
