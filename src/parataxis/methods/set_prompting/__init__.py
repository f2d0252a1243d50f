"""Prompts whose order cannot matter: a marked group of texts is read as a set by any causal language model.

    from parataxis.methods.set_prompting import Set, SetPrompt, SetPrompter

    SetPrompter(model, tokenizer).generate(SetPrompt("Which? ", Set(["- a ", "- b "]), "Answer:"))

McIlroy-Young, Brown, Olson, Zhang, Dwork: Order-Independence Without Fine Tuning, NeurIPS 2024.
"""

from typing import TYPE_CHECKING, Any

from parataxis.methods.set_prompting.prompt import Set, SetPrompt

if TYPE_CHECKING:
    from parataxis.methods.set_prompting.prompter import OrderDependentError, SetPrompter

__all__ = ["OrderDependentError", "Set", "SetPrompt", "SetPrompter"]


def __getattr__(name: str) -> Any:
    if name in __all__:  # these need torch: not before they are asked for
        from parataxis.methods.set_prompting import prompter

        return getattr(prompter, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
