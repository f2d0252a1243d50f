"""The routes of the page. A request names a registered study and a known scale, or it is refused."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, HTTPException, Query, Request, Response
from fastapi import Path as PathParameter
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, StreamingResponse
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool

from parataxis.page import STYLE
from parataxis.studies.registry import Method
from parataxis.studies.render import counts, findings, interval, prose, published
from parataxis.studies.report import CLASSES, paper_section, permuted, standing_bar
from parataxis.web.feed import feed
from parataxis.web.ledger import SORTS, Ledger
from parataxis.web.queue import SCALES, Full, Job, Queue
from parataxis.web.safety import Guard, cookie_name, fields, may_change, same

HERE = Path(__file__).parent
STREAMS = 32  # pages that watch a run at the same time
LOOK = 0.3  # seconds between two looks at a run that is watched
HISTORY = 20  # runs of a paper that are shown
WORDS = 200  # characters of a search
Identity = Annotated[int, PathParameter(ge=1, le=2**63 - 1)]  # as SQLite has them


class Page:
    """What all routes share: the evidence, the queue, the templates, and who may change anything."""

    def __init__(self, known: Mapping[str, Method], queue: Queue, netloc: str, token: str) -> None:
        self.known, self.queue, self.netloc, self.token = known, queue, netloc, token
        self.ledger = Ledger(queue.store, known)
        self.url = f"http://{netloc}"
        self.watched = 0
        self._templates = Environment(loader=FileSystemLoader(HERE / "templates"), autoescape=True)
        self._templates.filters["prose"] = lambda text: Markup(prose(text))
        self._templates.globals.update(counts=counts, published=published, interval=interval, scales=SCALES)

    def render(self, template: str, request: Request, **values: Any) -> HTMLResponse:
        owner = may_change(request.headers, request.cookies, self.netloc, self.token)
        return HTMLResponse(self._templates.get_template(template).render(owner=owner, **values))

    def method(self, name: str) -> Method:
        if name not in self.known:
            raise HTTPException(404, "no such paper")
        return self.known[name]

    def job(self, identity: int) -> Job:
        job = self.queue.job(identity)
        if job is None:
            raise HTTPException(404, "no such run")
        return job

    def look(self, identity: int) -> dict[str, Any]:
        """What a page that watches a run is told."""
        job = self.queue.job(identity)
        if job is None:
            return {"state": "gone", "over": True}
        rows, doing = self.ledger.progress(job.method) if job.state == "running" else (0, "")
        owed = len(self.known[job.method].paper.ids) if job.method in self.known else 0
        return {"state": job.state, "over": job.over, "rows": rows, "of": owed, "doing": doing}


def make_app(known: Mapping[str, Method], queue: Queue, netloc: str, token: str) -> FastAPI:
    """The page over a queue, whose work begins and ends with it. netloc: the host and port it is reached under."""
    page = Page(known, queue, netloc, token)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        queue.start()
        yield
        await run_in_threadpool(queue.close)

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Guard, netloc=netloc, token=token)
    _reading(app, page)
    _running(app, page)
    return app


# -- reading -----------------------------------------------------------------------------------------------------------


def _reading(app: FastAPI, page: Page) -> None:
    @app.get("/")
    def papers(
        request: Request,
        q: Annotated[str, Query(max_length=WORDS)] = "",
        sort: str = SORTS[0],
        token: Annotated[str, Query(max_length=WORDS)] = "",
    ) -> Response:
        """The list; with the right token in the address its reader becomes who may change things."""
        if token:
            return _welcome(page, token)
        if sort not in SORTS:
            raise HTTPException(404, f"sorted by {', '.join(SORTS)} only")
        runs = page.ledger.shown()
        rows = []
        for each in page.ledger.found(q, sort):
            found = findings(each.paper, runs[each.name])
            rows.append((each.paper, runs[each.name], counts(found), Markup(standing_bar(found))))
        return page.render("papers.html", request, rows=rows, q=q, sort=sort, sorts=SORTS)

    @app.get("/permuted")
    def matrix(request: Request) -> Response:
        runs = page.ledger.shown()
        table = permuted([(each.paper, runs[name]) for name, each in page.known.items()])
        return page.render("permuted.html", request, table=Markup(table.replace('href="#', 'href="/papers/')))

    @app.get("/papers/{name}")
    def paper(request: Request, name: str) -> Response:
        method = page.method(name)
        run = page.ledger.shown()[name]
        past = page.ledger.history(name)[:HISTORY]
        columns = [{each.stated.id: each for each in findings(method.paper, run)} for run in past]
        return page.render(
            "paper.html",
            request,
            paper=method.paper,
            lacks=method.lacks(),
            section=Markup(paper_section(method.paper, run)) if run else None,
            past=[(run, counts(list(found.values()))) for run, found in zip(past, columns, strict=True)],
            history=[(stated, [found[stated.id] for found in columns]) for stated in method.paper.stated],
            classes=CLASSES,
        )

    @app.get("/feed.atom")
    def atom() -> Response:
        runs = [(each.paper, run) for name, each in page.known.items() for run in page.ledger.history(name)]
        return Response(feed(runs, page.url), media_type="application/atom+xml")

    @app.get("/style.css")
    def style() -> Response:
        return Response(STYLE + (HERE / "static" / "page.css").read_text(), media_type="text/css")

    @app.get("/page.js")
    def script() -> Response:
        return Response((HERE / "static" / "page.js").read_text(), media_type="text/javascript")


def _welcome(page: Page, token: str) -> Response:
    if not same(token, page.token):
        raise HTTPException(403, "not the token of this server")
    answer = RedirectResponse("/", 303)
    answer.set_cookie(cookie_name(page.netloc), token, httponly=True, samesite="strict")
    return answer


# -- running -----------------------------------------------------------------------------------------------------------


def _running(app: FastAPI, page: Page) -> None:
    @app.get("/runs")
    def runs(request: Request) -> Response:
        return page.render("runs.html", request, jobs=page.queue.jobs())

    @app.post("/runs")
    async def ask(request: Request) -> Response:
        form = await fields(request)
        if form is None or set(form) != {"method", "scale"}:
            raise HTTPException(400, "expected a form with method and scale, no more")
        if form["scale"] not in SCALES:
            raise HTTPException(400, f"expected a scale of {', '.join(SCALES)}")
        method = page.method(form["method"])
        if lacks := method.lacks():
            raise HTTPException(409, lacks)
        try:
            job = await run_in_threadpool(page.queue.ask, method.name, form["scale"])
        except Full:
            raise HTTPException(503, "the queue is full; try again when a run has ended") from None
        return RedirectResponse(f"/runs/{job.id}", 303)

    @app.get("/runs/{identity}")
    def one(request: Request, identity: Identity) -> Response:
        job = page.job(identity)
        look = page.look(identity)
        return page.render("run.html", request, job=job, look=look, log=page.queue.log(identity))

    @app.post("/runs/{identity}/cancel")
    def cancel(identity: Identity) -> Response:
        page.queue.cancel(page.job(identity).id)
        return RedirectResponse(f"/runs/{identity}", 303)

    @app.get("/runs/{identity}/log")
    def log(identity: Identity) -> Response:
        return PlainTextResponse(page.queue.log(page.job(identity).id))

    @app.get("/runs/{identity}/events")
    async def events(identity: Identity) -> Response:
        await run_in_threadpool(page.job, identity)
        if page.watched >= STREAMS:
            raise HTTPException(503, "so many pages watch a run that no more is served")
        return StreamingResponse(_watch(page, identity), media_type="text/event-stream")


async def _watch(page: Page, identity: int) -> AsyncIterator[str]:
    """Server-sent events: one whenever something has changed, the last when the run is over."""
    page.watched += 1
    last = None
    try:
        while True:
            look = await run_in_threadpool(page.look, identity)
            if look != last:
                yield f"data: {json.dumps(look)}\n\n"
            if look["over"]:
                return
            last = look
            await asyncio.sleep(LOOK)
    finally:
        page.watched -= 1
