# Planted: test_price is a victim. test_switch is its polluter, test_reset cleans up after test_switch.
# Right: test_price is order-dependent; [test_switch, test_price] fails, [test_switch, test_reset, test_price] passes.
SETTINGS = {"currency": "EUR"}


def test_price():
    assert SETTINGS["currency"] == "EUR"


def test_switch():
    SETTINGS["currency"] = "USD"


def test_reset():
    SETTINGS["currency"] = "EUR"


def test_bystander():
    assert "currency" in SETTINGS


class TestInvoice:
    def test_sum(self):
        assert 2 + 2 == 4

    def test_empty(self):
        assert sum([]) == 0
