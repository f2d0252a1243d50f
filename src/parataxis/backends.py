"""What joblib may run on, beside processes and threads of this machine: an existing Ray or Dask cluster."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from parataxis.errors import BadInput


@contextmanager
def on(backend: str) -> Iterator[None]:
    """Meanwhile, joblib's Parallel works there.

    That is the Ray or Dask cluster that is there (RAY_ADDRESS, DASK_SCHEDULER_ADDRESS), or one that is started here.
    Raises BadInput where it is not installed.
    """
    from joblib import parallel_config

    with ExitStack() as meanwhile:
        try:
            if backend == "ray":
                from ray.util.joblib import register_ray

                register_ray()
            elif backend == "dask":
                from dask.distributed import Client

                meanwhile.enter_context(Client(set_as_default=True))
        except ModuleNotFoundError as error:
            remedy = {"ray": "pip install 'parataxis[ray]'", "dask": "pip install distributed"}[backend]
            raise BadInput(f"--backend={backend}: needs {error.name}, which is not installed; {remedy}") from None
        meanwhile.enter_context(parallel_config(backend=backend))
        yield
