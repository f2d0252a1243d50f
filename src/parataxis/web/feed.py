"""What was measured last, as an Atom feed (RFC 4287): an entry a finished run."""

from collections.abc import Sequence
from xml.etree import ElementTree as xml

from parataxis.claims import Paper
from parataxis.studies.render import counts, findings
from parataxis.studies.store import Run

ENTRIES = 50
SPACE = "http://www.w3.org/2005/Atom"
EMPTY = "1970-01-01T00:00:00+00:00"  # a feed must say when it was changed


def feed(runs: Sequence[tuple[Paper, Run]], url: str) -> bytes:
    """The newest runs first. url: of the page, without a slash at its end."""
    newest = sorted(runs, key=lambda each: each[1].finished, reverse=True)[:ENTRIES]
    root = xml.Element("feed", xmlns=SPACE)
    _add(root, "id", f"{url}/")
    _add(root, "title", "Parataxis: evidence")
    _add(root, "updated", newest[0][1].finished if newest else EMPTY)
    xml.SubElement(root, "link", rel="self", href=f"{url}/feed.atom")
    _add(xml.SubElement(root, "author"), "name", "Parataxis")
    for paper, run in newest:
        entry = xml.SubElement(root, "entry")
        _add(entry, "id", f"{url}/papers/{paper.name}#run-{run.id}")
        _add(entry, "title", f"{paper.title}: {counts(findings(paper, run))}")
        _add(entry, "updated", run.finished)
        xml.SubElement(entry, "link", href=f"{url}/papers/{paper.name}#run-{run.id}")
        _add(entry, "summary", f"{run.scale}, seed {run.seed}, parataxis {run.parataxis}")
    return xml.tostring(root, encoding="utf-8", xml_declaration=True)


def _add(parent: xml.Element, name: str, text: str) -> None:
    xml.SubElement(parent, name).text = text
