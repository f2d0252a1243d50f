"""Find flaky tests in a pytest suite, say why they are flaky, and how sure that is.

A suite is run in file order again and again, backwards, shuffled, and with every test after every other; each order in
a fork of one collected session, each iteration in a process of its own. `hunt` returns a report that sorts the tests
into order-dependent, non-order-dependent and infrastructure; `classify`, `runs_needed`, `rerun_curve` and `order_test`
work on outcomes from anywhere.

Gruber, Lukasczyk, Kroiß and Fraser, "An Empirical Study of Flaky Tests in Python", ICST 2021, arXiv:2101.09077.
"""

import lazy_loader

# No module is named as what it gives is: once imported, it would stand in its place.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "hunting": ["hunt"],
        "explaining": ["explain"],
        "ci_runs": ["from_junit"],
        "many": ["hunt_many"],
        "diagnosis": ["Diagnosis"],
        "report": ["Report", "Finding"],
        "outcomes": ["Run", "verdict"],
        "classes": ["Kind", "classify"],
        "reruns": ["runs_needed", "rerun_curve"],
        "order_tests": ["order_test"],
        "schedules": ["shuffle", "tuscan_rows"],
    },
)
