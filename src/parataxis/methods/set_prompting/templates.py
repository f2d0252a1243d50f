"""How a question becomes a prompt: the official layouts, our own, and a chat."""

from dataclasses import dataclass
from typing import Any

from parataxis.errors import BadInput
from parataxis.methods.set_prompting.prompt import Set, SetPrompt
from parataxis.methods.set_prompting.questions import Question

# {} is the question in `before`, a choice in `member` and `candidate`. No letters: these would put an order back in.
INSTRUCTION = "Answer with the text of one of these options, and nothing else."


@dataclass(frozen=True)
class Template:
    """quoted: double quotes inside a choice become single ones. chat: a user's message, in the model's own template."""

    before: str
    member: str
    after: str
    candidate: str = "{}"
    quoted: bool = False
    chat: bool = False


# mmlu*, csqa*: as in the official input files (reidmcy/set-based-prompting, data/{mmlu,csqa}_{input,quoted}).
TEMPLATES = {
    "list": Template("{}\n", "- {}\n", "Answer:", candidate=" {}"),
    "mmlu": Template("{}", '"{}" ', "Answer: ", quoted=True),
    "mmlu-unquoted": Template("{}", "{}", " Answer: "),
    "csqa": Template("{}\n", '"\n- {}" ', "Answer: ", quoted=True),
    "csqa-unquoted": Template("{}\n", "\n- {}", " Answer: "),
    "chat": Template("{}\n", "- {}\n", INSTRUCTION, chat=True),
}
DEFAULT_TEMPLATE = "list"


def template(name: str) -> Template:
    if name not in TEMPLATES:
        raise BadInput(f"template={name!r}: expected one of {', '.join(TEMPLATES)}")
    return TEMPLATES[name]


def pose(question: Question, template: Template, tokenizer: Any = None) -> tuple[SetPrompt, tuple[str, ...]]:
    """The prompt, its choices a set, and the candidates for what follows it, one a choice.

    tokenizer: whose chat template a chat is put into; without one the prompt is the user's message alone.
    """
    shown = [each.replace('"', "'") if template.quoted else each for each in question.choices]
    members = Set(template.member.replace("{}", each) for each in shown)
    before = template.before.replace("{}", question.question)
    candidates = tuple(template.candidate.replace("{}", each) for each in question.choices)
    prompt = SetPrompt(before, members, template.after)
    if template.chat and tokenizer is not None:
        prompt = SetPrompt.from_messages([{"role": "user", "content": prompt}], tokenizer)
    return prompt, candidates
