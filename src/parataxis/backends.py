"""What joblib may run on, beside processes and threads of this machine: an existing Ray or Dask cluster."""

from parataxis.errors import BadInput


def connect(backend: str) -> None:
    """Join the Ray or Dask cluster that is there (RAY_ADDRESS, DASK_SCHEDULER_ADDRESS), or start one here."""
    try:
        if backend == "ray":
            from ray.util.joblib import register_ray

            register_ray()
        elif backend == "dask":
            from dask.distributed import Client

            Client(set_as_default=True)
    except ModuleNotFoundError as error:
        remedy = {"ray": "pip install 'parataxis[ray]'", "dask": "pip install distributed"}[backend]
        raise BadInput(f"--backend={backend}: needs {error.name}, which is not installed; {remedy}") from None
