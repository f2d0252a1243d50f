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
TOLD = ("eager", "sdpa")  # the implementations of attention that take a mask of ours
BY_LENGTH = ("dynamic", "longrope")  # rotary frequencies that change with the length of what was read
BY_PLACE = {"bloom": "ALiBi", "mpt": "ALiBi", "gpt_neo": "a local attention"}  # whatever the position ids say
DECODERS = ("gpt_neox", "gpt_neox_japanese")  # with a setting is_decoder=False, which they don't heed


@dataclass(frozen=True)
class Abilities:
    """What a model can do. kinds: of its layers, None if it takes one mask for all; window: of the layers that slide.

    most: how many positions it has; safe: and how many while its rotary frequencies are those it was trained with.
    told: whether its attention takes a mask of ours.
    """

    kinds: tuple[str, ...] | None
    window: int | None
    most: int | None
    safe: int | None
    told: bool

    def check(self, layout: Layout, new: int = 0) -> None:
        """BadInput if the prompt and `new` more tokens, which are read too, don't fit."""
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
    kinds = tuple(dict.fromkeys(getattr(config, "layer_types", None) or ()))
    unfit = _unfit(model, config, kinds)
    if unfit:
        raise BadInput(f"model {type(model).__name__}: {unfit}")
    slides = "sliding_attention" in kinds
    return Abilities(
        kinds=kinds if slides else None,
        window=getattr(config, "sliding_window", None) if slides or not kinds else None,
        most=_most(config),
        safe=_safe(config),
        told=config._attn_implementation in TOLD,
    )


def _unfit(model: Any, config: Any, kinds: tuple[str, ...]) -> str:
    """Why a model can't be asked with sets, and what to do."""
    if getattr(model.config, "is_encoder_decoder", False):
        return "is an encoder-decoder; a causal language model is needed"
    if getattr(config, "is_decoder", True) is False and config.model_type not in DECODERS:
        return "reads in both directions (is_decoder=False); a causal language model is needed"
    by_place = BY_PLACE.get(config.model_type) or ("ALiBi" if getattr(config, "alibi", False) else "")
    if by_place:
        return f"has {by_place}, which counts places and not position ids; a model that heeds position ids is needed"
    other = [kind.removesuffix("_attention") for kind in kinds if kind not in ATTENTION]
    if other or getattr(model, "_is_stateful", False):
        what = other[0].replace("_", " ") if other else "recurrent"
        return f"has {what} layers, which can't be told what to see; a model of full attention is needed"
    for name in ("position_ids", "past_key_values"):
        if name not in inspect.signature(model.forward).parameters:
            return f"takes no {name}; a model that takes them is needed"
    if model.training:
        return "is being trained, so that its answers vary by chance; call model.eval()"
    return ""


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
