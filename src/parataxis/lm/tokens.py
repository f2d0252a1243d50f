"""The tokens of a text that is read in pieces: what a tokenizer puts around a text belongs to the first piece alone."""

import functools
from typing import Any


class Tokens:
    """`Tokens(tokenizer)("Which?", first=True)`: the ids of a piece.

    The special tokens of a start stand on the first piece only, once, though a chat template may have written them
    already; those of an end on none, for something is to follow. A tokenizer that puts a space before whatever it is
    given does so before the first piece only: any other is read behind a line break, which is cut off.
    """

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer

    def __call__(self, text: str, first: bool = False) -> list[int]:
        ids = self._ids(text)
        opening, spaces = self._habits
        if first:
            return ids if ids[: len(opening)] == opening else [*opening, *ids]
        if spaces:
            behind, line = self._ids("\n" + text), self._ids("\n")
            ids = behind[len(line) :] if behind[: len(line)] == line else ids
        return ids

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"]) if text else []

    @functools.cached_property
    def _habits(self) -> tuple[list[int], bool]:
        """The special tokens with which the tokenizer begins a text, and whether it puts a space before it."""
        bare, whole = self._ids("a"), list(self.tokenizer("a")["input_ids"])
        starts = [start for start in range(len(whole)) if whole[start : start + len(bare)] == bare]
        return whole[: starts[0]] if starts else [], self.tokenizer.decode(bare + bare) != "aa"
