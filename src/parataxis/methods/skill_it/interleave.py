"""Streams of examples, interleaved by weights that change: what `datasets.interleave_datasets` does with fixed ones."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from parataxis.errors import BadInput
from parataxis.methods.skill_it.draws import arrangement, exact_counts, mixture
from parataxis.methods.skill_it.sampler import Controller

if TYPE_CHECKING:
    from datasets import IterableDataset


def interleave_skills(
    datasets: Mapping[str, Any], controller: Controller, *, round_size: int, seed: int = 0, rounds: int | None = None
) -> "IterableDataset":
    """An iterable dataset of the examples of all, mixed in rounds of `round_size` by the controller's weights, which
    are read as a round begins: update the controller between two rounds.

    datasets: for each skill an iterable dataset, which gives its examples in its own order (shuffle it there) and is
    begun anew when it is used up, in its next epoch if it has `set_epoch`. rounds: after which it ends; None, never.
    Iterate in the main process (a loader with num_workers=0): a worker would have a copy of the controller.

    Raises BadInput.
    """
    from datasets import IterableDataset

    if round_size < 1:
        raise BadInput(f"round_size={round_size}: expected at least 1")
    skills = tuple(controller.weights)
    mixture(dict.fromkeys(datasets, 1.0), skills, "datasets")

    def examples() -> Iterator[dict[str, Any]]:
        streams = {name: _endless(name, data) for name, data in datasets.items()}
        number = 0
        while rounds is None or number < rounds:
            counts = exact_counts(mixture(controller.weights, skills), round_size, skills, (seed, number))
            for name, count in zip(skills, counts.tolist(), strict=True):
                if count and name not in streams:
                    raise BadInput(f"datasets: skill {name!r} has none, but {count} of a round are to be of it")
            for place in arrangement(counts, skills, seed, number):
                yield next(streams[skills[place]])
            number += 1

    return IterableDataset.from_generator(examples)


def _endless(name: str, data: Any) -> Iterator[dict[str, Any]]:
    epoch = 0
    while True:
        if hasattr(data, "set_epoch"):
            data.set_epoch(epoch)
        empty = True
        for example in data:
            empty = False
            yield example
        if empty:
            raise BadInput(f"datasets: skill {name!r} has no training rows")
        epoch += 1
