"""What the paper publishes of S-LCD and of the five cases (claims 1 to 5), and the matrix that was transposed."""

from collections.abc import Callable
from typing import Any

import numpy as np

from parataxis.claims import Measurement, Table
from parataxis.methods.coopetition.cases import CASES, FORMS
from parataxis.methods.coopetition.monte_carlo import contest
from parataxis.methods.coopetition.scoring import MOST, ScoreSheet, score_sheet
from parataxis.methods.coopetition.study_inputs import Inputs

NOISES = (0.01, 0.05, 0.10, 0.15)
TRIALS = 500
Part = Callable[[Inputs], Measurement]


def exact(
    identity: str, value: Any, null: Any, n: int, unit: str, note: str = "", data: str = "S-LCD case"
) -> Measurement:
    """Nothing is drawn: the interval is the value."""
    value, null = float(value), float(null)
    return Measurement(identity, value, value, value, n, unit, null=null, note=note, real=False, data=data)


def _sheet(inputs: Inputs, form: str, transposed: bool = False) -> ScoreSheet:
    return score_sheet(inputs.case.game(form, transposed))


def _score(identity: str, form: str) -> Part:
    """Null: the same without any interdependence."""

    def measure(inputs: Inputs) -> Measurement:
        game = inputs.case.game(form)
        nobody = game.replaced(interdependence=type(game.interdependence)(game.names, np.zeros((2, 2))))
        found = score_sheet(game)
        return exact(identity, found.score[0], float(score_sheet(nobody).score[0]), 1, "points of 60", str(found))

    return measure


def _cooperation(identity: str, form: str, transposed: bool) -> Part:
    """Null: the matrix read the other way round."""

    def measure(inputs: Inputs) -> Measurement:
        found, other = (float(_sheet(inputs, form, each).cooperation[0]) for each in (transposed, not transposed))
        note = "D as documented: Sony depends on Samsung by 0.86" if not transposed else "D transposed"
        return exact(identity, found, other, 1, "%", note)

    return measure


def _official(inputs: Inputs) -> Measurement:
    """Null: the matrix transposed."""

    def apart(transposed: bool) -> float:
        pairs = [
            (inputs.case.game(form, transposed).equilibrium().actions, inputs.official.actions[form]) for form in FORMS
        ]
        return max(float(np.abs(ours - theirs).max()) for ours, theirs in pairs)

    return exact("actions-official", apart(False), apart(True), 4, "action", "both forms, both actors")


def _trials(identity: str, form: str, what: Callable[[ScoreSheet], Any]) -> Part:
    """h = 0.15. Null: D transposed; for shares, the other form."""

    def measure(inputs: Inputs) -> Measurement:
        found = getattr(contest(inputs.case, 0.15, TRIALS), form)
        if identity.startswith("mean"):
            null = what(getattr(contest(inputs.case, 0.15, TRIALS, transposed=True), form))
        else:
            null = what(getattr(contest(inputs.case, 0.15, TRIALS), "power" if form == "log" else "log"))
        return exact(identity, what(found), float(null), TRIALS, "points" if identity.startswith("mean") else "share")

    return measure


def _shuffled(inputs: Inputs, difference: Any) -> Any:
    """Which form a score belongs to, by the toss of a coin."""
    return difference * inputs.rng("labels").choice([-1, 1], len(difference))


def _wins(inputs: Inputs) -> Measurement:
    found = contest(inputs.case, 0.15, TRIALS)
    null = float((_shuffled(inputs, found.difference) > 0).mean())
    return exact("wins", found.wins, null, TRIALS, "share of trials", "h = 0.15, seed 42; null: labels shuffled")


def _effect(inputs: Inputs) -> Measurement:
    found = contest(inputs.case, 0.15, TRIALS)
    null = _shuffled(inputs, found.difference)
    other = contest(inputs.case, 0.15, TRIALS, transposed=True)
    note = f"h = 0.15; with D transposed {other.effect:.2f}"
    return exact("effect", found.effect, float(null.mean() / null.std()), TRIALS, "standard deviations", note)


def _effect_noise(inputs: Inputs) -> Measurement:
    """Null: the same noise on both sides, drawn with another seed."""
    wide, narrow = (contest(inputs.case, h, TRIALS).effect for h in (0.15, 0.05))
    again = contest(inputs.case, 0.15, TRIALS, seed=43).effect
    note = f"{narrow:.2f} and {wide:.2f}; at h = 0.01 no difference varies, and d is infinite"
    return exact("effect-noise", narrow / wide, again / wide, TRIALS, "ratio", note)


def _scores() -> dict[str, dict[str, int]]:
    return {name: {form: int(score_sheet(each.game(form)).score[0]) for form in FORMS} for name, each in CASES.items()}


def _five(inputs: Inputs) -> Measurement:
    scores = _scores()
    ahead, behind = (sum(sign * (each["log"] - each["power"]) > 0 for each in scores.values()) for sign in (1, -1))
    note = ", ".join(f"{each['log']}/{each['power']}" for each in scores.values())
    return exact("five-cases", ahead, float(behind), len(scores), "cases", f"{note}; null: the forms' names exchanged",
                 "five published cases")  # fmt: skip


def _edge(inputs: Inputs) -> Measurement:
    """Scores other than the authors' once a share of exactly one half counts as outside its band, as it falls to their
    solver's error in the power form. Null: as it counts.
    """
    differ = {"as it counts": 0, "outside": 0}
    for name, each in CASES.items():
        for form in FORMS:
            found, theirs = score_sheet(each.game(form)), inputs.official.scores[name][form]
            at_edge = form == "power" and abs(float(found.share[0]) - 0.5) < 1e-9
            _, points, met = found.conditions["share .50 to .65"]
            lost = points * int(met[0]) * at_edge
            differ["as it counts"] += int(found.score[0]) != theirs
            differ["outside"] += int(found.score[0]) - lost != theirs
    return exact(
        "edge",
        differ["outside"],
        float(differ["as it counts"]),
        2 * len(CASES),
        "scores of 10",
        data="five published cases",
    )


def score_table(inputs: Inputs) -> Table:
    rows: list[list[Any]] = []
    for name, each in CASES.items():
        for form in FORMS:
            found, theirs = score_sheet(each.game(form)), inputs.official.scores[name][form]
            parts = [int(found.points[part][0]) for part in MOST]
            numbers = (round(float(x[0]), 2) for x in (found.cooperation, found.value))
            rows.append([name, form, theirs, int(found.score[0]), *parts, *numbers])
    columns = ["case", "form", "published", "exact", *MOST, "cooperation, %", "value, %"]
    caption = "The score sheet of the five cases: points of 10, 15, 15, 10 and 10. It is no accuracy."
    return Table("scores", columns, rows, caption)


def noise_table(inputs: Inputs) -> Table:
    rows: list[list[Any]] = []
    for h in NOISES:
        for transposed in (False, True):
            found = contest(inputs.case, h, TRIALS, transposed=transposed)
            effect = round(found.effect, 2) if np.isfinite(found.effect) else "infinite"
            means = (round(float(each.score.mean()), 3) for each in (found.log, found.power))
            rows.append([h, "transposed" if transposed else "as documented", *means, round(found.wins, 3), effect])
    columns = ["h", "D", "log, mean", "power, mean", "log ahead", "d"]
    caption = (
        f"{TRIALS} trials, seed 42. d is the mean of the paired differences over their spread: it tells the noise."
    )
    return Table("noise", columns, rows, caption)


PARTS: dict[str, Part] = {
    "score-log": _score("score-log", "log"),
    "score-power": _score("score-power", "power"),
    "cooperation-log": _cooperation("cooperation-log", "log", False),
    "cooperation-power": _cooperation("cooperation-power", "power", False),
    "cooperation-log-transposed": _cooperation("cooperation-log-transposed", "log", True),
    "cooperation-power-transposed": _cooperation("cooperation-power-transposed", "power", True),
    "actions-official": _official,
    "wins": _wins,
    "in-range-log": _trials("in-range-log", "log", lambda sheet: sheet.in_history.mean()),
    "in-range-power": _trials("in-range-power", "power", lambda sheet: sheet.in_history.mean()),
    "mean-log": _trials("mean-log", "log", lambda sheet: sheet.score.mean()),
    "mean-power": _trials("mean-power", "power", lambda sheet: sheet.score.mean()),
    "effect": _effect,
    "effect-noise": _effect_noise,
    "five-cases": _five,
    "edge": _edge,
}
