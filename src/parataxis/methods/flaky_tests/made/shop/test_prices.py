# Planted: test_price is a victim. test_switch and test_travel are its polluters, test_reset cleans up after them.
SETTINGS = {"currency": "EUR"}


def test_price():
    assert SETTINGS["currency"] == "EUR"


def test_switch():
    SETTINGS["currency"] = "USD"


def test_reset():
    SETTINGS["currency"] = "EUR"


def test_travel():
    SETTINGS.update(currency="CHF", language="de")
