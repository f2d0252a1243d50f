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
        ids = self._bare(text) if text else []
        opening, spaces, line = self._habits
        if first:
            return ids if ids[: len(opening)] == opening else [*opening, *ids]
        if spaces and text:
            behind = self._bare("\n" + text)
            return behind[len(line) :] if behind[: len(line)] == line else ids
        return ids

    def _bare(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    @functools.cached_property
    def _habits(self) -> tuple[list[int], bool, list[int]]:
        """The special tokens with which it begins a text, whether it puts a space before it, and a line break's ids."""
        bare, whole = self._bare("a"), list(self.tokenizer("a")["input_ids"])
        starts = [start for start in range(len(whole)) if whole[start : start + len(bare)] == bare]
        return whole[: starts[0]] if starts else [], self.tokenizer.decode(bare + bare) != "aa", self._bare("\n")
