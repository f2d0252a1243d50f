"""What the common tests need to know of this method."""

import json

import numpy as np

MATRIX = ["coopetition", "matrix", "model.json"]
SOLVE = ["coopetition", "solve", "model.json", "--gamma", "0.65"]
SWEEP = ["coopetition", "sweep", "model.json", "--param", "gamma=0:1:0.25"]
CASE = ["coopetition", "case", "slcd"]
ORDER = ["coopetition", "order", "model.json"]
REPORT = ["coopetition", "report", "model.json", "--out", "model.html"]
HEAD = "depender,dependee,dependum,importance,criticality\n"


def dependencies():
    from parataxis.methods.coopetition.study_inputs import made_model

    return made_model()


def pistar(**changes):
    """A sound model, with some parts others."""
    from parataxis.methods.coopetition.pistar import to_pistar

    return {**json.loads(to_pistar(dependencies())), **changes}


def _broken():
    """Models with one mistake each."""
    sound = pistar()
    actors, elements, links = sound["actors"], sound["dependencies"], sound["links"]
    a, b = actors[0]["id"], actors[1]["id"]
    one, rest = elements[0], elements[1:]
    loose = {key: value for key, value in one.items() if key not in ("source", "target")}
    named = {**one, "customProperties": {"importance": "much"}}
    many = {**one, "customProperties": {"importance": [1]}}
    stray = {"id": "z", "type": "istar.DependencyLink", "source": a}
    return {
        "self": {"dependencies": [{**one, "source": a, "target": a}, *rest], "links": []},
        "missing": {"dependencies": [{**one, "source": "nobody"}, *rest], "links": []},
        "loose": {"dependencies": [loose, *rest], "links": []},
        "orphan": {"orphans": [{"id": "x", "text": "lost", "type": "istar.Goal"}]},
        "forked": {"links": [*links, {"id": "z", "type": "istar.DependencyLink", "source": one["id"], "target": b}]},
        "twice": {"dependencies": [one, one, *rest]},
        "zero": {"dependencies": [{**each, "customProperties": {"importance": "0"}} for each in elements]},
        "stray": {"links": [*links, {**stray, "target": "nowhere"}]},
        "between": {"links": [*links, {**stray, "target": b}]},
        "shared": {"dependencies": [{**one, "id": a}, *rest]},
        "many": {"dependencies": [many, *rest]},
        "words": {"dependencies": [named, *rest]},
        "other_tool": {"tool": "openome.1"},
        "endless": {"links": [{key: value for key, value in links[0].items() if key != "target"}, *links[1:]]},
        "number": {"dependencies": [{**one, "source": 5}, *rest]},
        "listed": {"dependencies": [{**one, "customProperties": ["much"]}, *rest]},
        "nameless": {"actors": [{**actors[0], "nodes": [{"text": "its goal"}]}, *actors[1:]]},
        "same_actor": {"actors": [*actors, {**actors[0], "id": "another"}]},
    }


def prepare(folder):
    files = {
        "model.json": json.dumps(pistar()),
        "swapped.csv": "from,to,dependum\na,b,x\n",
        "table.csv": HEAD + "a,b,x,2,\na,c,x,2,\nb,a,y,1,0.9\nc,a,z,,\n",
        "column.csv": "depender,dependee,dependum,weight\na,b,x,1\n",
        "self.csv": HEAD + "a,a,x,1,\n",
        "zero.csv": HEAD + "a,b,x,0,\n",
        "negative.csv": HEAD + "a,b,x,-1,\n",
        "critical.csv": HEAD + "a,b,x,1,1.5\n",
        "word.csv": HEAD + "a,b,x,much,\n",
        "unlike.csv": HEAD + "a,b,x,1,\na,c,x,2,\n",
        "double.csv": HEAD + "a,b,x,1,\na,b,x,1,\n",
        "headless.csv": ",a,b\na,0,.5\nb,.2,0\n",
        "large.csv": "depender,a,b\na,0,1.5\nb,.2,0\n",
        "diagonal.csv": "depender,a,b\na,.1,.5\nb,.2,0\n",
        "names.csv": "depender,a,c\na,0,.5\nb,.2,0\n",
        "text.csv": "depender,a,b\na,0,x\nb,.2,0\n",
        "empty.json": "{}",
        "half.json": '{"actors": [',
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    for name, changes in _broken().items():
        (folder / f"{name}.json").write_text(json.dumps(pistar(**changes)))


def _matrix(value, text):
    return all(f"{each:.4f}" in text for row in value["matrix"] for each in row) and len(value["dependencies"]) == 8


def _solved(value, text):
    shown = all(f"{row['action']:.4f}" in text for row in value["actors"])
    return shown and value["certificate"]["holds"] and "nobody gains more than" in text


def _swept(value, text):
    return len(value["rows"]) == 5 and all(f"{row['a:A']:.4f}" in text for row in value["rows"])


def _case(value, text):
    return value["sheets"]["log"] in text and all(str(row["score"]) in text for row in value["rows"])


def _ordered(value, text):
    return value["advice"] in text and len(value["joining"]) == 12 and len(value["first"]) == 4


HELP_EXAMPLES = [(MATRIX, _matrix), (SOLVE, _solved)]
IN_ONE_PROCESS = [  # a fresh one imports pandas and scipy
    (SWEEP, _swept),
    (CASE, _case),
    (ORDER, _ordered),
    (REPORT, lambda value, text: value["certificate"] in text and value["report"] in text),
]


def _bad(file, fragment, *more):
    return (["coopetition", "solve", file, *more], fragment)


ALL_BAD_INPUTS = [
    _bad("absent.json", "absent.json: can't be read: No such file"),
    _bad("half.json", "half.json: is not JSON"),
    _bad("empty.json", "expected piStar's JSON, with 'actors' and 'dependencies'"),
    _bad("model.txt", "expected a file that ends in .json, .csv, .parquet"),
    _bad("other_tool.json", "tool='openome.1': expected 'pistar.1...' or 'pistar.2...'"),
    _bad("self.json", "depender='A' is its dependee too"),
    _bad("missing.json", "source='nobody' is no id of an actor or of its elements"),
    _bad("loose.json", "dependum 'need 0' has no depender; link it, or delete it"),
    _bad("orphan.json", "'lost' is an orphan: no actor holds it"),
    _bad("forked.json", "has two dependees"),
    _bad("twice.json", "stands 2 times; save the model anew"),
    _bad("zero.json", "importance sums to 0"),
    _bad("words.json", "importance='much': expected a number"),
    _bad("many.json", "importance=[1]: expected a number"),
    _bad("stray.json", "link 'z': target='nowhere' is no id of the model"),
    _bad("between.json", "link 'z': expected a dependum at one of its ends"),
    _bad("shared.json", "is an id of actor 'A' too; save the model anew"),
    _bad("endless.json", "links[1]: expected an object with 'id' and 'source' and 'target'"),
    _bad("number.json", "dependencies[1]: source=5: expected text"),
    _bad("listed.json", "dependencies[1]: customProperties=['much']: expected an object"),
    _bad("nameless.json", "actors[1].nodes[1]: expected an object with 'id'"),
    _bad("same_actor.json", "actor 'A' stands twice"),
    _bad("swapped.csv", "no column 'depender'; 'from' could be either end and is not guessed"),
    _bad("column.csv", "column 'weight' is unknown"),
    _bad("self.csv", "self.csv:2: dependum 'x': depender='a' is its dependee too"),
    _bad("zero.csv", "actor 'a': importance sums to 0"),
    _bad("negative.csv", "importance=-1: expected a number of at least 0"),
    _bad("critical.csv", "criticality=1.5: expected a number from 0 to 1"),
    _bad("word.csv", "word.csv:2: importance='much': expected a number"),
    _bad("unlike.csv", "it is one need, give it one importance"),
    _bad("double.csv", "'a' depends on 'b' for 'x' twice"),
    _bad("headless.csv", "no column 'depender'"),
    _bad("large.csv", "D['a', 'b']=1.5: expected a number from 0 to 1"),
    _bad("diagonal.csv", "D['a', 'a']=0.1: expected 0"),
    _bad("names.csv", "names don't match: 'b' is not both a row and a column"),
    _bad("text.csv", "expected numbers from 0 to 1"),
    _bad("model.json", "--alpha: shares sum to 1.4; expected 1", "--alpha", "A=0.7", "--alpha", "B=0.7"),
    _bad("model.json", "actor 'Z' is not there", "--alpha", "Z=0.7"),
    _bad("model.json", "--alpha='A=half': expected NAME=SHARE, a number", "--alpha", "A=half"),
    _bad("model.json", "--alpha='A=.2': 'A' stands twice", "--alpha", "A=.1", "--alpha", "A=.2"),
    _bad("model.json", "endowments=[0.0, 0.0, 0.0]: expected above 0", "--endowment", "0"),
    _bad("model.json", "theta=1.0: expected above 1", "--theta", "1"),
    _bad("model.json", "beta=1.0: expected between 0 and 1", "--value", "power", "--beta", "1"),
    _bad("model.json", "gamma=3: expected below 3", "--gamma", "3", "--box", "none"),
    _bad("model.json", "gamma=3: expected below 3", "--gamma", "3", "--box", "0,inf"),
    _bad("model.json", "gamma=1: expected below 1", "--gamma", "1", "--box", "none", "--synergy", "min"),
    _bad("model.json", "and low finite", "--box", "inf,inf"),
    _bad("model.json", "--theta=3: --value power has none; it has --beta", "--value", "power", "--theta", "3"),
    _bad("model.json", "gamma=-1: expected at least 0", "--gamma", "-1"),
    _bad("model.json", "synergy='sum': expected 'geometric', 'min', 'mean', or exponents", "--synergy", "sum"),
    _bad("model.json", "expected 3 exponents above 0 that sum to 1", "--synergy", ".5,.5"),
    _bad("model.json", "--box='1': expected low,high", "--box", "1"),
    _bad("model.json", "play: 'A' moves twice", "--first", "A", "--first", "A"),
    _bad("model.json", "who moves first searches a box", "--first", "A", "--box", "none"),
    (["coopetition", "sweep", "model.json", "--param", "delta=0:1:0.5"], "parameter 'delta' is unknown"),
    (["coopetition", "sweep", "model.json", "--param", "gamma=1:0:0.5"], "expected LOW:HIGH:STEP"),
    (["coopetition", "sweep", "model.json", "--param", "D:A:B=2"], "D:A:B=2: expected a number from 0 to 1"),
    ([*SWEEP, "--param", "gamma=1"], "'gamma' stands twice; name all its values in one"),
    ([*SWEEP[:3], "--param", "gamma=nan:1:1"], "expected LOW:HIGH:STEP"),
    ([*SWEEP, "--box", "5,1"], "expected 0 <= low <= high"),
    ([*SWEEP, "--out", "sweep.txt"], "its ending is not known"),
    (
        ["coopetition", "sweep", "model.json", "--param", "gamma=0:1:0.001", "--param", "theta=2:3:0.001"],
        "1,002,001 combinations; expected at most 1,000,000; take fewer values",
    ),
    ([*REPORT[:-1], "page.pdf"], "--out='page.pdf': a page is written; expected a name that ends in .html"),
    ([*CASE, "--report", "case.pdf"], "--report='case.pdf': a page is written"),
    (["coopetition", "case", "sony"], "case='sony': expected one of slcd"),
    (["coopetition", "matrix", "model.json", "--normalise", "rows"], "'rows' is not one of 'all', 'per-partner'"),
]
BAD_INPUTS = ALL_BAD_INPUTS[::20]  # the others in one process: test_coopetition_cli.py


def _action(form, transposed, i):
    from parataxis.methods.coopetition.cases import CASES

    return float(CASES["slcd"].game(form, transposed).equilibrium().actions[i])


GOLDEN = [
    ("the authors' results file: Samsung, log", lambda: _action("log", False, 0), 26.633376774688713, 1e-6),
    ("the authors' results file: Sony, log", lambda: _action("log", False, 1), 27.39914180691819, 1e-6),
    ("the authors' results file: Samsung, power", lambda: _action("power", False, 0), 0.8329475359591768, 1e-5),
    ("the authors' results file: Sony, power", lambda: _action("power", False, 1), 0.8767045068355548, 1e-5),
]


def _predict(gammas):
    import pandas as pd

    from parataxis.methods.coopetition.cases import CASES

    found = CASES["slcd"].game("log").sweep(pd.DataFrame({"gamma": np.asarray(gammas, float)}))
    return found[["a:Samsung", "a:Sony"]].round(10).to_numpy().tolist()


PREDICT = (_predict, [0.0, 0.3, 0.65, 1.0, 1.9])


def save(folder):
    from parataxis.methods.coopetition.writing import write_matrix

    dependencies().write(folder / "model.json")
    dependencies().write(folder / "model.csv")
    write_matrix(dependencies().matrix(), folder / "matrix.csv")
    return load(folder)


def load(folder):
    from parataxis.methods.coopetition import Game
    from parataxis.methods.coopetition.reading import read

    found = [read(folder / name)[0] for name in ("model.json", "model.csv", "matrix.csv")]
    return [Game(each).equilibrium().actions.tolist() for each in found]


SAVE = (save, load)
