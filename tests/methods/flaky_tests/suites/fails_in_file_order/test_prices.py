# Planted: the polluter stands before the victim, so test_price fails in file order and passes alone.
# Right: test_price is order-dependent; test_switch is its only polluter.
SETTINGS = {"currency": "EUR"}


def test_switch():
    SETTINGS["currency"] = "USD"


def test_price():
    assert SETTINGS["currency"] == "EUR"


def test_bystander():
    assert "currency" in SETTINGS


def test_other_bystander():
    assert len(SETTINGS) == 1
