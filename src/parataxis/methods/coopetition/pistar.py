"""piStar's JSON, versions 1 and 2: an i* 2.0 model, of which the actors and the dependencies between them are read."""

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from parataxis.errors import BadInput
from parataxis.methods.coopetition.dependencies import Dependencies, Dependency

VERSIONS = ("pistar.1.", "pistar.2.")
ACTORS = ("istar.Actor", "istar.Agent", "istar.Role")
DEPENDUMS = ("istar.Goal", "istar.Task", "istar.Resource", "istar.Quality")
BETWEEN_ACTORS = {"istar.IsALink": "is-a", "istar.ParticipatesInLink": "participates-in"}
PARTS = {"actors": ("id", "text"), "dependencies": ("id", "text"), "links": ("id", "source", "target"),
         "orphans": ("id", "type")}  # fmt: skip
LINK = "istar.DependencyLink"


def from_pistar(model: Any, where: str) -> Dependencies:
    """The dependencies of a model that was read as JSON. where: its file, for messages.

    A dependency begins and ends at an actor or at an element inside one, which counts for its owner. Raises BadInput.
    """
    _check_form(model, where)
    owner = _owners(model["actors"], where)
    names = tuple(_text(each) for each in model["actors"])
    _check_ids(model["dependencies"], owner, where)
    for each in model.get("orphans", []):
        if each.get("type") in DEPENDUMS:
            raise BadInput(f"{where}: {_text(each)!r} is an orphan: no actor holds it; place it, or delete it")
    ends = _ends(model.get("links", []), {each["id"] for each in model["dependencies"]}, owner, where)
    rows = [_row(each, owner, ends, where) for each in model["dependencies"]]
    return Dependencies(names, tuple(rows), _notes(model, owner))


def _check_form(model: Any, where: str) -> None:
    if not isinstance(model, dict) or not {"actors", "dependencies"} <= model.keys():
        raise BadInput(f"{where}: expected piStar's JSON, with 'actors' and 'dependencies'")
    tool = str(model.get("tool", ""))
    if not tool.lower().startswith(VERSIONS):
        raise BadInput(f"{where}: tool={tool!r}: expected 'pistar.1...' or 'pistar.2...'; save the model with piStar")
    for part, keys in PARTS.items():
        if not isinstance(model.get(part, []), list):
            raise BadInput(f"{where}: {part}: expected a list")
        for place, each in enumerate(model.get(part, []), 1):
            _check_element(each, keys, f"{where}: {part}[{place}]")
            for inside, node in enumerate(each.get("nodes") or [], 1):
                _check_element(node, ("id",), f"{where}: {part}[{place}].nodes[{inside}]")


def _check_element(each: Any, keys: Sequence[str], where: str) -> None:
    """An object with these keys; its ids are text, and its properties a table."""
    if not isinstance(each, dict) or not set(keys) <= each.keys():
        raise BadInput(f"{where}: expected an object with {' and '.join(map(repr, keys))}")
    for name in ("id", "source", "target"):
        if not isinstance(each.get(name) or "", str):
            raise BadInput(f"{where}: {name}={each[name]!r}: expected text")
    for name, kind, told in (("customProperties", dict, "an object"), ("nodes", list, "a list")):
        if not isinstance(each.get(name) or kind(), kind):
            raise BadInput(f"{where}: {name}={each[name]!r}: expected {told}")


def _owners(actors: Sequence[Any], where: str) -> dict[str, str]:
    """The actor of every id that a dependency may begin or end at."""
    owner: dict[str, str] = {}
    for actor in actors:
        if actor.get("type") not in ACTORS:
            raise BadInput(f"{where}: actor {_text(actor)!r}: type={actor.get('type')!r}: expected {', '.join(ACTORS)}")
        for each in [actor, *(actor.get("nodes") or [])]:
            if each["id"] in owner:
                raise BadInput(f"{where}: id={each['id']!r} stands twice: {_text(each)!r}; save the model anew")
            owner[each["id"]] = _text(actor)
    return owner


def _check_ids(dependencies: Sequence[Any], owner: dict[str, str], where: str) -> None:
    for each in dependencies:
        if each["id"] in owner:
            raise BadInput(
                f"{where}: dependum id={each['id']!r} is an id of actor {owner[each['id']]!r} too; save the model anew"
            )
    for identity, count in Counter(each["id"] for each in dependencies).items():
        if count > 1:
            raise BadInput(f"{where}: dependum id={identity!r} stands {count} times; save the model anew")


def _ends(
    links: Sequence[Any], dependums: set[str], owner: dict[str, str], where: str
) -> dict[str, dict[str, set[str]]]:
    """By dependum, what links lead to it and what it leads to. Raises BadInput for a link that leads nowhere."""
    ends: dict[str, dict[str, set[str]]] = defaultdict(lambda: {"source": set(), "target": set()})
    for each in links:
        if each.get("type") == LINK:
            for end in ("source", "target"):
                if each[end] not in owner and each[end] not in dependums:
                    raise BadInput(f"{where}: link {each['id']!r}: {end}={each[end]!r} is no id of the model")
            if len({each["source"], each["target"]} & dependums) != 1:
                raise BadInput(f"{where}: link {each['id']!r}: expected a dependum at one of its ends; draw it anew")
            ends[each["target"]]["source"].add(each["source"])
            ends[each["source"]]["target"].add(each["target"])
    return ends


def _row(element: Any, owner: dict[str, str], ends: Any, where: str) -> Dependency:
    text, found = _text(element), {}
    for end, role in (("source", "depender"), ("target", "dependee")):
        said = {element[end]} if element.get(end) else set()
        known = said | ends[element["id"]][end]
        if not known:
            raise BadInput(f"{where}: dependum {text!r} has no {role}; link it, or delete it")
        if unknown := sorted(known - owner.keys()):
            raise BadInput(f"{where}: dependum {text!r}: {end}={unknown[0]!r} is no id of an actor or of its elements")
        actors = sorted({owner[each] for each in known})
        if len(actors) > 1:
            raise BadInput(
                f"{where}: dependum {text!r} has two {role}s, {actors[0]!r} and {actors[1]!r}; draw a dependum of the "
                "same text for each"
            )
        found[role] = actors[0]
    properties = element.get("customProperties") or {}
    try:
        importance, criticality = (_number(properties, name, text) for name in ("importance", "criticality"))
        kind = str(element.get("type", "")).removeprefix("istar.")
        return Dependency(**found, dependum=text, importance=1.0 if importance is None else importance,
                          criticality=criticality, kind=kind)  # fmt: skip
    except BadInput as error:
        raise BadInput(f"{where}: {error}") from None


def _number(properties: dict[str, Any], name: str, text: str) -> float | None:
    """piStar keeps properties as text; whoever types them may begin with a capital."""
    value = next((each for key, each in properties.items() if key.lower() == name and str(each).strip()), None)
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError):
        raise BadInput(f"dependum {text!r}: {name}={value!r}: expected a number") from None


def _notes(model: Any, owner: dict[str, str]) -> tuple[str, ...]:
    """What links between actors there are; none counts, and a cycle of them is named."""
    notes = []
    for kind, word in BETWEEN_ACTORS.items():
        links = [each for each in model.get("links", []) if each.get("type") == kind]
        if links:
            notes.append(f"{len(links)} {word} link{'s' * (len(links) > 1)}: no dependency, passed over")
        after: dict[str, set[str]] = defaultdict(set)
        for each in links:
            after[owner.get(each["source"], "")].add(owner.get(each["target"], ""))
        if cycle := _cycle(after):
            notes.append(f"a cycle of {word} links: {' -> '.join(cycle)}; passed over")
    return tuple(notes)


def _cycle(after: dict[str, set[str]]) -> list[str]:
    """One that there is, or nothing."""
    for start in sorted(after):
        paths = [[start]]
        seen = set()
        while paths:
            path = paths.pop()
            for each in sorted(after.get(path[-1], ())):
                if each == start:
                    return [*path, each]
                if each not in seen:
                    seen.add(each)
                    paths.append([*path, each])
    return []


def _text(element: Any) -> str:
    return " ".join(str(element.get("text", "")).split())


def to_pistar(dependencies: Dependencies) -> str:
    """A model with these actors and dependencies, on a grid; its ids are made of the names, so that it is the same
    in each run."""

    def identity(*names: str) -> str:
        return str(uuid5(NAMESPACE_URL, "/".join(names)))

    places = {name: identity("actor", name) for name in dependencies.names}
    actors = [
        {"id": places[name], "text": name, "type": ACTORS[0], "x": 100 + 300 * (at % 4), "y": 100 + 300 * (at // 4),
         "nodes": []}
        for at, name in enumerate(dependencies.names)
    ]  # fmt: skip
    elements, links = [], []
    for at, row in enumerate(dependencies.rows):
        key = identity("dependum", row.depender, row.dependee, row.dependum)
        kind = f"istar.{row.kind}" if f"istar.{row.kind}" in DEPENDUMS else DEPENDUMS[0]
        said = {"importance": repr(row.importance)}
        if row.criticality is not None:
            said["criticality"] = repr(row.criticality)
        ends = {"source": places[row.depender], "target": places[row.dependee]}
        elements.append({"id": key, "text": row.dependum, "type": kind, "x": 250 + 300 * (at % 4), "y": 200 + 30 * at,
                         "customProperties": said, **ends})  # fmt: skip
        links.append({"id": identity("in", key), "type": LINK, "source": ends["source"], "target": key})
        links.append({"id": identity("out", key), "type": LINK, "source": key, "target": ends["target"]})
    model = {"actors": actors, "orphans": [], "dependencies": elements, "links": links, "display": {},
             "tool": "pistar.2.0.0", "istar": "2.0", "diagram": {"width": 1700, "height": 1300}}  # fmt: skip
    return json.dumps(model, indent=1) + "\n"


def read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"{path}: can't be read: {error.strerror}") from None
    except ValueError as error:
        raise BadInput(f"{path}: is not JSON: {error}") from None
