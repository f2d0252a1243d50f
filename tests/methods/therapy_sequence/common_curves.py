"""The curves' part of common.py: files, examples and bad inputs of `made-curves`, `reconstruct`, `events`, `fit`."""

RECONSTRUCT = ["therapy", "reconstruct", "pfs.csv", "--at-risk", "pfs_at_risk.csv", "--out", "pfs_patients.csv"]
EVENTS = ["therapy", "events", "pfs_patients.csv", "os_patients.csv", "--pixel", "0.048", "--out", "events.csv"]
FIT = ["therapy", "fit", "events.csv", "--cycles", "87", "--tail", "aic", "--out", "incidence.csv"]
MADE = ["therapy", "made-curves", "curves"]

FILES = {
    "rising.csv": "0, 1\n1, 0.5\n2, 0.8\n",
    "swapped.csv": "1, 0\n0.9, 12\n0.5, 30\n",
    "two.csv": "x,Curve1,Curve2\n0,1,1\n10,0.8,0.9\n",
    "days.csv": "time,n\n0,300\n900,20\n",
    "rising_at_risk.csv": "time,n\n0,20\n10,30\n",
    "late.csv": "time,n\n6,20\n12,10\n",
    "nobody.csv": "time,n\n0,0\n12,0\n",
    "words.csv": "time,event\n1,1\n2,dead\n",
    "unlabelled.csv": "time,event\n1,1\n2,0\n",
    "twos.csv": "time,event\n1,1\n2,2\n",
    "early.csv": "time,event\n-1,1\n2,1\n",
    "share.csv": "time,event,death\n1,1,0.5\n2,1,1.5\n",
    "empty.csv": "time,event,death\n",
    "monthly.csv": "time,event\n" + "".join(f"{1 + k % 12},1\n" for k in range(600)),
}


def prepare_curves(folder):
    """Made curves as `therapy made-curves` writes them, their rebuilt patients and event types, and bad files."""
    import numpy as np

    from parataxis.methods.therapy_sequence.curves import KMCurve
    from parataxis.methods.therapy_sequence.events import infer_events
    from parataxis.methods.therapy_sequence.exports import read_at_risk
    from parataxis.methods.therapy_sequence.guyot import reconstruct
    from parataxis.methods.therapy_sequence.made_curves import write_example

    write_example(folder, np.random.default_rng(0))
    made = {}
    for name in ("pfs", "os"):
        made[name] = reconstruct(KMCurve.read(folder / f"{name}.csv"), read_at_risk(folder / f"{name}_at_risk.csv"))
        made[name].to_csv(folder / f"{name}_patients.csv", index=False)
    infer_events(**made, pixel=0.048).to_frame().to_csv(folder / "events.csv", index=False)
    for name, text in FILES.items():
        (folder / name).write_text(text)


def _rebuilt(value, text):
    counts = f"{value['points']} points, {value['patients']} patients, {value['events']} events"
    return counts in text and value["patients"] == 300 and value["worst_survival_error"] < 0.01


def _told(value, text):
    return f"{value['share']:.1%} [{value['low']:.1%}, {value['high']:.1%}] of the events" in text


def _fitted(value, text):
    chosen = [
        f"{each['cause']}: {each['family']}, AIC {each['aic']:.1f} (chosen)"
        for each in value["hazards"]
        if each["chosen"]
    ]
    return len(chosen) == 2 and all(each in text for each in chosen)


CURVES_HELP = [
    (MADE, lambda value, text: value["files"] == text.split() and len(value["files"]) == 5),
    (RECONSTRUCT, _rebuilt),
    (EVENTS, _told),
    (FIT, _fitted),
]


def _bad(words, fragment):
    return (["therapy", *words.split()], fragment)


CURVES_BAD = [  # a process each, by the common check; the rest in one process, by test_therapy_cli_curves
    _bad("reconstruct absent.csv --at-risk pfs_at_risk.csv", "absent.csv: can't be read: No such file"),
    _bad("reconstruct rising.csv --at-risk pfs_at_risk.csv", "rising.csv:3: survival=0.8 at time 2 is above 0.5"),
    _bad("reconstruct pfs.csv --at-risk days.csv", "expected one unit (months and days"),
    _bad("events os_patients.csv pfs_patients.csv --pixel 0.048", "who is free of progression is alive; swapped"),
    _bad("events monthly.csv monthly.csv --pixel 0.1 --method match", "matching is meaningless; use the mixture"),
    _bad("fit unlabelled.csv --cycles 10", "unlabelled.csv: no column 'death'; there: time, event"),
    _bad("fit events.csv --cycles 87", "day 1827 lies beyond day 1459.2, the end of the data"),
]

MORE_BAD = [
    _bad("reconstruct swapped.csv --at-risk pfs_at_risk.csv", "they look swapped; expected time, then survival"),
    _bad("reconstruct two.csv --at-risk pfs_at_risk.csv", "choose one: --curve 'Curve1' or 'Curve2'"),
    _bad("reconstruct pfs.csv --at-risk rising_at_risk.csv", "numbers at risk can't rise"),
    _bad("reconstruct pfs.csv --at-risk late.csv", "the first time is 6: expected 0"),
    _bad("reconstruct pfs.csv --at-risk nobody.csv", "nobody is at risk at time 0"),
    _bad("reconstruct pfs.csv --at-risk pfs_at_risk.csv --events 301", "events=301: expected 0 to 300"),
    _bad("reconstruct pfs.csv --at-risk pfs_at_risk.csv --events 20", "events=20: curve and table tell"),
    _bad("events pfs_patients.csv os_patients.csv --pixel 0", "pixel=0.0: expected a time above 0"),
    _bad("events words.csv os_patients.csv --pixel 0.1", "words.csv:3: event='dead' must be a number"),
    _bad("events twos.csv os_patients.csv --pixel 0.1", "twos.csv:3: event=2: expected 0 (censored) or 1 (event)"),
    _bad("events early.csv os_patients.csv --pixel 0.1", "early.csv:2: time=-1 must not be below 0"),
    _bad("fit share.csv --cycles 10", "share.csv:3: death=1.5: expected a share in [0, 1]"),
    _bad("fit empty.csv --cycles 10", "empty.csv: has no patients"),
    _bad("fit events.csv --cycles 87 --days-per-cycle 0", "days_per_cycle=0: expected 1 or more, and above 0"),
    _bad("fit events.csv --cycles 87 --tail gamma", "'gamma' is not one of"),
]
