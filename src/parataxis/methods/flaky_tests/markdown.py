"""A hunt's report as Markdown, to be pasted into a pull request."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from parataxis.methods.flaky_tests.diagnosis import Diagnosis
from parataxis.methods.flaky_tests.explanation import explanation
from parataxis.methods.flaky_tests.one_cause import apart, by_cause, more
from parataxis.methods.flaky_tests.text import gone, headline, notes, summary

if TYPE_CHECKING:
    from parataxis.methods.flaky_tests.report import Finding, Report


def markdown(report: "Report") -> str:
    parts = [f"## {headline(report)}", f"{summary(report)}."]
    parts += [_section(report, each, others) for each, others in by_cause(report, report.flaky)]
    if report.repeating:
        parts.append("### Pass once, and fail when run again in the same process (non-idempotent)")
        for each, others in by_cause(report, report.repeating):
            parts += [f"`{each.nodeid}`", *_more(each.nodeid, others), _explained(each)]
    parts += ["\n".join(f"- {note}" for note in notes(report))] if notes(report) else []
    return "\n\n".join(parts) + "\n"


def _more(nodeid: str, others: Sequence[str]) -> list[str]:
    said, names = more(nodeid, others), "\n".join(f"- `{name}`" for name in apart(nodeid, others))
    return [f"{said[0].upper()}{said[1:]}{':' if names else '.'}", *filter(None, [names])] if said else []


def _section(report: "Report", each: "Finding", others: Sequence[str]) -> str:
    lines = [
        f"### `{each.nodeid}`",
        *_more(each.nodeid, others),
        f"**{each.kind.value}**: fails {each.same} in file order, {each.shuffled} shuffled.",
    ]
    if each.sure:
        chance = f" By chance: {each.by_chance}." if each.by_chance else ""
        lines.append(f"It {each.sure}.{chance}" if each.sure[0].islower() else f"{each.sure}.{chance}")
    if each.cause:
        lines.append(f"Cause: {each.cause}.")
    if each.message:
        lines.append(f"```\n{each.message}\n```")
    if found := report.diagnoses.get(each.nodeid):
        lines.append(_explained(found))
    if said := gone(each):
        lines.append(f"{said[0].upper()}{said[1:]}.")
    return "\n\n".join(lines)


def _explained(found: Diagnosis) -> str:
    return "\n".join(_item(line) for line in explanation(found))


def _item(line: str) -> str:
    """A list item; a command as code."""
    indent = len(line) - len(line.lstrip())
    head, separator, command = line.strip().partition("): ")
    if head.startswith("proof") and separator:
        return f"- {head}):\n  ```\n  {command}\n  ```"
    return f"{' ' * indent}- {line.strip()}"
