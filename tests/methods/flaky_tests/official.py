"""Where the published data of paper.toml lie: in $PARATAXIS_DATA, else fetched once."""

from pathlib import Path

from parataxis.data import find
from parataxis.studies.registry import methods


def official(file: str) -> Path:
    return find(methods()["flaky-tests"].paper, file)
