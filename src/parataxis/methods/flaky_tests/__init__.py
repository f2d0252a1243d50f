"""Find flaky tests in a pytest suite, say why they are flaky, and how sure that is.

A suite is run in file order again and again, backwards, shuffled, and with every test after every other; each order in
a fork of one collected session, each iteration in a process of its own. `hunt` returns a report that sorts the tests
into order-dependent, non-order-dependent and infrastructure; `classify`, `runs_needed`, `rerun_curve` and `order_test`
work on outcomes from anywhere.

Gruber, Lukasczyk, Kroiß and Fraser, "An Empirical Study of Flaky Tests in Python", ICST 2021, arXiv:2101.09077.
"""

import importlib
from typing import Any

# No module is named as what it gives is: once imported, it would stand in its place.
_HOME = {
    "hunt": "hunting",
    "explain": "explaining",
    "from_junit": "ci_runs",
    "hunt_many": "many",
    "Diagnosis": "diagnosis",
    "Report": "report",
    "Finding": "report",
    "Run": "outcomes",
    "verdict": "outcomes",
    "Kind": "classes",
    "classify": "classes",
    "runs_needed": "reruns",
    "rerun_curve": "reruns",
    "order_test": "order_tests",
    "shuffle": "schedules",
    "tuscan_rows": "schedules",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
