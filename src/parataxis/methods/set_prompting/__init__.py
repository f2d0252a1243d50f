"""Prompts whose order cannot matter: a marked group of texts is read as a set by any causal language model.

    from parataxis.methods.set_prompting import Set, SetPrompt, SetPrompter

    SetPrompter(model, tokenizer).generate(SetPrompt("Which? ", Set(["- a ", "- b "]), "Answer:"))

McIlroy-Young, Brown, Olson, Zhang, Dwork: Order-Independence Without Fine Tuning, NeurIPS 2024.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={"prompt": ["Set", "SetPrompt"], "prompter": ["OrderDependentError", "SetPrompter"]},
)
