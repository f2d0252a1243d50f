"""What the study trains, by scale: tasks, steps, seeds; and which arms."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from parataxis.methods.skill_it.languages import Line, character_task, read_lines
from parataxis.methods.skill_it.tasks import Task, addition_task, lego_task
from parataxis.methods.skill_it.training import Plan
from parataxis.nn.fit import named

Texts = Path | tuple[Line, ...] | None  # of languages, a file or lines; None where there is none
TARGET = {"lego": "hop 2", "languages": "pt-br"}  # hop 2: the authors' skill 3
SCARCE = 10_000  # characters of the target language, in fine-tuning

FIRST = 5  # the number of the first seed: 0 to 4 were the pilot, by whose spread it was fixed how many there are
PAIRED = ("random", "stratified", "skill-it")  # whose differences vary most from seed to seed
CONTROLS = ("identity", "stratified", "permuted")  # graphs: no edges, equal edges (which is stratified), renamed skills
MIXED = (*PAIRED, "identity", "permuted", "learned", "skill-curriculum", "skill-anticurriculum")
BY_EXAMPLE = ("curriculum", "anticurriculum")
TUNED = ("target only", "stratified", "skill-it")
COUNTED = "skill-it, counted"  # the steps that its graph took are taken from its own
GRAPH = 10  # the graph of languages trains on each language for a tenth of the steps
ORDERS = ("shuffled", "blocked")


@dataclass(frozen=True)
class Unit:
    """One training: of a task's arm, with one seed."""

    task: str
    arm: str
    seed: int


@dataclass(frozen=True)
class Sizes:
    """How many seeds: of every arm; of LEGO's `PAIRED`, of its fine-tuning, and of what is reported only. Steps of each
    training; how much of each task."""

    seeds: int
    paired: int
    tunings: int
    reported: int
    lego: int
    tuned: int
    prerequisites: int
    addition: int
    languages: int
    helped: int
    examples: int
    validation: int
    depth: int = 5
    width: int = 64
    batch: int = 64
    lr: float = 2e-3


SIZES = {
    "toy": Sizes(1, 1, 1, 1, 4, 4, 2, 4, 4, 2, 24, 4, depth=1, width=4, batch=4, lr=0.01),
    "quick": Sizes(2, 2, 2, 1, 72, 48, 30, 48, 50, 40, 3000, 30),
    "full": Sizes(5, 8, 5, 3, 1200, 600, 2000, 600, 1000, 300, 30_000, 100),
    "paper": Sizes(10, 21, 21, 5, 2400, 1200, 2400, 2400, 2000, 300, 60_000, 100),
}


def units(sizes: Sizes, with_texts: bool) -> list[Unit]:
    """All that is trained, the seeds of one arm apart, so that a run that is cut off has some of each."""
    found = []
    for at in range(max(sizes.seeds, sizes.paired, sizes.tunings)):
        seed = FIRST + at
        if at < sizes.paired:
            found += [Unit("lego", arm, seed) for arm in PAIRED]
        if at < sizes.tunings:
            found += [Unit("lego tuned", arm, seed) for arm in TUNED]
        if at < sizes.seeds:
            found += [Unit("lego", arm, seed) for arm in MIXED if arm not in PAIRED]
            found += [Unit("prerequisites", arm, seed) for arm in ("target alone", "chain")]
            found += [Unit("addition", arm, seed) for arm in ("stratified", "skill-it", *ORDERS)]
        if at < sizes.seeds and with_texts:
            found += [Unit("languages", arm, seed) for arm in ("stratified", "static")]
            found += [Unit("languages tuned", arm, seed) for arm in (*TUNED, COUNTED)]
            found += [Unit("helped", arm, seed) for arm in ("es", "de")]
        if at < sizes.reported:
            found.append(Unit("prerequisites", "one before", seed))
            found += [Unit("lego", arm, seed) for arm in BY_EXAMPLE]
            more = ("random", "skill-curriculum", "skill-anticurriculum", *BY_EXAMPLE)
            found += [Unit("addition", arm, seed) for arm in more]
    return found


def graph_steps(sizes: Sizes) -> int:
    """Of the graph of languages, on each of them."""
    return max(1, sizes.languages // GRAPH)


def plan(unit: Unit, sizes: Sizes, skills: int) -> Plan:
    """LEGO in 6 rounds, its fine-tuning in 12, Addition in 4 (a phase a skill and one more); see the paper's recipe.

    skills: of the task; the counted arm has the steps that their graph leaves.
    """
    if unit.task == "lego":
        return _rounds(sizes.lego, 6, 4, sizes)
    if unit.task == "lego tuned":
        return _rounds(sizes.tuned, 12, 1, sizes)
    if unit.task == "prerequisites":
        return _rounds(sizes.prerequisites, 1, 50, sizes, slower=2)
    if unit.task == "addition":
        return _rounds(sizes.addition, 4, 3, sizes)
    steps, rounds = (sizes.helped, 1) if unit.task == "helped" else (sizes.languages, 5)
    if unit.arm == COUNTED:
        steps = max(1, steps - skills * graph_steps(sizes))
    return _rounds(steps, rounds, 1, sizes, more=4)


def _rounds(steps: int, rounds: int, records: int, sizes: Sizes, more: int = 1, slower: int = 1) -> Plan:
    """So many rounds, and records in each, or as many as there are steps. A single round keeps its step size."""
    each = steps // min(rounds, steps)
    every = each // min(records, each)
    warm = min(50, steps // 6)
    return Plan(steps, more * sizes.batch, each, every, lr=sizes.lr / slower, warm_up=warm, decay=rounds > 1)


def task(unit: Unit, sizes: Sizes, key: int, texts: Texts) -> Task:
    """key: of the seed. The same for all arms of a seed; these follow one another, so the last few are kept."""
    if unit.task in ("lego", "lego tuned", "prerequisites", "addition"):
        return _generated("addition" if unit.task == "addition" else "lego", sizes, key)
    return _languages(texts, unit.task == "languages tuned", 15 * sizes.validation)


@lru_cache(maxsize=3)
def _generated(name: str, sizes: Sizes, key: int) -> Task:
    rng, validation, width = named(key, "task"), sizes.validation, sizes.width
    if name == "lego":
        return lego_task(rng, sizes.examples, validation=validation, depth=sizes.depth, width=width)
    return addition_task(rng, sizes.examples, validation=validation, depth=min(3, sizes.depth), width=width)


@lru_cache(maxsize=2)
def _languages(texts: Texts, scarce: bool, validation: int) -> Task:
    """Of no seed: the texts are what they are."""
    assert texts is not None
    lines = read_lines(texts) if isinstance(texts, Path) else texts
    return character_task(lines, limit={TARGET["languages"]: SCARCE} if scarce else None, validation=validation)
