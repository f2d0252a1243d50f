"""What the study rests on: data sets as they are published, rows that are kept, questions asked on several cores."""

import gzip
import json

import pytest
from families import model, tokenizer

from parataxis.lm.models import LanguageModel
from parataxis.methods.set_prompting import study_asking, study_questions
from parataxis.methods.set_prompting.datasets import flat
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


def test_published_questions_are_made_flat_once(tmp_path, monkeypatch):
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path / "cache" / name)
    choices = [{"label": label, "text": f"the {label}"} for label in "123"]
    letters = [{"label": label, "text": label} for label in "AB"]
    published = [
        {"id": "q", "question": {"stem": "Which é?", "choices": choices}, "answerKey": "3"},
        {"id": "r", "question": {"stem": "What?", "choices": letters}, "answerKey": "A"},
    ]
    made = flat(packed(tmp_path / "x.jsonl.gz", published))
    assert read_questions(made) == [
        Question("q", "Which é?", ("the 1", "the 2", "the 3"), 2),
        Question("r", "What?", ("A", "B"), 0),
    ]
    assert flat(made) == made
    before = made.stat().st_mtime_ns
    assert flat(tmp_path / "x.jsonl.gz").stat().st_mtime_ns == before
    other = flat(packed(tmp_path / "x.jsonl.gz", published[:1]))
    assert len(read_questions(other)) == 1, "another file of that name has a place of its own"


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
