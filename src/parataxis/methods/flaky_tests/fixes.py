"""What to do about a mechanism: patterns of repair, in pytest's own terms."""

from collections.abc import Sequence

from parataxis.methods.flaky_tests.diagnosis import Chain, Change, Dependence, Diagnosis

OF_CHANGE = {
    "environment": "set it with `monkeypatch.setenv` or `monkeypatch.delenv`, which put it back",
    "current folder": "change it with `monkeypatch.chdir`, which changes back",
    "module": "replace it with `monkeypatch.setitem(sys.modules, ...)`, which puts the old module back",
    "module global": "set it with `monkeypatch.setattr`, which puts the old value back",
    "class attribute": "set it with `monkeypatch.setattr`, or on an instance instead of the class",
    "object attribute": "set it with `monkeypatch.setattr`, or build the object in a fixture",
    "container": "copy it before and put it back after, in a fixture: `monkeypatch.setattr(owner, name, copy(...))`",
    "logging": "remove the handler and put the level back in the fixture that set them (`caplog.set_level` does)",
    "signal handler": "put back what `signal.signal` returned, in a fixture's teardown",
    "warnings filter": "change filters inside `warnings.catch_warnings()`",
    "sys": "set it with `monkeypatch.setattr(sys, ...)` or `monkeypatch.syspath_prepend`",
    "locale": "put back `locale.setlocale(category)` as it was, in a fixture's teardown",
    "umask": "put back what `os.umask` returned, in a fixture's teardown",
    "default timeout": "put back `socket.getdefaulttimeout()` as it was, in a fixture's teardown",
    "fixture": "put back what it changes of the fixture, or give the fixture the scope of a function",
    "files": "write below `tmp_path`; change to it with `monkeypatch.chdir` if the code writes to the current folder",
    "threads": "join what was started, in a fixture's teardown",
}
MOST_NAMES = 3  # in a line
OF_ITEM = "set it with `monkeypatch.setitem`, which puts the old value back"
OF_IMPORT = "move what the module does when it is imported into a fixture or a function"
OF_REPEAT = "make it put back what it changes, or set up what it needs"


def fix(found: Diagnosis, chains: Sequence[Chain] = ()) -> str:
    """One sentence for culprits that leave the same, by default for the first; "" if nothing is known."""
    if found.kind is Dependence.IMPORT:
        return f"In {', '.join(found.modules)}, or what it imports: {OF_IMPORT}."
    chains = chains or found.chains[:1]
    chain = chains[0] if chains else None
    if found.kind is Dependence.REPEAT:
        cause = chain.cause if chain else None
        return f"In {found.nodeid}: {_pattern(cause) or OF_REPEAT}{_what(cause)}."
    if chain is None:
        return next((f"{hint.fix[0].upper()}{hint.fix[1:]}." for hint in found.hints if hint.fix), "")
    if found.kind is Dependence.BRITTLE:
        return f"In {found.nodeid}: set up, in a fixture, what it now owes to {chain.tests[-1]}{_what(chain.cause)}."
    culprits = some([each.tests[-1] for each in chains])
    return f"In {culprits}: {_pattern(chain.cause) or 'put back what it changes'}{_what(chain.cause)}."


def some(names: Sequence[str], separator: str = ", ") -> str:
    """The first of them, and how many more there are."""
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return f"{separator.join(names[:MOST_NAMES])}{more}"


def _pattern(change: Change | None) -> str:
    if change is None:
        return ""
    of_a_dictionary = change.kind == "container" and change.name.endswith(("']", '"]'))
    return OF_ITEM if of_a_dictionary else OF_CHANGE.get(change.kind, "")


def _what(change: Change | None) -> str:
    return f" (`{change.name}`)" if change else ""
