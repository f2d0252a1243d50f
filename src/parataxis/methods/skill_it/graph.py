"""The skills graph: how much training on one skill helps another; learned from short runs, or from a table of runs."""

import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from parataxis.errors import BadInput
from parataxis.files import write_atomic
from parataxis.methods.skill_it.draws import by_name, checked_names, stream
from parataxis.progress import Tell, untold

if TYPE_CHECKING:
    import networkx

Matrix = Float[np.ndarray, "train eval"]
Losses = Mapping[str, float]
Runner = Callable[[Mapping[str, float], int, int], tuple[Losses, Losses]]  # (mixture, steps, seed) -> before, after
METHODS = ("pairwise", "single")
KIND = "skills graph"
RESAMPLES = 2000
PERCENTILES = (2.5, 97.5)  # of the bootstrap intervals


@dataclass(frozen=True, eq=False)
class SkillGraph:
    """matrix[i, j]: how much training on `train_skills[i]` helps `eval_skills[j]`; 0: not at all, below 0: it harms.

    low, high: the bootstrap interval of each entry, over seeds or over the rows of a table, where one was made.
    steps: the training steps that learning it took.
    """

    matrix: Matrix
    train_skills: tuple[str, ...]
    eval_skills: tuple[str, ...]
    low: Matrix | None = None
    high: Matrix | None = None
    steps: int = 0

    def __post_init__(self) -> None:
        train = checked_names(self.train_skills, "train_skills")
        evaluated = checked_names(self.eval_skills, "eval_skills")
        object.__setattr__(self, "train_skills", train)
        object.__setattr__(self, "eval_skills", evaluated)
        if (self.low is None) != (self.high is None):
            raise BadInput("low, high: give both ends of the intervals, or neither")
        for name in ("matrix", "low", "high"):
            if (given := getattr(self, name)) is None:
                continue
            table = np.array(given, float)
            if table.shape != (len(train), len(evaluated)):
                raise BadInput(
                    f"{name}: shape={table.shape}: expected {(len(train), len(evaluated))}, "
                    "a row a skill that is trained on, a column a skill that is evaluated"
                )
            if not np.isfinite(table).all():
                row, column = np.argwhere(~np.isfinite(table))[0]
                raise BadInput(
                    f"{name}: edge {train[row]!r} -> {evaluated[column]!r}: {table[row, column]} must be finite"
                )
            table.setflags(write=False)
            object.__setattr__(self, name, table)
        if self.low is not None and self.high is not None and len(wrong := np.argwhere(self.low > self.high)):
            row, column = wrong[0]
            raise BadInput(
                f"edge {train[row]!r} -> {evaluated[column]!r}: its interval's low end is above the high one"
            )

    @property
    def own(self) -> np.ndarray:
        """bool [train, eval]: whether row and column are one skill."""
        return np.array([[a == b for b in self.eval_skills] for a in self.train_skills])

    @classmethod
    def learn(
        cls,
        runner: Runner,
        skills: Sequence[str],
        horizon: int,
        *,
        method: str = "pairwise",
        seeds: Sequence[int] = (0,),
        eval_skills: Sequence[str] | None = None,
        clip: bool = True,
        jobs: int = 1,
        tell: Tell = untold,
    ) -> "SkillGraph":
        """From short runs of `horizon` steps, each begun at the same base model.

        runner: trains on a mixture of skills and gives the validation losses of all skills before and after; with
        jobs > 1 it is called in as many processes, and must be picklable.
        method "single": the relative drop of j's loss by training on i alone; a run a skill. "pairwise": how much more
            j's loss drops by training half on i and half on j than by j alone, relative to the latter; a run a skill
            and a run a pair, since the half-and-half run of i and j serves both.
        clip: edges below 0, by which i harms j, become 0.
        """
        if method not in METHODS:
            raise BadInput(f"method={method!r}: expected one of {', '.join(METHODS)}")
        skills = checked_names(skills, "skills")
        columns = checked_names(skills if eval_skills is None else eval_skills, "eval_skills")
        seeds = list(seeds)
        if horizon < 1 or not seeds:
            raise BadInput(f"horizon={horizon}, seeds={seeds}: expected at least one step and one seed")
        if method == "pairwise" and columns != skills:
            raise BadInput("method='pairwise': trains on every evaluated skill; use 'single' for skills out of domain")
        mixtures: list[dict[str, float]] = [{each: 1.0} for each in skills]
        if method == "pairwise":
            mixtures += [{a: 0.5, b: 0.5} for at, a in enumerate(skills) for b in skills[at + 1 :]]
        drops = _drops(runner, mixtures, columns, horizon, seeds, jobs, tell)
        build = _pairwise if method == "pairwise" else _single
        runs = np.stack([build(skills, columns, mixtures, each) for each in drops])
        low, high = _over_seeds(runs, skills, columns) if len(seeds) > 1 else (None, None)
        found = cls(runs.mean(0), skills, columns, low, high, horizon * len(mixtures) * len(seeds))
        return found._clipped() if clip else found

    def _clipped(self) -> "SkillGraph":
        """After the mean and its interval: of noise about 0, what is cut off run by run would leave a sure edge."""
        low, high = (None if each is None else np.maximum(each, 0.0) for each in (self.low, self.high))
        return replace(self, matrix=np.maximum(self.matrix, 0.0), low=low, high=high)

    def threshold(self, least: float = 0.0) -> "SkillGraph":
        """Without the edges that are not sure: whose interval holds 0, or that are weaker than `least`."""
        keep = np.abs(self.matrix) >= least
        if self.low is not None and self.high is not None:
            keep &= (self.low > 0) | (self.high < 0)
        return replace(self, matrix=np.where(keep, self.matrix, 0.0))

    def scaled(self) -> "SkillGraph":
        """Divided by its largest entry, as in the authors' binary graphs 1 is: eta then means the same."""
        most = float(np.abs(self.matrix).max()) or 1.0
        low, high = (None if each is None else each / most for each in (self.low, self.high))
        return replace(self, matrix=self.matrix / most, low=low, high=high)

    @property
    def density(self) -> float:
        """The share of edges that there are, of those between different skills."""
        other = ~self.own
        return float((self.matrix[other] != 0).mean()) if other.any() else 0.0

    @property
    def is_ordered(self) -> bool:
        """Neither empty nor complete: the skills are an ordered set, and choosing by the graph can be of use."""
        return 0 < self.density < 1

    def summary(self) -> str:
        lines = [
            f"{len(self.train_skills)} skills trained on, {len(self.eval_skills)} evaluated; density {self.density:.2f}"
        ]
        if self.density == 0:
            lines.append("warning: there is no edge between skills; weights will follow the losses alone")
        if self.density == 1:
            lines.append("warning: there is an edge between all skills; threshold() leaves those that are sure")
        if np.ptp(self.matrix, axis=0).max() < 1e-12:
            lines.append("warning: every skill helps alike; weights will be uniform")
        for place in np.argsort(-np.where(self.own, -np.inf, self.matrix), axis=None)[:5]:
            row, column = divmod(int(place), len(self.eval_skills))
            if not self.own[row, column] and self.matrix[row, column] > 0:
                sure = ""
                if self.low is not None and self.high is not None:
                    sure = f" [{self.low[row, column]:.3f}, {self.high[row, column]:.3f}]"
                lines.append(
                    f"{self.train_skills[row]} -> {self.eval_skills[column]}: {self.matrix[row, column]:.3f}{sure}"
                )
        return "\n".join(lines)

    def to_networkx(self) -> "networkx.DiGraph":
        """A node a skill, what it does for itself as `own`; an edge for each entry that is not 0, with `weight`."""
        import networkx

        found = networkx.DiGraph()
        found.add_nodes_from(dict.fromkeys([*self.train_skills, *self.eval_skills]))
        for (row, column), weight in np.ndenumerate(self.matrix):
            one, other = self.train_skills[row], self.eval_skills[column]
            if one == other:
                found.nodes[one]["own"] = float(weight)
            elif weight:
                found.add_edge(one, other, weight=float(weight))
        return found

    def plot(self, ax: Any = None) -> Any:
        """Rows: trained on; columns: evaluated. A cross marks an edge whose interval holds 0. Returns the axes."""
        from parataxis.methods.skill_it.plot import graph

        return graph(self, ax)

    def to_json(self) -> dict[str, Any]:
        tables = {name: getattr(self, name) for name in ("matrix", "low", "high")}
        return {
            "kind": KIND,
            "train_skills": list(self.train_skills),
            "eval_skills": list(self.eval_skills),
            **{name: table.tolist() for name, table in tables.items() if table is not None},
            "steps": self.steps,
        }

    def save(self, path: Path | str) -> Path:
        """As JSON, in one file, so that a kill leaves no half of it."""
        return write_atomic(path, json.dumps(self.to_json(), indent=1))

    @classmethod
    def load(cls, path: Path | str, train_skills: Sequence[str] = (), eval_skills: Sequence[str] = ()) -> "SkillGraph":
        """What `save` wrote; or a matrix in an .npy file, with the names of its rows, and of its columns if they are
        others. Raises BadInput."""
        path = Path(path)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise BadInput(f"{path}: can't be read: {error.strerror}; give a graph.json or an .npy") from None
        try:
            if path.suffix == ".npy":
                if not train_skills:
                    raise BadInput("an .npy file names no skills; give their names")
                matrix = np.load(io.BytesIO(content), allow_pickle=False)
                return cls(matrix, tuple(train_skills), tuple(eval_skills or train_skills))
            found = json.loads(content)
            if not isinstance(found, dict) or found.pop("kind", None) != KIND:
                raise BadInput("is no skills graph; `parataxis skills graph` writes one")
            tables = {name: np.array(found[name], float) for name in ("matrix", "low", "high") if name in found}
            names = {name: tuple(found[name]) for name in ("train_skills", "eval_skills")}
            return cls(**{**found, **tables, **names})
        except BadInput as error:
            raise BadInput(f"{path}: {error}") from None
        except (ValueError, TypeError, KeyError, EOFError) as error:
            raise BadInput(f"{path}: is no skills graph ({type(error).__name__}: {error})") from None


# -- from runs -----------------------------------------------------------------------------------------------------


def _drops(
    runner: Runner,
    mixtures: list[dict[str, float]],
    columns: tuple[str, ...],
    horizon: int,
    seeds: list[int],
    jobs: int,
    tell: Tell,
) -> list[list[tuple[np.ndarray, np.ndarray]]]:
    """For each seed and mixture: the losses before, and how far they dropped."""
    from joblib import Parallel, delayed

    wanted = [(mixture, seed) for seed in seeds for mixture in mixtures]
    work = Parallel(n_jobs=jobs, return_as="generator")(
        delayed(runner)(mixture, horizon, seed) for mixture, seed in wanted
    )
    found = []
    for number, (before, after) in enumerate(work, 1):
        start, end = (
            by_name({name: each[name] for name in columns if name in each}, columns, "runner: losses")
            for each in (before, after)
        )
        found.append((start, start - end))
        tell(number, len(wanted))
    return [found[at : at + len(mixtures)] for at in range(0, len(found), len(mixtures))]


def _single(skills: Any, columns: Any, mixtures: Any, drops: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """A_ij = (L_j before - L_j after training on i) / L_j before."""
    for before, _ in drops:
        for name, value in zip(columns, before, strict=True):
            if value <= 0:
                raise BadInput(f"skill {name!r}: loss before training={value:g}: must be above 0")
    return np.stack([drop / before for before, drop in drops])


def _pairwise(skills: Any, columns: Any, mixtures: Any, drops: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """A_ij = (d_ij - d_j) / d_j with d the drop of j's loss; A_jj = 1."""
    place = {name: at for at, name in enumerate(skills)}
    alone = np.array([drops[at][1][at] for at in range(len(skills))])
    for name, value in zip(skills, alone, strict=True):
        if value <= 0:
            raise BadInput(
                f"skill {name!r}: training on it alone changes its loss by {-value:+.3g}, where it must fall; take "
                "more steps, or method 'single'"
            )
    found = np.eye(len(skills))
    for mixture, (_, drop) in zip(mixtures[len(skills) :], drops[len(skills) :], strict=True):
        a, b = (place[name] for name in mixture)
        found[a, b] = (drop[b] - alone[b]) / alone[b]
        found[b, a] = (drop[a] - alone[a]) / alone[a]
    return found


def _over_seeds(runs: np.ndarray, skills: Sequence[str], columns: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Percentile bootstrap of the mean over seeds; every edge is resampled by a stream of its own name."""
    low, high = np.empty(runs.shape[1:]), np.empty(runs.shape[1:])
    for (row, column), _ in np.ndenumerate(low):
        rng = stream(0, "bootstrap", skills[row], columns[column])
        means = rng.choice(runs[:, row, column], (RESAMPLES, len(runs))).mean(1)
        low[row, column], high[row, column] = _ends(means)
    return low, high


def _ends(values: np.ndarray) -> np.ndarray:
    return np.percentile(values, PERCENTILES, axis=0)
