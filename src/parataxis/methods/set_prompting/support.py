"""Which models can be asked with sets, and which masks their layers take."""

import inspect
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from parataxis.errors import BadInput
from parataxis.methods.set_prompting.layout import Layout, additive

ATTENTION = ("full_attention", "sliding_attention")  # the kinds of layer that can be told what to see
BY_LENGTH = ("dynamic", "longrope")  # rotary frequencies that change with the length of what was read
BIASED = {"bloom": "ALiBi", "mpt": "ALiBi", "t5": "relative position biases"}


@dataclass(frozen=True)
class Abilities:
    """What a model can do. kinds: of its layers, None if it takes one mask for all; window: of the layers that slide.

    most: how many positions it has; safe: and how many while its rotary frequencies are those it was trained with.
    """

    kinds: tuple[str, ...] | None
    window: int | None
    most: int | None
    safe: int | None

    def check(self, layout: Layout, new: int = 0) -> None:
        """BadInput if the prompt and `new` more tokens don't fit."""
        needed = max(int(layout.positions.max()) + 1, layout.next_position + new if new else 0)
        if self.most is not None and needed > self.most:
            raise BadInput(f"prompt: needs {needed} positions; the model has {self.most}; shorten a text, or drop some")
        if self.safe is not None and needed > self.safe:
            raise BadInput(
                f"prompt: needs {needed} positions; beyond {self.safe} the model's rotary frequencies depend on the "
                "length, and its answer on the order; shorten it"
            )

    def slides(self, tokens: int) -> bool:
        """Whether some layer does not see all of so many tokens."""
        return self.window is not None and tokens > self.window

    def masks(
        self, layout: Layout, dtype: torch.dtype, first: int = 0
    ) -> Float[Tensor, "1 1 query token"] | dict[str, Float[Tensor, "1 1 query token"]]:
        """For the tokens from `first` on: one mask, or one for each kind of layer."""
        if self.kinds is None:
            return additive(layout.visible(self.window, first), dtype)
        windows = {"full_attention": None, "sliding_attention": self.window}
        return {kind: additive(layout.visible(windows[kind], first), dtype) for kind in self.kinds}


def abilities(model: Any) -> Abilities:
    """What a model can do. Raises BadInput, by name, for one whose layers can't be told what to see, and where."""
    config = model.config.get_text_config(decoder=True)
    name = f"model {type(model).__name__}"
    if getattr(model.config, "is_encoder_decoder", False):
        raise BadInput(f"{name}: is an encoder-decoder; a causal language model is needed")
    biased = BIASED.get(config.model_type) or ("ALiBi" if getattr(config, "alibi", False) else "")
    if biased:
        raise BadInput(f"{name}: has {biased} in the place of position ids; a model with position ids is needed")
    kinds = tuple(dict.fromkeys(getattr(config, "layer_types", None) or ()))
    other = [kind for kind in kinds if kind not in ATTENTION]
    if other or getattr(model, "_is_stateful", False):
        what = other[0].replace("_", " ") if other else "recurrent"
        raise BadInput(f"{name}: has {what} layers, which read in order; a model of attention alone is needed")
    if "position_ids" not in inspect.signature(model.forward).parameters:
        raise BadInput(f"{name}: takes no position_ids; a model that takes them is needed")
    window = getattr(config, "sliding_window", None)
    if kinds and "sliding_attention" not in kinds:
        window = None
    return Abilities(kinds if "sliding_attention" in kinds else None, window, _most(config), _safe(config))


def _most(config: Any) -> int | None:
    found = [getattr(config, name, None) for name in ("max_position_embeddings", "n_positions")]
    return next((each for each in found if each), None)


def _safe(config: Any) -> int | None:
    for rope in _ropes(getattr(config, "rope_parameters", None)):
        if rope.get("rope_type") in BY_LENGTH:
            return rope.get("original_max_position_embeddings") or config.max_position_embeddings
    return None


def _ropes(parameters: Any) -> list[dict[str, Any]]:
    """Of all layers: one for all, or one for each kind."""
    if not isinstance(parameters, dict):
        return []
    return [each for each in (parameters, *parameters.values()) if isinstance(each, dict)]
