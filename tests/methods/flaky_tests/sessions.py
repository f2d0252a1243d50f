"""What tests of sessions ask of one. They import it, and no conftest: it imports the package."""

from parataxis.methods.flaky_tests.session import Limits, Order

LONG = 60.0  # seconds that nothing here takes, on however slow a machine
BRIEF = 0.3  # seconds that a test is given of which we know that it hangs
LIMITS = Limits(LONG, {}, LONG)


def ran(session, *orders, limits=LIMITS, isolate=False, seeded=()):
    return {done.order.name: done for done in session.run(orders, limits, seeded=list(seeded), isolate=isolate)}


def outcomes_of(session, *order, **how):
    """The outcomes of one forked order, told by places."""
    return ran(session, Order("random", 0, tuple(order)), **how)["random/0"].outcomes
