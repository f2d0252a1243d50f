"""The options that several of the commands take, and the model that they name."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from parataxis.lm.models import LanguageModel


class ScoringName(StrEnum):
    """How a candidate is scored: its log-likelihood, that a token, less its own after a bare "Answer:"; the paper's."""

    sum = "sum"
    mean = "mean"
    pmi = "pmi"
    paper = "paper"


class DtypeName(StrEnum):
    """Of the weights."""

    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"


class TemplateName(StrEnum):
    """How a question becomes a prompt."""

    list = "list"
    mmlu = "mmlu"
    mmlu_unquoted = "mmlu-unquoted"
    csqa = "csqa"
    csqa_unquoted = "csqa-unquoted"
    chat = "chat"


Model = Annotated[str, typer.Option(help="smollm2, a folder, a .gguf file, or a name on the hub.")]
Dtype = Annotated[DtypeName, typer.Option(help="Of the weights.")]
Threads = Annotated[int | None, typer.Option(min=1, help="Of torch; by default its own choice.", show_default=False)]
Limit = Annotated[int | None, typer.Option(min=1, help="Take the first so many.", show_default=False)]
Seed = Annotated[int, typer.Option(min=0, help="What all randomness is drawn from.")]
Template = Annotated[TemplateName, typer.Option(help="How a question becomes a prompt.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Questions = Annotated[
    str,
    typer.Argument(
        metavar="QUESTIONS",
        help="JSON lines (.jsonl, .jsonl.gz) or CSV with question, choices, answer; or the name of a data set, as in "
        "arc_challenge_test.",
    ),
]


DATA_SETS = ("csqa_dev", "arc_challenge_test", "mmlu_test")  # of the files in paper.toml, those with options


def find(questions: str) -> Path:
    """The file, or the data set of that name; BadInput if it is neither."""
    from parataxis import data
    from parataxis.errors import BadInput
    from parataxis.paper_file import read_paper

    path = Path(questions)
    if path.exists() or path.suffix:
        return path
    if questions not in DATA_SETS:
        raise BadInput(f"{questions}: there is no such file, nor a data set; there: {', '.join(DATA_SETS)}")
    return data.find(read_paper(Path(__file__).with_name("paper.toml")), f"{questions}.jsonl.gz")


def load(model: str, dtype: DtypeName, threads: int | None) -> "LanguageModel":
    import torch

    from parataxis.lm import models

    if threads:
        torch.set_num_threads(threads)
    return models.load(model, dtype=dtype.value)


@contextmanager
def told() -> Iterator[None]:
    """What is warned of is told in a line each, once."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always", UserWarning)
        yield
    for each in dict.fromkeys(str(each.message) for each in found):
        print(f"parataxis: {each}", file=sys.stderr)
