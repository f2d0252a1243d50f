"""`parataxis serve`: the page."""

import importlib.util
import os
import secrets
from pathlib import Path
from typing import Annotated

import typer

from parataxis.cli.house import StorePath
from parataxis.errors import BadInput

NEEDED = ("fastapi", "uvicorn", "jinja2")


def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="The address to listen on; beyond this machine only with a token.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port to listen on.")] = 8421,
    name: Annotated[str, typer.Option(help="HOST:PORT as browsers reach it, if that is another.")] = "",
    store: StorePath = None,
) -> None:
    """Show the papers and their evidence in a browser, and run studies from there. Ctrl-C stops it.

    Whoever has the token may start and cancel runs. It is PARATAXIS_TOKEN, or made anew at each start; the printed
    address has the made one. A study that runs when the server stops goes on when it is started again.

    Example: parataxis serve --port 8421
    """
    for library in NEEDED:
        if importlib.util.find_spec(library) is None:
            raise BadInput(f"serve: needs {library}, which is not installed; pip install 'parataxis[web]'")
    import uvicorn

    from parataxis.studies.store import default_path
    from parataxis.web.app import make_app
    from parataxis.web.queue import Queue
    from parataxis.web.safety import check_bind, is_wildcard

    given = os.environ.get("PARATAXIS_TOKEN", "")
    check_bind(host, given)
    if is_wildcard(host) and not name:
        raise BadInput(f"--host={host}: is no address that a browser can go to; say which it is by --name HOST:{port}")
    netloc = name or (f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    token = given or secrets.token_urlsafe(24)
    queue = Queue(Path(store or default_path()))
    app = make_app(context.obj, queue, netloc, token)
    print(f"http://{netloc}/" + ("" if given else f"?token={token}"), flush=True)
    uvicorn.run(
        app,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=2,  # seconds; a page that watches a run holds its connection
    )
