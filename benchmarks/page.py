"""What the page costs: the list, a paper's page, the feed and the rest, against an empty FastAPI route.

    python benchmarks/page.py --requests 100

21 papers: ours, and copies of each in a temporary folder of methods. At least 10,000 measurements: the
rows and tables of `evidence/` kept again and again, as runs of the papers in turn, each with a made figure. The page
is `parataxis serve` in a process of its own; the empty route is another such process; both are asked in turns over one
kept connection each, on loopback, until the answer is read. "Changed": a run was kept just before, so that the page
reads the evidence anew. Ends with 1 if a median is over what is promised.
"""

import argparse
import http.client
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path

from parataxis.claims import Figure
from parataxis.studies.registry import methods
from parataxis.studies.render import read_evidence
from parataxis.studies.store import Store

PAPERS, MEASUREMENTS = 21, 10_000  # as promised
PROMISED = 100.0  # milliseconds
WAIT = 60.0  # seconds for a server to answer at all
EVIDENCE = Path(__file__).parent.parent / "evidence"
PATHS = ("/", "/?q=order&sort=standing", "/papers/{}", "/permuted", "/feed.atom")
EMPTY = """
import sys, fastapi, uvicorn
app = fastapi.FastAPI()
@app.get("/")
def empty():
    return fastapi.Response()
uvicorn.run(app, port=int(sys.argv[1]), log_level="warning", access_log=False)
"""
SERVE = "import sys; from parataxis.cli import main; main(folders=[sys.argv.pop(1)])"


def copy_papers(folder):
    """Papers as long as ours, until there are PAPERS: ours again, each under another name."""
    ours = methods()
    for place, (name, method) in zip(range(PAPERS - len(ours)), cycle(ours.items()), strict=False):
        text = (method.folder / "paper.toml").read_text()
        for key, value in (("name", name), ("command", method.paper.command)):
            old = f'{key} = "{value}"'
            assert text.count(old) >= 1, old
            text = text.replace(old, f'{key} = "{value}-{place}"', 1)
        copy = folder / f"{name}-{place}".replace("-", "_")
        copy.mkdir()
        (copy / "paper.toml").write_text(text)
        (copy / "__init__.py").touch()


class Evidence:
    """A store that is filled with what was measured once, for each paper in turn."""

    def __init__(self, path, known):
        self.store = Store(path)
        self.known = cycle(known)
        ours = methods()
        self.measured = {name: read_evidence(EVIDENCE, method.paper) for name, method in ours.items()}
        line = "".join(f"L{place} {place * 7919 % 300}" for place in range(5000))
        image = f'<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0{line}"/></svg>'
        self.figure = Figure("line", image.encode(), "A line.")
        self.kept = self.runs = 0

    def keep_run(self):
        name = next(self.known)
        source = self.measured[next(each for each in self.measured if name.startswith(each))]
        run = self.store.begin(name, "full", self.runs, source.code, fresh=True).id
        for row in source.rows:
            self.store.add(run, row.measurement, row.claim_version, row.files)
            self.kept += 1
        for each in (*source.tables, self.figure):
            self.store.add(run, each, 0, {})
        self.store.finish(run)
        self.runs += 1


@contextmanager
def server(program, *argv):
    """The connection to a server that was just started; it ends with the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    argv = [str(port) if each == "PORT" else str(each) for each in argv]
    process = subprocess.Popen([sys.executable, "-c", program, *argv], stdout=subprocess.DEVNULL)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT)
    try:
        until = time.monotonic() + WAIT
        while True:
            try:
                connection.connect()
                break
            except ConnectionRefusedError:
                if time.monotonic() > until or process.poll() is not None:
                    raise
                time.sleep(0.05)
        yield connection
    finally:
        connection.close()
        process.terminate()
        process.wait()


def milliseconds(connection, path):
    """Until the last byte is read; and how many there were."""
    begun = time.perf_counter()
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    taken = 1000 * (time.perf_counter() - begun)
    assert answer.status == 200, (path, answer.status, body[:200])
    return taken, len(body)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=100, help="of each path; a tenth of them after a change")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        made, store = Path(folder) / "methods", Path(folder) / "evidence.sqlite"
        made.mkdir()
        copy_papers(made)
        known = methods([made])
        evidence = Evidence(store, known)
        while evidence.kept < MEASUREMENTS:
            evidence.keep_run()
        size = store.stat().st_size
        print(f"{len(known)} papers, {evidence.kept:,} measurements in {evidence.runs} runs, {size:,} bytes")
        longest = max(evidence.measured, key=lambda name: len(evidence.measured[name].rows))
        with server(EMPTY, "PORT") as empty, server(SERVE, made, "serve", "--port", "PORT", "--store", store) as page:
            slow = measure(empty, page, [path.format(longest) for path in PATHS], given.requests, evidence)
    return int(slow)


def measure(empty, page, paths, requests, evidence):
    """Prints a row a path; whether one is slower than is promised."""
    slow = False
    print(f"{'ms':40} {'median':>7} {'95%':>7} {'empty':>7} {'ratio':>6} {'changed':>8} {'bytes':>10}")
    for path in paths:
        milliseconds(page, path), milliseconds(empty, "/")  # the first fills caches
        pairs = [(milliseconds(page, path), milliseconds(empty, "/")[0]) for _ in range(requests)]
        taken = sorted(each[0][0] for each in pairs)
        middle, nothing = statistics.median(taken), statistics.median(each[1] for each in pairs)
        changed = []
        for _ in range(max(1, requests // 10)):
            evidence.keep_run()
            changed.append(milliseconds(page, path)[0])
        anew = statistics.median(changed)
        late, size = taken[int(0.95 * len(taken))], pairs[0][0][1]
        print(
            f"{path:40} {middle:7.1f} {late:7.1f} {nothing:7.2f} {middle / nothing:6.1f} {anew:8.1f} {size:10,}",
            flush=True,
        )
        slow |= max(middle, anew) > PROMISED
    return slow


if __name__ == "__main__":
    sys.exit(main())
