"""A prompt of which some parts are sets: what stands in a set has no order."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from parataxis.errors import BadInput

# The delimiters of the official file format.
START, SPLIT, END = "<|start_2d|>", "<|split_2d|>", "<|end_2d|>"
MARKERS = (START, SPLIT, END)

Duplicates = Literal["keep", "drop", "error"]


@dataclass(frozen=True)
class Set:
    """Texts that have no order among each other. It is a multiset: one that stands twice counts twice."""

    members: tuple[str, ...]

    def __init__(self, members: Iterable[str]) -> None:
        if isinstance(members, str) or not isinstance(members, Iterable):
            raise BadInput(f"Set({members!r}): expected a list of texts")
        object.__setattr__(self, "members", tuple(members))
        if not self.members:
            raise BadInput("Set([]): a set needs a member")
        _texts(self.members, "Set.members[{}]", sets=False)
        if "" in self.members:
            raise BadInput(f"Set.members[{self.members.index('')}]='': a member must not be empty")

    def without_repetition(self, duplicates: Duplicates) -> "Set":
        """keep: as they are, each counts; drop: each once; error: BadInput names the first that stands twice."""
        once = tuple(dict.fromkeys(self.members))
        if duplicates == "keep" or len(once) == len(self.members):
            return self
        if duplicates == "error":
            twice = next(each for each in once if self.members.count(each) > 1)
            raise BadInput(f"Set: member {twice!r} stands twice; drop it, or pass duplicates='keep' or 'drop'")
        return Set(once)


@dataclass(frozen=True)
class SetPrompt:
    """`SetPrompt("Which? ", Set(["a ", "b "]), "Answer:")`: texts and sets in their order, a text last.

    Neighbouring texts are one text. Raises BadInput for an empty end, from which nothing could be predicted.
    """

    pieces: tuple[str | Set, ...]

    def __init__(self, *pieces: str | Set) -> None:
        _texts(pieces, "pieces[{}]")
        joined: list[str | Set] = []
        for piece in pieces:
            if isinstance(piece, str) and joined and isinstance(joined[-1], str):
                joined[-1] += piece
            elif piece:
                joined.append(piece)
        if len(joined) < len(pieces):  # two texts, neither of which holds a marker, may do so together
            _texts(joined, "prompt")
        if not joined or isinstance(joined[-1], Set):
            raise BadInput("prompt: nothing stands after its last set; a suffix such as 'Answer:' is needed")
        object.__setattr__(self, "pieces", tuple(joined))

    @property
    def sets(self) -> tuple[Set, ...]:
        return tuple(piece for piece in self.pieces if isinstance(piece, Set))

    def with_sets(self, sets: Sequence[Set]) -> "SetPrompt":
        """The same texts around other sets."""
        following = iter(sets)
        return SetPrompt(*[next(following) if isinstance(piece, Set) else piece for piece in self.pieces])

    def ordered(self, order: Sequence[int], which: int = 0) -> "SetPrompt":
        """With the members of one of its sets in another order: place i gets member order[i]."""
        places = [place for place, piece in enumerate(self.pieces) if isinstance(piece, Set)]
        if not 0 <= which < len(places):
            raise BadInput(f"which={which}: the prompt has {len(places)} sets")
        pieces = list(self.pieces)
        members = self.sets[which].members
        if sorted(order) != list(range(len(members))):
            raise BadInput(f"order={list(order)}: expected each of 0..{len(members) - 1} once")
        pieces[places[which]] = Set([members[i] for i in order])
        return SetPrompt(*pieces)

    # -- as text ---------------------------------------------------------------------------------------------------

    @classmethod
    def parse(cls, text: str) -> "SetPrompt":
        """From the official format: `question <|start_2d|>a<|split_2d|>b<|end_2d|> Answer:`."""
        pieces: list[str | Set] = []
        rest, at = text, 0
        while START in rest:
            before, _, after = rest.partition(START)
            _no_marker(before, at)
            inside, end, rest = after.partition(END)
            at += len(before)
            if not end:
                raise BadInput(f"prompt: {START} at character {at} has no {END}")
            if START in inside:
                raise BadInput(f"prompt: a set inside a set, at character {at}; sets can't be nested")
            members = inside.split(SPLIT)
            if "" in members:
                what = f"has an empty member, number {members.index('') + 1}" if len(members) > 1 else "is empty"
                raise BadInput(f"prompt: the set at character {at} {what}")
            pieces += [before, Set(members)]
            at += len(START) + len(inside) + len(END)
        _no_marker(rest, at)
        return cls(*pieces, rest)

    def to_text(self) -> str:
        """In the official format, which `parse` reads back."""
        return "".join(
            START + SPLIT.join(piece.members) + END if isinstance(piece, Set) else piece for piece in self.pieces
        )

    def plain(self) -> str:
        """What an ordinary prompt would be: without any marker."""
        return "".join("".join(piece.members) if isinstance(piece, Set) else piece for piece in self.pieces)

    @classmethod
    def from_messages(
        cls, messages: Sequence[dict[str, Any]], tokenizer: Any, *, add_generation_prompt: bool = True
    ) -> "SetPrompt":
        """From chat messages whose contents hold a SetPrompt, or text with markers.

        The chat template is rendered once, and then split at the markers.
        """
        if not getattr(tokenizer, "chat_template", None):
            raise BadInput("messages: the tokenizer has no chat template; pass a SetPrompt")
        rendered = tokenizer.apply_chat_template(
            [{**each, "content": _content(each)} for each in messages],
            tokenize=False,
            add_generation_prompt=add_generation_prompt,
        )
        return cls.parse(rendered)


def _content(message: dict[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, SetPrompt):
        return content.to_text()
    if isinstance(content, str):
        return content
    if isinstance(content, Sequence) and not isinstance(content, bytes):
        return _with_sets(content)
    raise BadInput(f"messages: content={content!r}: expected text, or a list of texts and sets")


def _with_sets(pieces: Sequence[Any]) -> str:
    """A message may end with a set: what follows it is the template's."""
    return SetPrompt(*pieces, "\0").to_text().removesuffix("\0")


def _texts(values: Sequence[Any], where: str, sets: bool = True) -> None:
    """BadInput for what is neither a text, without markers, nor a set. where: with {} for a place."""
    for place, value in enumerate(values):
        if not isinstance(value, str):
            if not (sets and isinstance(value, Set)):
                raise BadInput(f"{where.format(place)}={value!r}: expected text, or Set([...])")
        elif "<|" in value and (marker := next((each for each in MARKERS if each in value), "")):
            what = f"{where.format(place)}: holds the marker {marker}"
            raise BadInput(f"{what}; parse it with SetPrompt.parse, or take it out")


def _no_marker(text: str, at: int) -> None:
    for marker in (SPLIT, END):
        if marker in text:
            place = at + text.index(marker)
            raise BadInput(f"prompt: {marker} at character {place} stands outside of a set")
