import gzip
import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from parataxis.claims import DataFile, Paper
from parataxis.data import digest, find, lacks
from parataxis.errors import BadInput

CONTENT = b"a,b\n1,2\n"
SHA = hashlib.sha256(CONTENT).hexdigest()


class Handler(SimpleHTTPRequestHandler):
    asked: list[str]

    def log_message(self, *_):
        self.asked.append(self.path)


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A folder served on this machine; the folder, its address, and the paths asked for."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("PARATAXIS_DATA", raising=False)
    folder = tmp_path / "served"
    folder.mkdir()
    handler = type("Handler", (Handler,), {"asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}", handler.asked
    server.shutdown()
    server.server_close()
    thread.join()


def paper(**values):
    declared = {
        "file": "rows.csv",
        "what": "rows",
        "real": True,
        "url": "",
        "sha256": SHA,
        "licence": "CC0-1.0",
        "packed": "",
    }
    entry = DataFile(**{**declared, **values})
    return Paper("some-paper", "some", "T", ("A",), 2020, "2020", "doi:1", "V", ("measure",), "", "S", data=(entry,))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The data folder, with one for the paper in it."""
    monkeypatch.setenv("PARATAXIS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    own = tmp_path / "data" / "some-paper"
    own.mkdir(parents=True)
    return own


def test_the_data_folder_comes_first(folder):
    (folder / "rows.csv").write_bytes(CONTENT)
    assert find(paper(url="http://127.0.0.1:9/rows.csv"), "rows.csv") == folder / "rows.csv"


def test_another_file_in_the_data_folder_is_refused_by_name(folder):
    (folder / "rows.csv").write_bytes(b"other")
    with pytest.raises(
        BadInput, match=rf"rows.csv: sha256={hashlib.sha256(b'other').hexdigest()}: expected {SHA}; put"
    ):
        find(paper(), "rows.csv")


def test_a_published_part_is_accepted_in_the_data_folder(folder):
    (folder / "rows.csv").write_bytes(b"part")
    assert find(paper(parts=(hashlib.sha256(b"part").hexdigest(),)), "rows.csv") == folder / "rows.csv"


def test_without_a_sha256_nothing_is_checked(folder):
    (folder / "rows.csv").write_bytes(b"any")
    assert find(paper(sha256=""), "rows.csv") == folder / "rows.csv"


def test_a_packed_file_is_checked_by_what_is_inside(folder):
    (folder / "rows.csv").write_bytes(gzip.compress(CONTENT, mtime=5))
    assert find(paper(packed="gz"), "rows.csv") == folder / "rows.csv"
    whole = gzip.compress(CONTENT)
    for damaged in (whole[:-9], CONTENT, whole[:10] + b"\xff" * 4 + whole[14:], whole[:-8] + bytes(8)):
        (folder / "rows.csv").write_bytes(damaged)
        with pytest.raises(BadInput, match=r"rows\.csv: is not a whole gzip file"):
            find(paper(packed="gz"), "rows.csv")


def test_a_file_is_read_once_a_process_and_again_if_it_changes(folder, monkeypatch):
    path = folder / "rows.csv"
    path.write_bytes(CONTENT)
    assert digest(path) == SHA
    real, calls = hashlib.file_digest, []
    monkeypatch.setattr(hashlib, "file_digest", lambda *a: calls.append(a) or real(*a))
    assert digest(path) == SHA
    assert not calls
    path.write_bytes(b"longer than before")
    assert digest(path) == hashlib.sha256(b"longer than before").hexdigest()
    assert len(calls) == 1


def test_what_a_package_ships_is_taken_before_anything_is_fetched(folder, tmp_path, monkeypatch):
    for place in ("shipping/data/rows.csv", "share/rows.csv", "share/changed.csv"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_bytes(b"changed" if "changed" in place else CONTENT)
    (tmp_path / "shipping" / "__init__.py").write_text("raise RuntimeError('imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    share = f"{tmp_path}/share"
    places = [f"{share}/none.csv", f"{share}/changed.csv", "absent_package:rows.csv", "shipping:none.csv"]
    url = "http://127.0.0.1:9/rows.csv"
    with pytest.raises(BadInput, match="can't be fetched"):
        find(paper(url=url, installed=tuple(places)), "rows.csv")
    for place, path in (("shipping:data/rows.csv", "shipping/data"), (f"{share}/rows.csv", "share")):
        assert find(paper(url=url, installed=(*places, place)), "rows.csv") == tmp_path / path / "rows.csv"
    (folder / "rows.csv").write_bytes(CONTENT)
    assert find(paper(installed=(f"{share}/rows.csv",)), "rows.csv") == folder / "rows.csv"


@pytest.mark.parametrize("packed", ["", "gz"])
def test_a_missing_file_is_fetched_once(served, packed, tmp_path):
    source, address, asked = served
    (source / "official.csv").write_bytes(CONTENT)
    wanted = paper(url=f"{address}/official.csv", packed=packed)
    path = find(wanted, "rows.csv")
    content = path.read_bytes()
    assert (gzip.decompress(content) if packed else content) == CONTENT
    assert find(wanted, "rows.csv") == path
    assert asked == ["/official.csv"]
    assert [each.name for each in path.parent.iterdir()] == ["rows.csv"]
    (tmp_path / "plain").touch()
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode
    path.write_bytes(b"cut off")  # a damaged cache is fetched anew
    assert find(wanted, "rows.csv").read_bytes() == content
    assert asked == ["/official.csv"] * 2


def test_another_file_at_the_address_is_refused(served):
    source, address, _ = served
    (source / "official.csv").write_bytes(b"changed")
    with pytest.raises(BadInput, match=r"rows.csv is missing; put it at .*/official.csv: what lies there has another"):
        find(paper(url=f"{address}/official.csv"), "rows.csv")


def test_what_is_not_at_the_address_is_told_in_one_line(served):
    _, address, _ = served
    with pytest.raises(BadInput, match=r"can't be fetched from http://127.0.0.1:\d+/none.csv: HTTPError") as caught:
        find(paper(url=f"{address}/none.csv"), "rows.csv")
    assert "\n" not in str(caught.value)


def test_offline_says_which_file_to_put_where(folder):
    wanted = paper(url="http://127.0.0.1:9/rows.csv", packed="gz")
    with pytest.raises(BadInput) as caught:
        find(wanted, "rows.csv")
    assert str(caught.value) == (
        f"some-paper: rows.csv is missing; put it at {folder / 'rows.csv'} (gzip-compressed); "
        "it can't be fetched from http://127.0.0.1:9/rows.csv: ConnectionError"
    )


def test_without_an_address_or_folder_the_place_is_named(folder, monkeypatch):
    monkeypatch.delenv("PARATAXIS_DATA")
    with pytest.raises(BadInput, match=r"put it at \$PARATAXIS_DATA/some-paper/rows.csv; .* no public address"):
        find(paper(), "rows.csv")


def test_what_is_lacked_is_neither_here_nor_to_be_had(folder):
    assert lacks(paper(), "rows.csv")
    assert not lacks(paper(url="http://127.0.0.1:9/rows.csv"), "rows.csv")
    (folder / "rows.csv").write_bytes(CONTENT)
    assert not lacks(paper(), "rows.csv")
    (folder / "rows.csv").write_bytes(b"another")
    assert not lacks(paper(), "rows.csv")  # that it's another is for `find` to tell
    with pytest.raises(BadInput, match=r"expected .*; put the official file there$"):
        find(paper(), "rows.csv")


def test_an_undeclared_file_is_refused():
    with pytest.raises(BadInput, match=r"some-paper: data file 'else.csv' is not in paper.toml; there: rows.csv"):
        find(paper(), "else.csv")
