"""A chat model behind an address that speaks OpenAI's protocol: what can be asked, but not opened."""

import os
from collections.abc import Sequence
from typing import Any

from parataxis.errors import BadInput

KEY = "OPENAI_API_KEY"
Message = dict[str, Any]


class Endpoint:
    """`Endpoint("http://127.0.0.1:8000/v1").ask([{"role": "user", "content": "..."}])`.

    url: as the openai client takes it, most often ending with /v1. model: as the server calls it; None if it has but
    one. key: the environment variable that holds the key; a server of one's own most often wants none. Timeouts and
    lost connections are tried again by the client. Raises BadInput.
    """

    def __init__(
        self, url: str, model: str | None = None, *, key: str = KEY, timeout: float = 60.0, retries: int = 4
    ) -> None:
        from openai import OpenAI

        self.url = url
        self.client = OpenAI(base_url=url, api_key=os.environ.get(key) or "none", timeout=timeout, max_retries=retries)
        self._create: Any = self.client.chat.completions.create
        self.key = key
        self.model = model or self._only_model()
        self._options: dict[str, Any] = {"temperature": 0}

    @property
    def name(self) -> str:
        return f"{self.url}#{self.model}"

    def ask(self, messages: Sequence[Message]) -> str:
        """What the model answers, at temperature 0 if it lets one choose."""
        from openai import BadRequestError, OpenAIError

        try:
            answer = self._create(model=self.model, messages=list(messages), **self._options)
        except BadRequestError as error:
            if "temperature" not in str(error) or not self._options:
                raise self._refused(error) from None
            self._options = {}  # some models have but one
            return self.ask(messages)
        except OpenAIError as error:
            raise self._refused(error) from None
        if not answer.choices:
            raise BadInput(f"model {self.url!r}: {self.model!r} sent no answer")
        return answer.choices[0].message.content or ""

    def _only_model(self) -> str:
        from openai import OpenAIError

        try:
            there = [each.id for each in self.client.models.list()]
        except OpenAIError as error:
            raise self._refused(error) from None
        if len(there) != 1:
            raise BadInput(f"model {self.url!r}: has {', '.join(there) or 'no model'}; name one of them")
        return there[0]

    def _refused(self, error: Exception) -> BadInput:
        from openai import APIConnectionError, APIStatusError

        reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        if isinstance(error, APIConnectionError):
            return BadInput(f"model {self.url!r}: can't be reached: {reason}")
        if isinstance(error, APIStatusError) and error.status_code in (401, 403):
            return BadInput(f"model {self.url!r}: refuses the key: {reason}; put it into ${self.key}")
        return BadInput(f"model {self.url!r}: {reason}")
