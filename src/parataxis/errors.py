"""The one exception for the user's own mistakes: said in one line, ended with exit status 2."""


class BadInput(ValueError):
    """The input is wrong. The message is one line: where, `name=value`, what was expected, what to do.

    Example: `items.jsonl:18: options[2]='' must be text; drop the row or pass --skip-empty`.
    An `assert` is for our own bugs; this is for what the caller can mend.
    """
