"""The planted suites in this folder: one folder a case, and what a hunt must say of each.

Each suite's own file says in a comment what is planted and which class is right; `CASES` is the same as data. Tests
copy a suite before they run it (the fixture `suite` of ../conftest.py), since a run may leave files.
"""

from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Case:
    """What is right for one suite. Tests are named by file and function, as in node ids, parameters included.

    kinds: the class (a name of `classify.Kind`) of each flaky test; who is not listed is NOT_FLAKY.
    failing, passing: for a victim or brittle, minimal orders that end in it, in which it fails and passes.
    hash_order: flaky only because PYTHONHASHSEED differs (NOD, and constant once the seed is pinned).
    import_time: fails warm in every order, passes cold and alone; no order shows it.
    breakers: tests after which, or in which, pytest itself dies.
    declared: tests whose order the suite declares by a marker, in that order.
    threads: its import starts threads: no fork.   refused: BadInput, with this in its message.
    tests: how many pytest collects.   errors: files that can't be collected.
    """

    tests: int
    kinds: dict[str, str] = field(default_factory=dict)
    failing: tuple[tuple[str, ...], ...] = ()
    passing: tuple[tuple[str, ...], ...] = ()
    hash_order: bool = False
    import_time: tuple[str, ...] = ()
    breakers: tuple[str, ...] = ()
    declared: tuple[str, ...] = ()
    threads: bool = False
    refused: str | None = None
    errors: tuple[str, ...] = ()


def _in(file: str, *tests: str) -> tuple[str, ...]:
    return tuple(f"{file}::{test}" for test in tests)


def _kinds(kind: str, file: str, *tests: str) -> dict[str, str]:
    return dict.fromkeys(_in(file, *tests), kind)


_VICTIMS = tuple(f"test_victim[{n}]" for n in range(12))

CASES: dict[str, Case] = {
    "clean": Case(20),
    "forty_one": Case(41),
    # -- order-dependent -------------------------------------------------------------------------------------------
    "victim_and_polluter": Case(
        6,
        _kinds("OD", "test_prices.py", "test_price"),
        failing=(_in("test_prices.py", "test_switch", "test_price"),),
        passing=(
            _in("test_prices.py", "test_price"),
            _in("test_prices.py", "test_switch", "test_reset", "test_price"),
        ),
    ),
    "fails_in_file_order": Case(
        4,
        _kinds("OD", "test_prices.py", "test_price"),
        failing=(_in("test_prices.py", "test_switch", "test_price"),),
        passing=(_in("test_prices.py", "test_price"),),
    ),
    "brittle_and_setter": Case(
        4,
        _kinds("OD", "test_connection.py", "test_query"),
        failing=(
            _in("test_connection.py", "test_query"),
            _in("test_connection.py", "test_connect", "test_disconnect", "test_query"),
        ),
        passing=(_in("test_connection.py", "test_connect", "test_query"),),
    ),
    "joint_polluters": Case(
        5,
        _kinds("OD", "test_log.py", "test_is_sound"),
        failing=(_in("test_log.py", "test_open", "test_write", "test_is_sound"),),
        passing=(
            _in("test_log.py", "test_is_sound"),
            _in("test_log.py", "test_open", "test_is_sound"),
            _in("test_log.py", "test_write", "test_is_sound"),
            _in("test_log.py", "test_write", "test_open", "test_is_sound"),
        ),
    ),
    "many_cleaners": Case(
        41,
        _kinds("OD", "test_many.py", *_VICTIMS),
        failing=tuple(_in("test_many.py", "test_pollute", victim) for victim in _VICTIMS),
        passing=tuple(_in("test_many.py", "test_pollute", "test_clean_before[0]", victim) for victim in _VICTIMS),
    ),
    "crashes_in_order": Case(
        4,
        _kinds("OD", "test_native.py", "test_read"),
        failing=(_in("test_native.py", "test_free", "test_read"),),
        passing=(_in("test_native.py", "test_read"),),
    ),
    "hangs_in_order": Case(
        3,
        _kinds("OD", "test_lock.py", "test_wait"),
        failing=(_in("test_lock.py", "test_take", "test_wait"),),
        passing=(_in("test_lock.py", "test_wait"),),
    ),
    "exits_in_order": Case(
        3,
        _kinds("OD", "test_exit.py", "test_exit"),
        failing=(_in("test_exit.py", "test_arm", "test_exit"),),
        passing=(_in("test_exit.py", "test_exit"),),
    ),
    "leaves_files": Case(
        5,
        _kinds("OD", "test_report.py", "test_none_here", "test_none_tmp"),
        failing=(
            _in("test_report.py", "test_write_here", "test_none_here"),
            _in("test_report.py", "test_write_tmp", "test_none_tmp"),
        ),
        passing=(_in("test_report.py", "test_none_here"), _in("test_report.py", "test_none_tmp")),
    ),
    "temporary_at_import": Case(
        3,
        _kinds("OD", "test_temporary.py", "test_starts_empty"),
        failing=(_in("test_temporary.py", "test_writes", "test_starts_empty"),),
        passing=(_in("test_temporary.py", "test_starts_empty"),),
    ),
    "changes_folder": Case(
        5,
        _kinds("OD", "test_folder.py", "test_reads"),
        failing=(
            _in("test_folder.py", "test_change", "test_reads"),
            _in("test_folder.py", "test_delete", "test_reads"),
        ),
        passing=(
            _in("test_folder.py", "test_reads"),
            _in("test_folder.py", "test_change", "test_back", "test_reads"),
        ),
    ),
    "freezes_clock": Case(
        4,
        _kinds("OD", "test_clock.py", "test_moves"),
        failing=(_in("test_clock.py", "test_freeze", "test_moves"),),
        passing=(_in("test_clock.py", "test_moves"),),
    ),
    "closes_descriptors": Case(
        3,
        _kinds("OD", "test_close.py", "test_before", "test_bystander"),
        failing=(
            _in("test_close.py", "test_close", "test_before"),
            _in("test_close.py", "test_close", "test_bystander"),
        ),
        passing=(_in("test_close.py", "test_before"), _in("test_close.py", "test_bystander")),
        breakers=_in("test_close.py", "test_close"),
    ),
    "breaks_runner": Case(
        3,
        _kinds("OD", "test_breaks.py", "test_before", "test_after"),
        failing=(
            _in("test_breaks.py", "test_break", "test_before"),
            _in("test_breaks.py", "test_break", "test_after"),
        ),
        passing=(_in("test_breaks.py", "test_before"), _in("test_breaks.py", "test_after")),
        breakers=_in("test_breaks.py", "test_break"),
    ),
    # -- chance ----------------------------------------------------------------------------------------------------
    "random_by_clock": Case(2, _kinds("NOD", "test_clock.py", "test_even")),
    "random_own_generator": Case(2, _kinds("NOD", "test_dice.py", "test_throw")),
    "random_global": Case(2, _kinds("NOD", "test_dice.py", "test_throw")),
    "random_numpy": Case(3, _kinds("NOD", "test_dice.py", "test_generator", "test_global")),
    "rate_depends_on_order": Case(3, _kinds("NOD", "test_rate.py", "test_throw")),
    "hash_order": Case(2, _kinds("NOD", "test_names.py", "test_first_name"), hash_order=True),
    # -- the environment -------------------------------------------------------------------------------------------
    "infrastructure": Case(3, _kinds("INFRA", "test_service.py", "test_set_up")),
    "import_pollution": Case(
        3,
        import_time=_in("test_default.py", "test_colour"),
        passing=(_in("test_default.py", "test_colour"),),  # cold
    ),
    # -- what must not be taken for flaky --------------------------------------------------------------------------
    "random_seeded": Case(5),
    "teardown_errors": Case(6),
    "expected_failures": Case(11),
    "not_idempotent": Case(2),
    "warnings_are_errors": Case(3),
    "parallel_by_default": Case(2),
    "unstable_ids": Case(11),
    "order_markers": Case(5, declared=_in("test_steps.py", "test_first", "test_second", "test_third")),
    "collection_error": Case(2, errors=("test_broken.py",)),
    "thread_at_import": Case(2, threads=True),
    "leaves_daemon": Case(2),
    "kills_group": Case(3, breakers=_in("test_kill.py", "test_kill")),
    # -- what can't be measured ------------------------------------------------------------------------------------
    "no_tests": Case(0, refused="collected no tests"),
}
