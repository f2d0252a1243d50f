"""What the common tests need to know of this method."""

import json
import runpy
from pathlib import Path

import numpy as np

CURVES = runpy.run_path(str(Path(__file__).with_name("common_curves.py")))  # the commands before a model

TEMPLATE = ["therapy", "template", "example.toml"]
CHECK = ["therapy", "check", "model.toml"]
RUN = ["therapy", "run", "model.toml"]
CALIBRATE = ["therapy", "calibrate", "model.toml"]
PSA = ["therapy", "psa", "model.toml", "--draws", "200"]
REPORT = ["therapy", "report", "model.toml", "--draws", "50"]
AUDIT = ["therapy", "audit", "model.toml"]


def _example():
    from parataxis.methods.therapy_sequence.example import EXAMPLE

    return EXAMPLE.read_text()


WRONG = {  # name: (what stands in the example, what stands there instead)
    "cost": ("cost = 2400", "cost = -1"),
    "utility": ("utility = 0.72", "utility = 1.2"),
    "duplicate": ('name = "B first"\ndrugs = ["B", "A"]', 'name = "A first"\ndrugs = ["B", "A"]'),
    "twice": ('drugs = ["B", "A"]', 'drugs = ["A", "B"]'),
    "unknown": ('drugs = ["B", "A"]', 'drugs = ["B", "X"]'),
    "third": ('drugs = ["B", "A"]', 'drugs = ["B", "A", "B"]'),
    "horizon": (", tail_from = 21 }\ndeath", " }\ndeath"),
    "late": ("tail_from = 21", "tail_from = 30"),
    "falling": ("[0.0343, 0.0718,", "[0.0718, 0.0343,"),
    "percent": ("[0.0343, 0.0718,", "[3.43, 7.18,"),
    "key": ("cost_always = 900", "cost_allways = 900"),
    "text": ("cycles = 40\ncycle_days", 'cycles = "forty"\ncycle_days'),
    "form": ("every = { hazard_ratio = 1, until = 1 }", "every = { frailty = 1 }"),
    "state": ("[extensive]", "[remission]\ncost = 1\n\n[extensive]"),
    "event": ("utility = 0.68, utility_first = 0.55", "utility = 0.68, probability = 0.1"),
}


def prepare(folder):
    CURVES["prepare_curves"](folder)
    text = _example()
    (folder / "model.toml").write_text(text)
    for name, (good, bad) in WRONG.items():
        assert good in text, name
        (folder / f"{name}.toml").write_text(text.replace(good, bad, 1))
    high = text.replace("0.0343, 0.0718, 0.1095", "0.7, 0.71, 0.72", 1).replace(
        "death = { values = [0.0059", "death = { values = [0.4", 1
    )
    both = np.array2string(np.linspace(0.5, 0.6, 20), separator=", ", max_line_width=9999)
    lines = high.splitlines()
    place = next(n for n, line in enumerate(lines) if line.startswith("progression"))
    lines[place : place + 2] = [
        f"progression = {{ values = {both}, tail_from = 21 }}",
        f"death = {{ values = {both}, tail_from = 21 }}",
    ]
    (folder / "sum.toml").write_text("\n".join(lines))
    (folder / "no.toml").write_text("cycles = [")
    (folder / "no.xlsx").write_text("no workbook")
    from parataxis.methods.therapy_sequence.example import trial
    from parataxis.methods.therapy_sequence.model import Model

    (folder / "trial.csv").write_text(trial(Model.from_file(folder / "model.toml"), 100))
    (folder / "other").mkdir()
    for name, rows in {
        "alive": "time,event\n3,0\n",
        "negative": "time,event\n-3,1\n",
        "kind": "time,event\n3,2\n",
        "columns": "t,e\n3,1\n",
    }.items():
        (folder / f"{name}.csv").write_text(rows)
        (folder / f"target_{name}.toml").write_text(text.replace('file = "trial.csv"', f'file = "{name}.csv"'))
    (folder / "target_absent.toml").write_text(text.replace('file = "trial.csv"', 'file = "absent.csv"'))


def _words(value, text):
    return all(each in text for each in value["words"]) and all(
        f"{row['cost']:,.0f}" in text for row in value["results"]
    )


def _fitted(value, text):
    return f"hazard ratio {value[0]['hazard_ratio']:.3g}, falling to 1 by cycle {value[0]['until']:.3g}" in text


def _drawn(value, text):
    return "200 draws" in text and all(f"{row['best']:.4f}" in text for row in value["ranking"])


HELP_EXAMPLES = [
    CURVES["CURVES_HELP"][0],  # the others in one process: test_therapy_cli_curves.py
    (CHECK, lambda value, text: f"{len(value['strategies'])} strategies" in text and "nothing is wrong" in text),
    (RUN, _words),
    (PSA, _drawn),
    (AUDIT, lambda value, text: all(row["what"] in text for row in value) and len(value) == 13),
]

IN_ONE_PROCESS = [  # by test_therapy_cli
    (CALIBRATE, _fitted),
    (REPORT, lambda said, page: said.splitlines()[0] in page),
]


def _bad(name, fragment, command="check", *more):
    return (["therapy", command, f"{name}.toml", *more], fragment)


BAD_INPUTS = [  # a process each; the rest in one, by test_therapy_cli
    *CURVES["CURVES_BAD"][:2],
    _bad("absent", "absent.toml: can't be read: No such file"),
    (["therapy", "check", "no.xlsx"], "no.xlsx: is no Excel workbook"),
    _bad("cost", "cost.toml: extensive.cost=-1.0: expected a number from 0"),
    _bad("utility", "drug[1].line[1].utility=1.2: expected 0 to 1"),
    _bad("duplicate", "strategy 'A first' stands twice; leave one out, or rename it"),
    _bad(
        "horizon",
        "drug 'A', line 1: progression: the data end at cycle 20, the horizon is cycles=40; give tail_from=21",
    ),
    _bad("sum", "incidences of progression and death add to 1.011: expected at most 1"),
    _bad("state", "state.toml: remission: unknown key; known: name"),
    _bad("target_alive", "alive.csv: nobody dies; there is nothing to match", "calibrate"),
]
MORE_BAD = [
    _bad("no", "no.toml: is not TOML"),
    _bad("twice", "strategy's drugs 'A then B' stands twice"),
    _bad("unknown", "strategy 'B first': drug 'X' is unknown; known: A, B"),
    _bad("third", "drug 'B': nothing on it in line 3; add a [[drug.line]], or leave it out there"),
    _bad("late", "the data end at cycle 20, the horizon is cycles=40; give tail_from=21"),
    _bad("falling", "drug 'A', line 1: progression, cycle 2: incidence=0.0343 falls: expected one that rises"),
    _bad("percent", "progression, cycle 1: incidence=3.43: expected 0 to 1; in percent?"),
    _bad("key", "drug[1].line[1].cost_allways: unknown key; known: cost, cost_cycles, cost_stopped"),
    _bad("text", "cycles='forty': expected a whole number"),
    _bad("form", "expected {hazard_ratio, until} or {clayton}"),
    _bad("event", "adverse_event.probability: unknown key"),
    (
        ["therapy", "run", "model.toml", "--setting", "none"],
        "setting='none' is unknown; known: independent, dependent, copula",
    ),
    (
        ["therapy", "run", "model.toml", "--compat", "released", "--correct", "all"],
        "compat='all': unknown behaviour; known: time_in_state",
    ),
    (["therapy", "run", "model.toml", "--patients", "1"], "n=1: expected at least 2 patients"),
    (["therapy", "psa", "model.toml", "--draws", "1"], "--draws"),
    (
        ["therapy", "calibrate", "model.toml", "--dependence", "clayton", "--compat", "released"],
        "dependence='clayton' needs the corrected probabilities",
    ),
    _bad("target_absent", "absent.csv is missing; put it at", "calibrate"),
    _bad("target_negative", "negative.csv:2: time=-3.0: expected a time from 0", "calibrate"),
    _bad("target_kind", "kind.csv:2: event=2.0: expected 0 (alive) or 1 (dead)", "calibrate"),
    _bad("target_columns", "columns.csv: no column 'time'; there: t, e", "calibrate"),
    (["therapy", "template", "model.toml"], "model.toml: is there already"),
    (["therapy", "template", "model.json"], "model.json: expected a name that ends in .toml or .xlsx"),
]


def _half_life():
    """One line, half of the patients gone in each cycle, no discount: 1 + 1/2 + 1/4 payoffs of 1."""
    from parataxis.methods.therapy_sequence.exact import Expected
    from parataxis.methods.therapy_sequence.plan import Payoffs, Plan

    n, half = 2, np.full(2, 0.5)
    one, none, rows = Payoffs(np.ones(3), np.ones(3), np.ones(3)), np.zeros((0, n, n)), np.zeros((1, n))
    plan = Plan(
        "",
        ("A",),
        np.zeros(n),
        half,
        none,
        none,
        np.zeros((n, n)),
        np.ones(1),
        rows,
        rows,
        (one,),
        (one,),
        np.zeros(3),
        np.zeros(3),
        np.ones(3),
        np.ones(3),
    )
    found = Expected.of(plan)
    return [found.cost, found.qaly, found.dead[-1]]


GOLDEN = [
    ("by hand: a cohort that halves in each of two cycles", _half_life, [1.75, 1.75, 0.75], 1e-12),
    ("by hand: 2.21 falls to 1 over 87 cycles, at 40", lambda: _ratio(40), 2.21 - 40 * 1.21 / 87, 1e-12),
]


def _ratio(cycle):
    from parataxis.methods.therapy_sequence.dependence import HazardRatio

    return HazardRatio(2.21, 87.0).ratios(88)[cycle]


def _simulated(patients):
    from parataxis.methods.therapy_sequence.example import EXAMPLE
    from parataxis.methods.therapy_sequence.model import Model
    from parataxis.methods.therapy_sequence.simulate import simulate

    plan = Model.from_file(EXAMPLE).plan("A first")
    found = simulate(plan, [*patients, 0])  # one more, so that one may be asked for alone
    return list(zip(found.cost[:-1].tolist(), found.qaly[:-1].tolist(), strict=True))


PREDICT = (_simulated, list(range(1, 13)))


def save(folder):
    """The example as a workbook."""
    import tomllib

    from parataxis.methods.therapy_sequence.workbook import model_sheets, write_sheets

    write_sheets(folder / "model.xlsx", model_sheets(tomllib.loads(_example())))
    return json.loads(json.dumps(load(folder)))


def load(folder):
    from parataxis.methods.therapy_sequence import SequenceModel

    return SequenceModel.from_file(folder / "model.xlsx").expected().to_dict("records")


SAVE = (save, load)
