# Planted: the order of a set of texts, which PYTHONHASHSEED decides. It is constant within a session, too.
# Right: each is non-order-dependent, not infrastructure: with the hash seed pinned, no difference is left.


def first(*texts):
    return next(iter(set(texts)))


def test_colours():
    assert first("red", "green", "blue", "black") in ("red", "green")


def test_units():
    assert first("m", "kg") == "m"


def test_verbs():
    assert list({"get", "put", "post"}).index("get") > 0


def test_words_are_joined():
    assert "".join({"left", "right"}) == "leftright"


def test_largest_bucket():
    buckets = {hash(city) % 8 for city in ("Oslo", "Rome", "Lima")}
    assert max(buckets) > 5


def test_shard():
    assert hash("customer-17") % 2 == 0


def test_last_planet():
    *_, last = {"Venus", "Earth", "Mars", "Pluto"}
    assert last < "N"


def test_default_of_options():
    options = frozenset(("fast", "safe"))
    assert min(options, key=list(options).index) == "safe"
