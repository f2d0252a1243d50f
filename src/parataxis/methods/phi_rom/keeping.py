"""A model in a folder: what it is as JSON, its numbers as arrays, the optimiser's state beside them."""

import importlib.metadata
import io
import json
from dataclasses import asdict, dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from parataxis import __version__
from parataxis.errors import BadInput
from parataxis.files import try_folder, write_atomic
from parataxis.methods.phi_rom.decoders import Scaling
from parataxis.methods.phi_rom.dynamics import Dynamics
from parataxis.methods.phi_rom.fitting import Fitted
from parataxis.methods.phi_rom.recipe import Recipe
from parataxis.methods.phi_rom.snapshots import Snapshots, grid_points
from parataxis.methods.phi_rom.training import Checkpoint, Trained

CONFIG, ARRAYS, TRAINING = "config.json", "arrays.npz", "training.npz"
FORMAT = 1
LIBRARIES = ("jax", "equinox", "optax", "numpy")
FACTS: dict[str, type] = {"interval": Real, "substeps": Integral, "residual": Real, "omega": Real, "history": list}


@dataclass(frozen=True, eq=False)
class About:
    """Of the training data. grid: the solver's axes. span: time from first to last. low, high: of each parameter."""

    coords: Float[np.ndarray, "point d"]
    grid: tuple[Float[np.ndarray, " node"], ...]
    span: float
    channels: tuple[str, ...]
    names: tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]

    @classmethod
    def of(cls, data: Snapshots) -> "About":
        ends = ((), ()) if data.params is None else (data.params.min(0).tolist(), data.params.max(0).tolist())
        span = float(data.t[-1] - data.t[0])
        return cls(data.coords, data.grid or (), span, data.channels, data.names, tuple(ends[0]), tuple(ends[1]))

    @property
    def nodes(self) -> Float[np.ndarray, "node d"]:
        """Of the solver's grid."""
        return grid_points(self.grid)


def save(folder: Path, recipe: Recipe, fitted: Fitted, about: About) -> Path:
    """Each file is whole or absent; the config goes first and comes last, so that a folder with one is of one model."""
    try_folder(folder)
    (folder / CONFIG).unlink(missing_ok=True)
    arrays: dict[str, Any] = {"latents": fitted.latents, "coords": about.coords}
    arrays |= {f"grid{n}": axis for n, axis in enumerate(about.grid)}
    for part in ("decoder", "dynamics"):
        leaves = jax.tree.leaves(getattr(fitted, part))
        arrays |= {f"{part}{n}": np.asarray(leaf) for n, leaf in enumerate(leaves)}
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    write_atomic(folder / ARRAYS, stream.getvalue())
    if fitted.state is not None:
        Checkpoint(folder / TRAINING, fitted.known).save(recipe.steps, Trained(fitted.state, fitted.history))
    psi = fitted.dynamics
    config = {
        "format": FORMAT,
        "versions": {"parataxis": __version__, **{name: importlib.metadata.version(name) for name in LIBRARIES}},
        "recipe": asdict(recipe),
        "scaling": asdict(fitted.decoder.scaling),
        "dynamics": {"beta_mean": psi.beta_mean, "beta_std": psi.beta_std, "rate": psi.rate},
        "data": {name: getattr(about, name) for name in ("span", "channels", "names", "low", "high")},
        "fitted": {name: getattr(fitted, name) for name in FACTS},
    }
    write_atomic(folder / CONFIG, json.dumps(config, indent=1))
    return folder


def load(folder: Path) -> tuple[Recipe, Fitted, About]:
    """Raises BadInput for what is no folder of `save`."""
    try:
        config = json.loads((folder / CONFIG).read_text())
        with open(folder / ARRAYS, "rb") as stream, np.load(stream) as kept:
            arrays = dict(kept)
        if config["format"] != FORMAT:
            raise BadInput(f"{folder}: format={config['format']}: this version reads {FORMAT}; fit it anew")
        return _made(config, arrays)
    except FileNotFoundError as error:
        raise BadInput(f"{folder}: is no folder of a model: {Path(error.filename).name} is missing") from None
    except (KeyError, TypeError, ValueError, OSError, BadZipFile) as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput(f"{folder}: is no folder of a model that this version reads ({error})") from None


def _made(config: dict[str, Any], arrays: dict[str, Any]) -> tuple[Recipe, Fitted, About]:
    recipe = Recipe.of(config["recipe"])
    known, facts, psi = config["data"], config["fitted"], config["dynamics"]
    for name, kind in FACTS.items():
        if not isinstance(facts[name], kind):
            raise ValueError(f"{name}={facts[name]!r}")
    grid = tuple(arrays[f"grid{n}"] for n in range(sum(name.startswith("grid") for name in arrays)))
    about = About(
        arrays["coords"], grid, known["span"], *(tuple(known[name]) for name in ("channels", "names", "low", "high"))
    )
    scaling = Scaling(**{name: tuple(each) for name, each in config["scaling"].items()})
    key = jax.random.key(0)
    decoder = recipe.make_decoder(arrays["coords"].shape[1], len(about.channels), facts["omega"], scaling, key)
    dynamics = Dynamics(
        recipe.latent_dim, recipe.dynamics, tuple(psi["beta_mean"]), tuple(psi["beta_std"]), psi["rate"], key=key
    )
    parts = {"decoder": _filled(decoder, arrays, "decoder"), "dynamics": _filled(dynamics, arrays, "dynamics")}
    return recipe, Fitted(latents=arrays["latents"], **parts, **facts), about


def _filled(module: Any, arrays: dict[str, Any], part: str) -> Any:
    leaves, form = jax.tree.flatten(module)
    found = [jnp.asarray(arrays[f"{part}{n}"]) for n in range(len(leaves))]
    if any(each.shape != leaf.shape for each, leaf in zip(found, leaves, strict=True)):
        raise ValueError(f"the arrays of {part} have other shapes than its settings")
    return jax.tree.unflatten(form, found)
