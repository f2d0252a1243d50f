"""Published order-dependent tests, found again: projects of the International Dataset of Flaky Tests, at its commits.

    python benchmarks/flaky_idoft.py --folder idoft --jobs 2

Each project is fetched at the commit that the list has for it and gets an environment of its own; `parataxis tests
study` hunts in its suite (protocol quick), and the order-dependent tests that it finds are set against those of the
list, parameter sets of a function as one. One that fails in every run here, for want of a network or of an old Python,
is counted apart. What lies in the folder is not done again; `--project NAME` for some only.
"""

import argparse
from pathlib import Path

from parataxis import data
from parataxis.methods.flaky_tests.classes import Kind
from parataxis.methods.flaky_tests.idoft import read_python_tests
from parataxis.methods.flaky_tests.many import hunt_many
from parataxis.methods.flaky_tests.projects import Project
from parataxis.methods.flaky_tests.report import Report
from parataxis.studies.registry import methods

LIST = "idoft-py-data.csv"
# owner/name, commit, what pip is to install, and which tests
PROJECTS = """
Gsllchb/DotDot 89a6f7a -r requirements.txt ;
LeBarbouze/tunacell 837d57e . ;
MirkoRossini/zanna 4c28b5e . ; tests
Rickecr/PyGraph e81c3a0 pytest ; __tests__
Windsooon/cherry bc6ae1f . ;
agile4you/bottle-neck ebc670a . -r requirements.txt ;
bmweiner/skillful 8646f54 . -r requirements.txt;
cbornet/python-httpproblem 0b08139 . ; tests
chaosmail/python-fs 2567922 . ;
coinbase/coinbase-commerce-python d306fc5 .[dev] ; tests
crumpstrr33/Utter-More 418cf5f . -r requirements.txt ; test
d4nuu8/krllint 2f9376c . -r requirements.txt ;
daknuett/ljson 1d3dc13 . ; test
didix21/mdutils 2ef859e . ; tests
djrobstep/logx c53fabb -r requirements.txt ; tests
dvc94ch/pykicad cdebcae . ; tests
femueller/python-n26 22cb609 . ;
gjvnq/LabIFSC cb56b75 . ;
heavenshell/py-autodoc 001d5ff . requests mock ; tests examples
hefnawi/json-storage-manager c7521fc . ;
irmen/Tale a2a2644 . ;
izar/pytm 724df0c . ;
josiest/geom d12b381 . ;
kade-robertson/config-better c14638d pytest ; tests
laike9m/pdir2 ef5e220 . ; tests
max-k/flask-multi-redis fa781d3 . ;
microsoft/knack dc7b7d8 . mock six ; tests
mrob95/Breathe 4600818 . dragonfly2 ; tests
oskar456/dzonegit 8f95208 . ;
pierrepo/autoclasswrapper af43dd8 . ;
sushobhit27/multiindex b631e60 . ;
teamhide/pythondi 913e6a6 . ; tests
thegetty/crom 98bb6be . -r requirements.txt ; tests
thimic/nodal 261eeef setuptools pyyaml ;
whisller/pyeventdispatcher 5382e5e . ;
wilfredinni/coo da9e75d . ;
"""


def chosen(names: list[str]) -> dict[Project, set[str]]:
    """Each project with its published order-dependent tests."""
    tests = read_python_tests(data.find(methods()["flaky-tests"].paper, LIST))
    found = {}
    for line in PROJECTS.strip().splitlines():
        head, _, arguments = (part.strip() for part in line.partition(";"))
        address, commit, install = head.split(maxsplit=2)
        mine = [each for each in tests if each.project.endswith(f"/{address}") and each.commit.startswith(commit)]
        name = address.partition("/")[2]
        if not names or name in names:
            project = Project(name, "", "", mine[0].project, mine[0].commit, "", install, arguments)
            found[project] = {each.test.partition("[")[0] for each in mine if each.category.startswith("OD")}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="Results, and what is needed to go on.")
    parser.add_argument("--jobs", type=int, default=1, help="Projects at a time.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=float, default=1800.0, help="Seconds that a project may take.")
    names = [line.split()[0].partition("/")[2] for line in PROJECTS.strip().splitlines()]
    parser.add_argument("--project", action="append", default=[], choices=names, metavar="NAME")
    asked = parser.parse_args()
    projects = chosen(asked.project)
    tally = hunt_many(
        [*projects],
        asked.folder,
        jobs=asked.jobs,
        seed=asked.seed,
        limit=asked.limit,
        explain=False,
        watch=lambda each: print(f"{each.project}: {each.reason or f'{each.orders} orders'}", flush=True),
    )
    print("\n| Project | Tests | Orders | Listed | Found | Fail always | Missed | Others |")
    print("| --- " * 8 + "|")
    total = [0] * 7
    for (project, tests), each in zip(projects.items(), tally.found, strict=True):
        if not each.tests:
            print(f"| {project.name} | not measured: {each.reason} |")
            continue
        report = Report.read(asked.folder / each.folder / "hunt")
        kinds = {one.nodeid.partition("[")[0]: one.kind for one in report.flaky}
        found = {one.nodeid.partition("[")[0] for one in report.flaky if one.kind is Kind.OD}
        passing = {one.nodeid.partition("[")[0] for one in report.findings if one.rate_below} | kinds.keys()
        failing = {one.nodeid.partition("[")[0] for one in report.findings if one.same.failures}
        always = (tests & failing) - passing
        missed = tests - found - always
        row = [each.tests, each.orders, *map(len, (tests, tests & found, always, missed, found - tests))]
        total = [a + b for a, b in zip(total, row, strict=True)]
        print(f"| {project.name} {project.sha[:7]} | {' | '.join(map(str, row))} |")
        for word, names in (("missed", missed), ("not listed", found - tests)):
            for name in sorted(names):
                print(f"  {word}: {name}" + (f" ({kinds[name].value})" if name in missed and name in kinds else ""))
    print(f"| {len(projects)} projects | {' | '.join(map(str, total))} |")


if __name__ == "__main__":
    main()
