import json

import pytest
from families import model, tokenizer

from parataxis.cli import main
from parataxis.errors import BadInput
from parataxis.methods.set_prompting.kept import log
from serving import Server

QUESTIONS = [
    {"id": n, "question": f"Which {n * 7}?", "choices": ["aaaa", "abba", "thet", "xyxy"][n % 2 :][:3], "answer": n % 3}
    for n in range(12)
]
MARKED = "Which flies? <|start_2d|>- a bee <|split_2d|>- the cab <|end_2d|>Answer:"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    model("llama").save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return str(folder)


@pytest.fixture
def call(tmp_path, tiny, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "q.jsonl").write_text("".join(json.dumps(each) + "\n" for each in QUESTIONS))
    prompts = [{"prompt": MARKED, "prompt_metadata": {"label": "a bee", "incorrect_answers": ["the cab"]}}]
    (tmp_path / "p.json").write_text(json.dumps(prompts))

    def call(*argv, model=tiny):
        with pytest.raises(SystemExit) as caught:
            main(["prompts", *argv, "--model", model])
        captured = capsys.readouterr()
        return caught.value.code, captured.out, captured.err

    return call


def test_audit_writes_its_folder_and_goes_on_there(call, tmp_path):
    status, out, _ = call("audit", "q.jsonl", "--out", "audit", "--scoring", "mean")
    assert status in (0, 1)
    assert out.startswith("q: reversing the options changes ")
    assert out.endswith("report: audit/report.html\n")
    assert "\x1b" not in out
    names = {each.name for each in (tmp_path / "audit").iterdir()}
    assert names == {"order.png", "order.svg", "report.html", "report.json", "rows.jsonl"}
    status, again, _ = call("audit", "q.jsonl", "--out", "audit", "--scoring", "mean", "--json")
    found = json.loads(again)
    assert (status, found["asked"], found["n"]) == (found["exit_status"], 0, 12)
    assert f"{100 * found['summaries'][0]['flips']['value']:.0f}%" in out


def test_audit_of_what_the_order_can_not_change(call):
    status, out, _ = call("audit", "q.jsonl", "--method", "set-based", "--orders", "all", "--limit", "3")
    assert status == 0
    assert out.startswith("q: 3 questions")


def test_an_unknown_name_of_a_data_set(call):
    status, _, err = call("audit", "nothing")
    assert status == 2
    assert "nothing: there is no such file, nor a data set" in err


def test_score(call):
    status, out, _ = call("score", "q.jsonl", "--limit", "4", "--scoring", "mean", "--method", "set-based", "--json")
    (found,) = json.loads(out)
    assert (status, found["method"], found["scoring"], found["n"]) == (0, "set-based", "mean", 4)
    status, out, _ = call("score", "q.jsonl", "--limit", "4")
    assert status == 0
    assert [line.split()[1] for line in out.splitlines()] == ["scoring", *["sum"] * 3, *["mean"] * 3, *["pmi"] * 3]


def test_ask(call):
    status, text, _ = call("ask", MARKED, "--max-new-tokens", "4")
    assert status == 0
    backwards = "Which flies? <|start_2d|>- the cab <|split_2d|>- a bee <|end_2d|>Answer:"
    assert call("ask", backwards, "--max-new-tokens", "4")[1] == text
    options = ("--candidate", " a bee", "--candidate", " the cab")
    (_, one, _), (_, other, _) = call("ask", MARKED, *options), call("ask", backwards, *options)
    assert one == other
    found = json.loads(call("ask", MARKED, *options, "--json")[1])
    assert one.splitlines() == [f"{score:8.2f}  {name}" for name, score in found["scores"].items()]
    assert call("ask", backwards, *options, "--condition", "normal")[1] != one


def test_a_set_of_one_is_told_of(call):
    status, _, err = call("ask", "Which? <|start_2d|>- a bee <|end_2d|>Answer:")
    assert status == 0
    assert err == "parataxis: prompt: a set of one member is the same as plain text\n"


def test_run(call, tmp_path):
    status, out, _ = call("run", "p.json", "--out", "answers.jsonl", "--top-k", "3")
    assert status == 0
    assert [line.split()[0] for line in out.splitlines()[1:4]] == ["normal", "normal_reversed", "order_independent"]
    lines = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert len(lines) == 3
    _, out, _ = call("run", "p.json", "--out", "answers.jsonl", "--top-k", "3", "--json")
    accuracies = [each["accuracy"] for each in json.loads(out)]
    assert accuracies == [float(line["is_correct_answer"]) for line in lines]


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (("audit", "none.jsonl"), "none.jsonl: can't be read"),
        (("audit", "q.jsonl", "--orders", "some"), "orders='some': expected two, all, or a number"),
        (("audit", "q.jsonl", "--method", "shuffle"), "method='shuffle'"),
        (("audit", "q.jsonl", "--template", "chat"), "no chat template"),
        (("score", "p.json"), "p.json: expected a name that ends with one of .jsonl"),
        (("ask", "no set here"), "has no set; mark one"),
        (("ask", MARKED, "--condition", "sideways"), "condition='sideways'"),
        (("run", "p.json", "--out", "o.jsonl", "--condition", "sideways"), "condition='sideways'"),
        (("run", "q.jsonl", "--out", "o.jsonl"), "q.jsonl:1: expected an object with the text `prompt`"),
    ],
)
def test_bad_input_is_one_line(call, argv, told):
    status, _, err = call(*argv)
    assert status == 2
    assert err.startswith("parataxis: ")
    assert told in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("argv", [("audit", "q.jsonl"), ("score", "q.jsonl"), ("run", "p.json")])
@pytest.mark.parametrize("place", ["p.json/under/a/file", "/proc/nowhere/rows"])
def test_out_that_can_not_be_written_is_told_of(call, tmp_path, argv, place):
    status, _, err = call(*argv, "--out", place, "--limit", "1")
    assert status == 2
    assert err.startswith(f"parataxis: out='{place}")
    assert "name another place" in err
    assert len(err.splitlines()) == 1


def test_out_is_seen_to_before_the_model_loads(call):
    assert "p.json is not a folder" in call("audit", "q.jsonl", "--out", "p.json/under", model="./nowhere")[2]
    assert "is a folder; name a file" in call("score", "q.jsonl", "--out", ".", model="./nowhere")[2]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ('{"id": "1", "que\n', "rows.jsonl: holds a line that is not JSON"),
        ('{"id": "1"}\n', "rows.jsonl:1: is not a row of ours"),
    ],
)
def test_rows_that_are_not_ours_are_left_alone(call, tmp_path, lines, told):
    (tmp_path / "audit").mkdir()
    (tmp_path / "audit" / "rows.jsonl").write_text(lines)
    status, _, err = call("audit", "q.jsonl", "--out", "audit", "--limit", "1")
    assert (status, len(err.splitlines())) == (2, 1)
    assert told in err
    assert (tmp_path / "audit" / "rows.jsonl").read_text() == lines


def test_a_row_cut_short_by_a_kill_is_asked_for_again(call, tmp_path):
    options = ("score", "q.jsonl", "--out", "rows.jsonl", "--limit", "3", "--method", "plain", "--scoring", "sum")
    _, whole, _ = call(*options)
    rows = tmp_path / "rows.jsonl"
    before = rows.read_bytes()
    rows.write_bytes(before[:-20])
    assert call(*options)[1] == whole
    after = rows.read_bytes()
    assert after.splitlines()[:2] == before.splitlines()[:2]
    assert after.splitlines()[2] != before.splitlines()[2]  # it took another time
    assert [json.loads(each)["key"] for each in after.splitlines()] == [
        json.loads(each)["key"] for each in before.splitlines()
    ]


@pytest.mark.parametrize("argv", [("audit", "q.jsonl", "--out", "."), ("score", "q.jsonl", "--out", "rows.jsonl")])
def test_two_at_once_do_not_spoil_each_other(call, tmp_path, argv):
    """The second is told of the first before it loads a model, and leaves its rows alone."""
    rows = tmp_path / "rows.jsonl"
    with log(rows) as (lines, _):
        lines.append({"half": 1})
        status, _, err = call(*argv, model="./nowhere")
        assert rows.read_text() == '{"half":1}\n'
    assert (status, len(err.splitlines())) == (2, 1)
    assert err.endswith("rows.jsonl': another command is writing there; wait, or name another place\n")
    with pytest.raises(BadInput, match="another command is writing there"), log(rows), log(rows):
        pass
    assert "nowhere" in call(*argv, model="./nowhere")[2]  # once it is done, there is room


def test_a_model_that_is_not_there(call):
    status, _, err = call("audit", "q.jsonl", model="./nowhere")
    assert status == 2
    assert "'./nowhere': there is no such folder" in err


@pytest.mark.parametrize(
    ("model", "options", "told"),
    [
        ("http://127.0.0.1:9", ["--scoring", "mean"], "--scoring: is not for an endpoint"),
        ("http://127.0.0.1:9", ["--template", "mmlu"], "--template: is not for an endpoint"),
        ("http://127.0.0.1:9", ["--dtype", "bfloat16"], "--dtype: is not for an endpoint"),
        ("http://127.0.0.1:9", ["--threads", "1"], "--threads: is not for an endpoint"),
        ("tiny", ["--served", "a"], "--served=a: is for an endpoint"),
        ("tiny", ["--key", "MINE"], "--key=MINE: is for an endpoint"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(call, model, options, told):
    status, _, err = call("audit", "q.jsonl", *options, model=model)
    assert (status, told in err) == (2, True)


def test_an_endpoint_that_is_for_whatever_stands_first(call):
    server = Server(lambda text: f"The answer is {text.splitlines()[1][2:]}.")
    status, out, _ = call("audit", "q.jsonl", model=server.url)
    server.shutdown()
    server.server_close()
    assert status == 1
    assert out.startswith("q: reversing the options changes 100% [74, 100] of the answers, asking again 0% [0, 26]\n")
    assert "set-based" not in out
    assert len(server.requests) == 12 * (2 + 1 + 1 + 4)  # plain, again, sorted the other way, the other cyclic orders
