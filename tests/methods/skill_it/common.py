"""What the common tests need to know of this method."""

import json

import numpy as np

SKILLS = ("ab", "bc", "xy")
GRAPH = ["skills", "graph", "texts.jsonl", "--steps", "20", "--out", "graph.json"]
FIT = ["skills", "fit-table", "mixtures.csv", "losses.csv", "--out", "fitted.json"]
TRAIN = ["skills", "train", "texts.jsonl", "--graph", "given.json", "--steps", "40", "--update-every", "10"]
TRAIN_EXAMPLE = [*TRAIN[:4], "graph.json", *TRAIN[5:], "--record-every", "5"]
SIMULATE = ["skills", "simulate", "--graph", "fitted.json", "--losses", "start.csv", "--rounds", "3"]


def texts():
    """Three skills, each of two letters; equal parts train, validate and test."""
    rng = np.random.default_rng(0)
    rows = []
    for skill in SKILLS:
        for number in range(12):
            part = ("train", "train", "validation", "test")[number % 4]
            rows.append({"skill": skill, "split": part, "text": "".join(rng.choice(list(skill + " "), 30)) + "."})
    return rows


def truth():
    return np.array([[0.5, 0.1, 0.0], [0.2, 0.4, 0.0], [0.0, 0.0, 0.3]])


def runs():
    shares = np.random.default_rng(0).dirichlet(np.ones(3), 12).round(4)
    shares[:, 0] += 1 - shares.sum(1)
    return shares, 2 - shares @ truth()


def graph():
    from parataxis.methods.skill_it import SkillGraph

    return SkillGraph(truth(), SKILLS, SKILLS)


def instructions():
    """Folders of Natural Instructions' tasks: a good one, and what may be wrong with one."""
    instances = [{"id": f"{n}", "input": f"say {n}.", "output": [f"{n}", "or so"]} for n in range(40)]
    good = {"Definition": ["Repeat."], "Categories": ["Echo"], "Input_language": ["Spanish"], "Instances": instances}
    return {
        "tasks": [good, {**good, "Categories": ["Copy"]}],
        "no_tasks": [],
        "no_category": [{key: value for key, value in good.items() if key != "Categories"}],
        "no_instance": [{**good, "Instances": []}],
        "no_output": [{**good, "Instances": [{"input": "a", "output": []}]}],
        "no_object": [[]],
    }


def prepare(folder):
    def lines(rows):
        return "\n".join(json.dumps(row) for row in rows)

    def table(head, rows):
        return "\n".join([",".join(["index", *head]), *(",".join(map(str, [at, *row])) for at, row in enumerate(rows))])

    shares, losses = runs()
    rows = texts()
    files = {
        "texts.jsonl": lines(rows),
        "mixtures.csv": table(SKILLS, shares.tolist()),
        "losses.csv": table(SKILLS, losses.tolist()),
        "start.csv": "skill,loss\n" + "\n".join(f"{name},1.5" for name in SKILLS),
        "no_loss.csv": "skill,value\nab,1",
        "short.csv": "skill,loss\nab,1",
        "text.csv": "skill,loss\nab,much\nbc,1\nxy,1",
        "repeated.csv": table(SKILLS, shares.tolist()).replace("bc", "ab", 1),
        "nan.csv": "skill,loss\nab,nan\nbc,1\nxy,1",
        "unknown.csv": "skill,loss\nab,1\nbc,1\nxy,1\nzz,1",
        "off.csv": table(SKILLS, (2 * shares).tolist()),
        "words.csv": table(SKILLS, [["x", 0, 0], *shares[1:].tolist()]),
        "inf.csv": table(SKILLS, [[np.inf, 0, 0], *losses[1:].tolist()]),
        "fewer.csv": table(SKILLS, losses[:-1].tolist()),
        "no_text.jsonl": lines([{"skill": "ab"}]),
        "no_skill.jsonl": lines([{"text": "ab"}]),
        "empty_text.jsonl": lines([{"skill": "ab", "text": ""}]),
        "part.jsonl": lines([{"skill": "ab", "text": "ab", "split": "dev"}]),
        "only_train.jsonl": lines([row for row in rows if row["split"] == "train" or row["skill"] != "xy"]),
        "empty.jsonl": "",
        "broken.jsonl": "{",
        "texts.xml": "<a/>",
        "other.json": '{"kind": "other"}',
        "shape.json": json.dumps({**graph().to_json(), "matrix": [[1.0]]}),
        "twice.json": json.dumps({**graph().to_json(), "train_skills": ["ab", "ab", "xy"]}),
        "unlike.json": json.dumps({**graph().to_json(), "train_skills": ["ab", "bc", "zz"]}),
    }
    for name, text in files.items():
        (folder / name).write_text(text + "\n" if text else "")
    for name, tasks in instructions().items():
        (folder / name).mkdir()
        for at, task in enumerate(tasks):
            (folder / name / f"task{at}.json").write_text(json.dumps(task))
    graph().save(folder / "given.json")
    graph().save(folder / "fitted.json")
    graph().save(folder / "graph.json")


def _learned(value, text):
    return f"{len(SKILLS)} skills trained on" in text and len(value["matrix"]) == 3 and value["steps"] == 120


def _fitted(value, text):
    return "3 skills trained on, 3 evaluated" in text and value["train_skills"] == list(SKILLS)


def _trained(value, text):
    return f"mean test loss {value['test_loss_mean']:.4f}" in text and len(value["weights"]) == 4


def _simulated(value, text):
    lines = text.strip().splitlines()
    return len(value) == 3 == len(lines) - 1 and f"{value[0]['loss ab']}" in lines[1]


HELP_EXAMPLES = [
    (GRAPH, _learned),
    (FIT, _fitted),
    (TRAIN_EXAMPLE, _trained),
    (SIMULATE, _simulated),
]


def _simulate(losses="start.csv", graph="fitted.json", *more):
    return ["skills", "simulate", "--graph", graph, "--losses", losses, *more]


BAD_INPUTS = [
    (_simulate("absent.csv"), "absent.csv: can't be read: No such file"),
    (_simulate("no_loss.csv"), "no_loss.csv: no column 'loss'; there: value"),
    (_simulate("short.csv"), "losses: skill 'bc' is missing"),
    (_simulate("text.csv"), "text.csv: skill 'ab': loss='much' must be a number"),
    (["skills", "fit-table", "repeated.csv", "losses.csv"], "repeated.csv: column 'ab' stands twice"),
    (_simulate("nan.csv"), "losses: skill 'ab': nan must be finite"),
    (_simulate("unknown.csv"), "losses: skill 'zz' is unknown"),
    (_simulate("start.csv", "absent.json"), "absent.json: can't be read: No such file"),
    (_simulate("start.csv", "other.json"), "other.json: is no skills graph; `parataxis skills graph` writes one"),
    (_simulate("start.csv", "shape.json"), "shape.json: matrix: shape=(1, 1): expected (3, 3)"),
    (_simulate("start.csv", "twice.json"), "twice.json: train_skills: skill 'ab' stands twice"),
    (_simulate("start.csv", "given.json", "--eta", "0"), "eta=0.0: expected a number above 0"),
    (_simulate("start.csv", "given.json", "--eta", "nan"), "eta=nan: expected a number above 0"),
    (_simulate("start.csv", "given.json", "--window", "0"), "window=0: expected a whole number of records"),
    (_simulate("start.csv", "given.json", "--damping", "2"), "damping=2.0: expected a factor from 0 to 1"),
    (["skills", "fit-table", "off.csv", "losses.csv"], "mixtures: run 0: the shares sum to 2.000; expected 1"),
    (["skills", "fit-table", "words.csv", "losses.csv"], "skill 'ab': is not of numbers"),
    (["skills", "fit-table", "mixtures.csv", "inf.csv"], "losses: skill 'ab', run 0: inf must be finite"),
    (["skills", "fit-table", "mixtures.csv", "fewer.csv"], "not of the same runs: '11' is in one of them only"),
    ([*FIT, "--ridge", "-1"], "ridge=-1.0: expected a number of at least 0"),
    (["skills", "graph", "absent.jsonl"], "absent.jsonl: can't be read: No such file"),
    (["skills", "graph", "no_text.jsonl"], "no_text.jsonl:1: no column 'text'; there: skill"),
    (["skills", "graph", "no_skill.jsonl"], "no_skill.jsonl:1: no column 'skill'; there: text"),
    (["skills", "graph", "empty_text.jsonl"], "empty_text.jsonl:1: text='': expected a text"),
    (["skills", "graph", "part.jsonl"], "part.jsonl:1: split='dev': expected one of train, validation, test"),
    (["skills", "graph", "only_train.jsonl"], "skill 'xy': has no text in the part 'validation'"),
    (["skills", "graph", "no_tasks"], "no_tasks: holds no .json file"),
    (["skills", "graph", "no_category"], "task0.json: no field 'Categories'; there: Definition, Input_language"),
    (["skills", "graph", "no_instance"], "task0.json: Instances=[]: expected a list that holds some"),
    (["skills", "graph", "no_output"], "task0.json: Instances[1]: output=[]: expected a text"),
    (["skills", "graph", "no_object"], "task0.json: expected an object with Definition, Categories and Instances"),
    (["skills", "graph", "texts.jsonl", "--device", "nowhere"], "device='nowhere': can't be used"),
    ([*TRAIN, "--device", "meta"], "device='meta': can't be used"),
    (["skills", "graph", "empty.jsonl"], "empty.jsonl: holds no row"),
    (["skills", "graph", "broken.jsonl"], "broken.jsonl:1: is not JSON"),
    (["skills", "graph", "texts.xml"], "texts.xml: expected a .jsonl, .jsonl.gz or .csv file"),
    (["skills", "graph", "texts.jsonl", "--target", "zz"], "--target=zz: no skill of texts.jsonl; there: ab, bc, xy"),
    (
        ["skills", "graph", "texts.jsonl", "--method", "pairwise", "--target", "ab"],
        "method='pairwise': trains on every evaluated skill",
    ),
    (["skills", "train", "texts.jsonl"], "--by=skill-it: needs a graph"),
    (["skills", "train", "texts.jsonl", "--graph", "unlike.json"], "graph: skill 'zz' has no texts"),
    ([*TRAIN, "--record-every", "3"], "update_every=10: expected a multiple of record_every=3; take 9"),
    ([*TRAIN[:-2], "--update-every", "7", "--record-every", "7"], "steps=40: expected a multiple of update_every=7"),
    ([*TRAIN, "--record-every", "5", "--no-repeats"], "without replacement take smaller rounds"),
    (["skills", "study", "lego", "--scale", "toy"], "--scale=toy: expected one of quick, full, paper"),
]


def _authors_first_weights():
    from parataxis.methods.skill_it import SkillGraph, SkillIt
    from parataxis.methods.skill_it.lego import AUTHORS_GRAPH

    names = tuple("12345")
    return list(SkillIt(SkillGraph(np.array(AUTHORS_GRAPH), names, names)).weights.values())


def _hand():
    whole = 4 * np.exp(0.5) + np.exp(1.25)
    return [np.exp(1.25 if at == 1 else 0.5) / whole for at in range(5)]


def _lego_space():
    from parataxis.methods.skill_it.lego import chain, space

    return space(chain(5), 26)


GOLDEN = [
    ("by hand: row sums 1, 2.5, 1, 1, 1 of the authors' LEGO graph, eta 0.5", _authors_first_weights, _hand(), 1e-15),
    ("by hand: 26 25 24 23 22 names, 2^5 bits, 5! orders", _lego_space, 7893600 * 32 * 120, 0),
]

PREDICT = "no prediction is made: the rule gives weights, and what is trained is the user's model"


def save(folder):
    control = _controller()
    control.update(dict.fromkeys(SKILLS, 1.0))
    control.graph.save(folder / "graph.json")
    (folder / "state.json").write_text(json.dumps(control.state_dict()))
    return control.update({"ab": 0.2, "bc": 0.5, "xy": 1.0})


def load(folder):
    from parataxis.methods.skill_it import SkillGraph, SkillIt

    control = SkillIt(SkillGraph.load(folder / "graph.json"), window=2, damping=0.5)
    control.load_state_dict(json.loads((folder / "state.json").read_text()))
    return control.update({"ab": 0.2, "bc": 0.5, "xy": 1.0})


def _controller():
    from parataxis.methods.skill_it import SkillIt

    return SkillIt(graph(), window=2, damping=0.5)


SAVE = (save, load)
