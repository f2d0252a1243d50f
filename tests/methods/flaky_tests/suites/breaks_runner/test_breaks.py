# Planted: test_break takes away a function of pytest's runner; pytest itself dies at the next test.
# Right: no test is itself at fault but the breaker. Whichever test follows it counts as crashed, with a message that says
# that pytest broke; so test_before and test_after are order-dependent, test_break is their polluter (a runner-breaker).
def test_before():
    assert True


def test_break(request):
    request.config.pluginmanager.get_plugin("runner").runtestprotocol = None


def test_after():
    assert True
