"""What a diagnosis says, in lines for a person."""

from collections.abc import Sequence

from parataxis.methods.flaky_tests.diagnosis import Chain, Change, Dependence, Diagnosis
from parataxis.methods.flaky_tests.fixes import MOST_NAMES, fix, some
from parataxis.methods.flaky_tests.outcomes import FAILING, PASSING


def explanation(found: Diagnosis) -> list[str]:
    """What a diagnosis says, line by line."""
    lines = [found.kind.value]
    if found.modules:
        lines.append(f"it ends as in the suite once these are imported: {', '.join(found.modules)}")
    if found.kind is Dependence.REPEAT:  # its own polluter
        lines += [line for chain in found.chains for line in _chain(found, [chain])]
    elif found.again and found.again in FAILING and found.alone in PASSING:
        lines.append("also fails when it is run twice in one process")
    groups = _alike(found.chains)
    for alike in groups if found.kind is not Dependence.REPEAT else ():
        names = [", then ".join(chain.tests) for chain in alike]
        word = found.culprit_word + ("s" if len(names) > 1 else "")
        lines += [f"{word}: {some(names, '; ')}", *(f"  {line}" for line in _chain(found, alike))]
    if (
        found.searched
        and not found.chains
        and found.kind in (Dependence.VICTIM, Dependence.BRITTLE, Dependence.UNKNOWN)
    ):
        lines.append(f"none of {found.searched} tests does it by itself, and no order that showed it could be reduced")
    for hint in found.hints:
        sure = "shown" if hint.shown else "seen"
        lines.append(f"cause, {sure}: {hint.kind}{_at(hint.where)}: {hint.says} (p = {hint.p:.2g})")
    # One setter is enough for a brittle; a victim falls to each of its polluters.
    told = [group for group in groups if group[0].cold][: 1 if _brittle(found) else None]
    remedies = [fix(found, group) for group in told] or [fix(found)]
    lines += [f"fix: {remedy}" for remedy in dict.fromkeys(remedies) if remedy]
    lines += [f"note: {note}" for note in found.notes]
    proofs = [chain for group in told for chain in group][: 1 if _brittle(found) else None]
    lines += [f"proof (run in a fresh interpreter: it {_ends(chain.cold)}): {chain.command}" for chain in proofs]
    if found.command:
        files = "file" if len(found.modules) == 1 else f"{len(found.modules)} files"
        ends = f"it runs first and {_ends(found.alone)}; without the other {files} it {_ends(found.cold)}"
        lines.append(f"proof ({ends}): {found.command}")
    return lines


ENDS = {"T": "does not end", "C": "ends the process"}


def _ends(end: str) -> str:
    return ENDS.get(end, "fails" if end in FAILING else "passes")


def _alike(chains: Sequence[Chain]) -> list[list[Chain]]:
    """Chains that change the same and are undone by the same tests together; those not looked into are one group."""
    groups: dict[object, list[Chain]] = {}
    for chain in chains:
        changed = tuple(_place(change) for change in _decisive(chain) or chain.changes)
        groups.setdefault((chain.undone_by, chain.tried, bool(chain.cold), changed), []).append(chain)
    return list(groups.values())


def _decisive(chain: Chain) -> list[Change]:
    """The changes that were shown to matter, without those that only hold another of them."""
    shown = [change for change in chain.changes if change.shown]
    return [
        each for each in shown if not any(other.name.startswith((f"{each.name}.", f"{each.name}[")) for other in shown)
    ]


def _place(change: Change) -> tuple[str, str]:
    return change.kind, change.name


def _chain(found: Diagnosis, alike: Sequence[Chain]) -> list[str]:
    chain, lines = alike[0], []
    for change in _decisive(chain):
        same = [other for each in alike for other in each.changes if _place(other) == _place(change)]
        first = " after the first" if len({(other.before, other.after) for other in same}) > 1 else ""
        turned = f"{change.before} -> {change.after}" if change.before else change.after
        told = f"{change.name}: {turned}{first}{_at(_lines([other.where for other in same]))}"
        lines.append(f"leaves {told}; with this undone, {'it fails' if _brittle(found) else 'it passes'} again")
    if not lines and chain.changes:
        lines.append(
            f"leaves {', '.join(change.name for change in chain.changes[:MOST_NAMES])}; none of it alone decides"
        )
    if chain.undone_by:
        names = ", ".join(chain.undone_by[:MOST_NAMES]) + (", ..." if len(chain.undone_by) > MOST_NAMES else "")
        undoers = f"{len(chain.undone_by)} {found.undoer_word}{'s' * (len(chain.undone_by) > 1)}"
        lines.append(f"{undoers} among the {chain.tried} other tests: {names}")
    return lines


def _lines(places: Sequence[str]) -> str:
    found = list(dict.fromkeys(filter(None, places)))
    return ", ".join(found[:MOST_NAMES]) + (", ..." if len(found) > MOST_NAMES else "")


def _brittle(found: Diagnosis) -> bool:
    return found.kind is Dependence.BRITTLE


def _at(where: str) -> str:
    return f" ({where})" if where else ""
