"""What a diagnosis says, in lines for a person."""

from collections.abc import Sequence
from dataclasses import replace

from parataxis.methods.flaky_tests.diagnosis import Chain, Dependence, Diagnosis
from parataxis.methods.flaky_tests.fixes import fix
from parataxis.methods.flaky_tests.outcomes import FAILING, PASSING

MOST_NAMES = 3  # in a line


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
        more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
        word = found.culprit_word + ("s" if len(names) > 1 else "")
        lines += [f"{word}: {'; '.join(names[:MOST_NAMES])}{more}", *(f"  {line}" for line in _chain(found, alike))]
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
    told = [group[0] for group in groups if group[0].cold][: 1 if found.kind is Dependence.BRITTLE else None]
    remedies = [fix(found, chain) for chain in told] or [fix(found)]
    lines += [f"fix: {remedy}" for remedy in dict.fromkeys(remedies) if remedy]
    lines += [f"note: {note}" for note in found.notes]
    lines += [f"proof (run in a fresh interpreter: it {_ends(chain.cold)}): {chain.command}" for chain in told]
    if found.command:
        files = "file" if len(found.modules) == 1 else f"{len(found.modules)} files"
        ends = f"it runs first and {_ends(found.alone)}; without the other {files} it {_ends(found.cold)}"
        lines.append(f"proof ({ends}): {found.command}")
    return lines


ENDS = {"T": "does not end", "C": "ends the process"}


def _ends(end: str) -> str:
    return ENDS.get(end, "fails" if end in FAILING else "passes")


def _alike(chains: Sequence[Chain]) -> list[list[Chain]]:
    """Chains that leave the same and are undone by the same tests together; those not looked into are one group."""
    groups: dict[object, list[Chain]] = {}
    for chain in chains:
        changes = tuple(replace(change, where="") for change in chain.changes)  # each has lines of its own
        groups.setdefault((chain.undone_by, chain.tried, changes), []).append(chain)
    return list(groups.values())


def _chain(found: Diagnosis, alike: Sequence[Chain]) -> list[str]:
    chain, lines = alike[0], []
    for place, change in enumerate(chain.changes):
        turned = f"{change.before} -> {change.after}" if change.before else change.after
        told = f"{change.name}: {turned}{_at(_lines([each.changes[place].where for each in alike]))}"
        if change.shown:
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
