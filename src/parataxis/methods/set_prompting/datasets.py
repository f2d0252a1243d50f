"""Data sets as they are published, made into files of questions as this method reads them."""

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

from parataxis.files import write_atomic
from parataxis.methods.set_prompting.questions import LETTERS


def flat(path: Path) -> Path:
    """A file of questions that `read_questions` reads: this one, unless its lines are those of CommonsenseQA and ARC.

    These nest the choices in the question and give the right one by its label; their file is rewritten once, into the
    cache.
    """
    import platformdirs

    with gzip.open(path, "rt", encoding="utf-8") as stream:
        lines = [line for line in stream if line.strip()]
    if not isinstance(json.loads(lines[0]).get("question"), dict):
        return path
    known = hashlib.sha256("".join(lines).encode()).hexdigest()[:16]
    kept = platformdirs.user_cache_path("parataxis") / "set-prompting" / f"flat-{known}-{path.name}"
    if not kept.exists():
        rows = "".join(json.dumps(_flat(json.loads(line)), ensure_ascii=False) + "\n" for line in lines)
        write_atomic(kept, gzip.compress(rows.encode(), mtime=0))
    return kept


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """Labels are letters or, in some lines of ARC, numbers from 1 on."""
    choices = row["question"]["choices"]
    labels = [each["label"] for each in choices]
    assert labels == list(LETTERS[: len(labels)]) or labels == [str(place + 1) for place in range(len(labels))], labels
    return {
        "id": row["id"],
        "question": row["question"]["stem"],
        "choices": [each["text"] for each in choices],
        "answer": labels.index(row["answerKey"]),
    }
