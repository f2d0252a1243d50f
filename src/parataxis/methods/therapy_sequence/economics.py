"""Which strategy to pay for: dominance in words, ratios only where they mean something, net benefit everywhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import ceil
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from parataxis.errors import BadInput

EQUAL = 1e-12  # QALYs, or a unit of money: no difference


def net_benefit(cost: Any, qaly: Any, threshold: Any) -> Any:
    """In money: threshold x QALYs - cost."""
    return threshold * np.asarray(qaly) - np.asarray(cost)


def frontier(cost: Sequence[float], qaly: Sequence[float]) -> list[int]:
    """Places of the strategies that are best at some threshold, by rising cost."""
    order = sorted(range(len(cost)), key=lambda i: (cost[i], -qaly[i], i))
    kept: list[int] = []
    for i in order:
        if kept and qaly[i] <= qaly[kept[-1]] + EQUAL:
            continue  # no better than what costs no more
        while len(kept) > 1 and _ratio(cost, qaly, kept[-2], kept[-1]) >= _ratio(cost, qaly, kept[-1], i):
            kept.pop()  # the next one buys QALYs for less: extended dominance
        kept.append(i)
    return kept


def _ratio(cost: Sequence[float], qaly: Sequence[float], low: int, high: int) -> float:
    return (cost[high] - cost[low]) / (qaly[high] - qaly[low])


def icer_table(names: Sequence[str], cost: Sequence[float], qaly: Sequence[float]) -> pd.DataFrame:
    """By rising cost: strategy, cost, qaly, against (the strategy compared with), d_cost, d_qaly, icer (NaN where a
    strategy dominates), standing in words.
    """
    kept = frontier(cost, qaly)
    rows = []
    for i in sorted(range(len(names)), key=lambda i: (cost[i], -qaly[i], i)):
        below = [k for k in kept if k != i and (cost[k], -qaly[k]) <= (cost[i], -qaly[i])]
        row = {"strategy": names[i], "cost": cost[i], "qaly": qaly[i], "against": "", "icer": np.nan}
        row |= {"d_cost": np.nan, "d_qaly": np.nan, "standing": "cheapest"}
        if below:
            other = below[-1] if i in kept else _dominator(cost, qaly, below)
            row |= {"against": names[other], "d_cost": cost[i] - cost[other], "d_qaly": qaly[i] - qaly[other]}
            if i in kept:
                row |= {"icer": _ratio(cost, qaly, other, i), "standing": "on the frontier"}
            elif qaly[i] <= qaly[other] + EQUAL:
                same = abs(cost[i] - cost[other]) <= EQUAL and abs(qaly[i] - qaly[other]) <= EQUAL
                row["standing"] = f"equal to {names[other]}" if same else f"dominated by {names[other]}"
            else:
                row["standing"] = "extendedly dominated"
        rows.append(row)
    columns = ["strategy", "cost", "qaly", "against", "d_cost", "d_qaly", "icer", "standing"]
    return pd.DataFrame(rows, columns=columns)


def _dominator(cost: Sequence[float], qaly: Sequence[float], below: list[int]) -> int:
    return max(below, key=lambda k: (qaly[k], -cost[k]))


def in_words(name: str, other: str, d_cost: float, d_qaly: float, currency: str = "") -> str:
    """One strategy against another: dominance is said, not divided."""
    money = f" {currency}" if currency else ""
    if abs(d_cost) <= EQUAL and abs(d_qaly) <= EQUAL:
        return f"{name} and {other} cost and gain the same"
    if d_cost <= EQUAL and d_qaly >= -EQUAL:
        return f"{name} dominates {other}: {abs(d_cost):,.0f}{money} cheaper, {abs(d_qaly):.4f} QALYs more"
    if d_cost >= -EQUAL and d_qaly <= EQUAL:
        return f"{other} dominates {name}: {abs(d_cost):,.0f}{money} cheaper, {abs(d_qaly):.4f} QALYs more"
    if d_qaly > 0:
        return (
            f"{name} buys {d_qaly:.4f} QALYs more than {other} for {d_cost:,.0f}{money}: {d_cost / d_qaly:,.0f} a QALY"
        )
    return (
        f"{name} saves {-d_cost:,.0f}{money} and loses {-d_qaly:.4f} QALYs against {other}: "
        f"{d_cost / d_qaly:,.0f} saved a QALY lost"
    )


def pairs(
    names: Sequence[str],
    cost: Float[np.ndarray, "row strategy"],
    qaly: Float[np.ndarray, "row strategy"],
    thresholds: Sequence[float],
) -> pd.DataFrame:
    """Each pair of strategies, a later one less an earlier one, with Monte Carlo standard errors over rows (patients,
    or draws) that both share: d_cost, d_qaly, icer (NaN where one dominates; its error by the delta method) and the
    difference in net benefit at each threshold, `d_nmb_...`. `d_nmb_..._needed`: how many rows it would take where the
    error is larger than the difference, else NaN.
    """
    rows = []
    for first, second in combinations(range(len(names)), 2):
        c, q = cost[:, second] - cost[:, first], qaly[:, second] - qaly[:, first]
        row: dict[str, Any] = {"strategy": names[second], "against": names[first]}
        row |= {"d_cost": c.mean(), "d_cost_error": _error(c), "d_qaly": q.mean(), "d_qaly_error": _error(q)}
        trades = c.mean() * q.mean() > 0
        ratio = c.mean() / q.mean() if trades else np.nan
        row |= {"icer": ratio, "icer_error": _error(c - ratio * q) / abs(q.mean()) if trades else np.nan}
        for threshold in thresholds:
            benefit = threshold * q - c
            mean, error = float(benefit.mean()), float(_error(benefit))
            needed = patients_needed(mean, error, len(benefit)) if error > abs(mean) > 0 else np.nan
            key = f"d_nmb_{threshold:g}"
            row |= {key: mean, f"{key}_error": error, f"{key}_needed": needed}
        rows.append({key: value if isinstance(value, str) else float(value) for key, value in row.items()})
    return pd.DataFrame(rows)


def patients_needed(difference: float, error: float, n: int, z: float = 1.96) -> int:
    """How many rows until a difference of net benefit stands out of its own standard error, which n rows gave."""
    return ceil(n * (z * error / abs(difference)) ** 2) if difference else 0


def _error(values: Float[np.ndarray, " row"]) -> Any:
    return values.std(ddof=1) / np.sqrt(len(values))


@dataclass(frozen=True)
class Draws:
    """Costs and QALYs of each strategy in each draw of a sensitivity analysis: what all its figures come from."""

    names: tuple[str, ...]
    cost: Float[np.ndarray, "draw strategy"]
    qaly: Float[np.ndarray, "draw strategy"]

    def __post_init__(self) -> None:
        if len(self.cost) < 2:
            raise BadInput(f"n={len(self.cost)}: expected at least 2 draws")

    def net_benefit(self, threshold: float) -> Float[np.ndarray, "draw strategy"]:
        return net_benefit(self.cost, self.qaly, threshold)

    def acceptability(self, thresholds: Sequence[float]) -> pd.DataFrame:
        """By threshold: each strategy's probability to be best (a tie is shared), the strategy with the highest mean
        net benefit (`optimal`), its probability (`frontier`: the CEAF), and its standard error over draws.
        """
        rows = []
        for threshold in thresholds:
            benefit = self.net_benefit(threshold)
            best = benefit >= benefit.max(1, keepdims=True)
            chance = (best / best.sum(1, keepdims=True)).mean(0)
            at = int(benefit.mean(0).argmax())
            row: dict[str, Any] = {"threshold": threshold, **dict(zip(self.names, chance.tolist(), strict=True))}
            error = np.sqrt(chance[at] * (1 - chance[at]) / len(benefit))
            rows.append(row | {"optimal": self.names[at], "frontier": float(chance[at]), "error": float(error)})
        return pd.DataFrame(rows)

    def evpi(self, thresholds: Sequence[float]) -> pd.DataFrame:
        """By threshold: what perfect information would be worth a patient, and its standard error over draws."""
        rows = []
        for threshold in thresholds:
            benefit = self.net_benefit(threshold)
            lost = benefit.max(1) - benefit[:, benefit.mean(0).argmax()]
            error = lost.std(ddof=1) / np.sqrt(len(lost))
            rows.append({"threshold": threshold, "evpi": float(lost.mean()), "error": float(error)})
        return pd.DataFrame(rows)

    def plane(self, strategy: str, against: str) -> pd.DataFrame:
        """Differences in cost and QALYs, a row a draw."""
        one, other = self.names.index(strategy), self.names.index(against)
        return pd.DataFrame(
            {"d_qaly": self.qaly[:, one] - self.qaly[:, other], "d_cost": self.cost[:, one] - self.cost[:, other]}
        )

    def pairs(self, thresholds: Sequence[float]) -> pd.DataFrame:
        """As `pairs`, over draws."""
        return pairs(self.names, self.cost, self.qaly, thresholds)

    def ranking(self, threshold: float) -> pd.DataFrame:
        """Strategies by falling mean net benefit, with its standard deviation and the probability to be best."""
        benefit = self.net_benefit(threshold)
        chance = self.acceptability([threshold])
        order = np.argsort(-benefit.mean(0), kind="stable")
        rows = [
            {
                "strategy": self.names[i],
                "cost": float(self.cost[:, i].mean()),
                "qaly": float(self.qaly[:, i].mean()),
                "net_benefit": float(benefit[:, i].mean()),
                "sd": float(benefit[:, i].std(ddof=1)),
                "best": float(chance[self.names[i]].iloc[0]),
            }
            for i in order
        ]
        return pd.DataFrame(rows)

    def table(self) -> pd.DataFrame:
        """Long: draw, strategy, cost, qaly."""
        n, k = self.cost.shape
        return pd.DataFrame(
            {
                "draw": np.repeat(np.arange(1, n + 1), k),
                "strategy": list(self.names) * n,
                "cost": self.cost.ravel(),
                "qaly": self.qaly.ravel(),
            }
        )
