"""The pytest plugin: `pytest --flaky-hunt` hunts for flaky tests instead of running each of them once.

A module of its own beside the package: every run of pytest in this environment imports it, and without --flaky-hunt it
must cost nothing and change nothing.
"""

import argparse
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

PROTOCOLS = ("quick", "thorough", "paper")
WORKER = "_parataxis_pytest"  # in sys.modules of a hunt's own pytest, whose options may have --flaky-hunt in addopts
OURS = ("--flaky-out", "--flaky-jobs", "--flaky-seed")  # with a value
THEIRS = ("-c", "-k", "-m", "-o", "-p", "-W")  # pytest's, with a value, which may look like a path


def _protocol(text: str) -> str:
    if text not in PROTOCOLS:
        forms = ", ".join(f"--flaky-hunt={name}" for name in PROTOCOLS)
        raise argparse.ArgumentTypeError(f"{text!r} is no protocol; before a path write one of {forms}")
    return text


def _count(least: int) -> Callable[[str], int]:
    def count(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number from {least} on")
        return int(text)

    return count


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("parataxis", "hunt for flaky tests (parataxis)")
    group.addoption(
        "--flaky-hunt",
        nargs="?",
        const="quick",
        type=_protocol,
        metavar="PROTOCOL",
        help="Run the tests in many orders and name the flaky ones: quick (default), thorough, or as in the paper. "
        "Exit status: 0 none is flaky, 1 some are, 2 it could not be measured.",
    )
    group.addoption("--flaky-out", metavar="DIR", type=Path, help="Folder of record and reports; else .parataxis.")
    group.addoption("--flaky-jobs", metavar="N", type=_count(1), default=1, help="Orders at a time.")
    group.addoption("--flaky-seed", metavar="N", type=_count(0), default=0, help="What all randomness is drawn from.")
    group.addoption("--flaky-resume", action="store_true", help="Go on with the hunt recorded there.")


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """In the place of the session, before any plugin has begun one."""
    if not config.option.flaky_hunt or WORKER in sys.modules:
        return None
    from parataxis.errors import BadInput

    try:
        return _hunt(config)
    except BadInput as error:
        print(f"parataxis: {error}", file=sys.stderr)
        return 2


def _hunt(config: pytest.Config) -> int:
    from parataxis.errors import BadInput
    from parataxis.methods.flaky_tests.cli_diagnosis import telling
    from parataxis.methods.flaky_tests.explaining import explain
    from parataxis.methods.flaky_tests.hunting import hunt, own_folder
    from parataxis.methods.flaky_tests.suite import find_suite
    from parataxis.methods.flaky_tests.watch import watching

    option, here = config.option, config.invocation_params.dir
    paths, options = split(config.invocation_params.args, set(option.file_or_dir or ()), here)
    asked = [here / path for path in paths] or [here]
    root = find_suite(asked).root
    if root != here and (seen := [word for word in options if (here / word.rpartition("=")[2]).exists()]):
        raise BadInput(f"{seen[0]}: is a path seen from {here}; start pytest in {root}, the root of the suite")
    out = here / option.flaky_out if option.flaky_out else own_folder(root)
    with watching() as watch:
        report = hunt(
            asked,
            options,
            protocol=option.flaky_hunt,
            seed=option.flaky_seed,
            jobs=option.flaky_jobs,
            python=Path(sys.executable),
            out=out,
            resume=option.flaky_resume,
            watch=watch,
        )
    with telling() as tell:
        report = explain(report, out, jobs=option.flaky_jobs, tell=tell)
    written = report.write(out)
    if report.counts()["never ran"] == len(report.head.ids):
        raise BadInput(f"{root}: none of its {len(report.head.ids)} tests ran; see `pytest` in that folder")
    width = shutil.get_terminal_size().columns
    print(f"{' flaky tests '.center(width, '=')}\n{report}\n{f' report: {written[1]} '.center(width, '=')}")
    return report.exit_status


def split(words: Sequence[str], paths: set[str], here: Path) -> tuple[list[str], list[str]]:
    """pytest's command line without our options: what asks for tests (`paths`, those that exist), and the rest.

    What addopts, the configuration or PYTEST_ADDOPTS hold is not in it: the hunt's own pytest reads them again.
    """
    asked: list[str] = []
    rest: list[str] = []
    left = list(words)
    while left:
        word = left.pop(0)
        name, equals, _ = word.partition("=")
        following = left[:1] if not equals else []
        if name in OURS:
            del left[: len(following)]
        elif name == "--flaky-hunt":
            del left[: following != [] and following[0] in PROTOCOLS]
        elif word in THEIRS:
            rest += [word, *following]
            del left[: len(following)]
        elif word in paths and (here / word.partition("::")[0]).exists():
            asked.append(word)
        elif word != "--flaky-resume":
            rest.append(word)
    return asked, rest
