"""The one exception for the user's own mistakes: said in one line, ended with exit status 2."""


class BadInput(ValueError):
    """The input is wrong. The message is one line: where, `name=value`, what was expected, what to do.

    Example: `items.jsonl:18: options[2]='' must be text; drop the row or pass --skip-empty`.
    An `assert` is for our own bugs; this is for what the caller can mend.
    """


def one_line(error: Exception) -> str:
    """The first line of what is said, after the kind of error unless it is the user's own."""
    text = str(error).strip().splitlines()
    if isinstance(error, BadInput):
        return text[0]
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
