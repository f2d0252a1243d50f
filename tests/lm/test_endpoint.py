import pytest

from parataxis.errors import BadInput
from parataxis.lm.endpoint import Endpoint
from serving import Server

HELLO = [{"role": "user", "content": "hello"}]


@pytest.fixture
def serve():
    servers = []

    def serve(*answers, **options):
        servers.append(Server(*answers, **options))
        return servers[-1]

    yield serve
    for each in servers:
        each.shutdown()
        each.server_close()


def test_a_text_comes_back(serve, monkeypatch):
    monkeypatch.setenv("MY_KEY", "secret")
    server = serve("good day")
    endpoint = Endpoint(server.url, key="MY_KEY")
    assert endpoint.ask(HELLO) == "good day"
    assert endpoint.name == f"{server.url}#tiny"
    assert server.requests == [
        ("/v1/chat/completions", "Bearer secret", {"model": "tiny", "messages": HELLO, "temperature": 0})
    ]


def test_lost_answers_are_asked_for_again(serve):
    server = serve((500, "busy"), (429, "slower"), "at last")
    assert Endpoint(server.url, "tiny").ask(HELLO) == "at last"
    assert len(server.requests) == 3


def test_a_model_without_a_temperature(serve):
    server = serve((400, "temperature: unsupported value"), "well")
    endpoint = Endpoint(server.url, "tiny")
    assert [endpoint.ask(HELLO), endpoint.ask(HELLO)] == ["well", "well"]
    assert ["temperature" in asked for _, _, asked in server.requests] == [True, False, False]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((401, "who are you"), r"refuses the key: .*who are you.*; put it into \$OPENAI_API_KEY"),
        ((404, "no model tiny"), "no model tiny"),
        ((400, "too long"), "too long"),
        ((500, "broken"), "broken"),
        (None, "sent no answer"),
    ],
)
def test_a_refusal_is_one_line(serve, answer, told):
    server = serve(answer)
    with pytest.raises(BadInput, match=told) as caught:
        Endpoint(server.url, "tiny", retries=1).ask(HELLO)
    assert str(caught.value).startswith(f"model {server.url!r}: ")
    assert "\n" not in str(caught.value)


def test_no_text_is_empty(serve):
    assert Endpoint(serve("").url).ask(HELLO) == ""


@pytest.mark.parametrize(("models", "told"), [(("a", "b"), "has a, b; name one"), ((), "has no model; name one")])
def test_a_server_with_several_models(serve, models, told):
    with pytest.raises(BadInput, match=told):
        Endpoint(serve("", models=models).url)


def test_nobody_there():
    with pytest.raises(BadInput, match=r"http://127.0.0.1:9/v1.*can't be reached"):
        Endpoint("http://127.0.0.1:9/v1", "tiny", retries=0).ask(HELLO)
