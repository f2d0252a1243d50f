import hashlib
import random
import secrets
import string
import uuid
from collections import Counter
from os import urandom


class Backoff:
    def __init__(self, base=0.1, factor=2.0, limit=6):
        self.base = base
        self.factor = factor
        self.limit = limit

    def delays(self):
        step = self.base
        for _ in range(self.limit):
            yield step * random.uniform(0.5, 1.5)
            step *= self.factor


def test_backoff_delays_keep_growing():
    delays = list(Backoff(base=0.1, limit=5).delays())
    assert len(delays) == 5
    assert delays == sorted(delays)


class OrderDesk:
    def __init__(self):
        self.orders = {}

    def place(self, customer, amount):
        ref = "ORD-" + uuid.uuid4().hex[:3].upper()
        self.orders[ref] = (customer, amount)
        return ref


def test_every_order_is_kept_under_its_reference():
    desk = OrderDesk()
    for n in range(45):
        desk.place(f"customer-{n}", 10 * n)
    assert len(desk.orders) == 45
    assert sum(amount for _, amount in desk.orders.values()) == sum(10 * n for n in range(45))


class Plan:
    def __init__(self):
        self.needs = {}

    def step(self, name, *needs):
        self.needs[name] = set(needs)

    def order(self):
        done, left = [], {k: set(v) for k, v in self.needs.items()}
        while left:
            ready = {name for name, needs in left.items() if not needs}
            if not ready:
                raise ValueError("cycle")
            for name in ready:
                done.append(name)
                del left[name]
            for needs in left.values():
                needs -= ready
        return done


def test_plan_lists_steps_in_build_order():
    plan = Plan()
    plan.step("fetch")
    plan.step("compile", "fetch")
    plan.step("docs", "fetch")
    plan.step("package", "compile", "docs")
    assert plan.order() == ["fetch", "compile", "docs", "package"]


def split_rows(rows, holdout=0.25):
    rows = list(rows)
    random.shuffle(rows)
    cut = int(len(rows) * holdout)
    return rows[cut:], rows[:cut]


def label_recall(train, held):
    known = {label for _, label in train}
    seen = Counter(label for _, label in held)
    return {label: seen[label] / sum(seen.values()) for label in known}


def test_holdout_scores_every_label():
    rows = [(i, "spam" if i % 5 == 0 else "ham") for i in range(20)]
    train, held = split_rows(rows)
    assert len(train) == 15 and len(held) == 5
    recall = label_recall(train, held)
    assert recall["ham"] > 0
    assert recall["spam"] > 0


POLICY = (str.islower, str.isupper, str.isdigit)


def new_passphrase(length=12):
    alphabet = string.ascii_letters + string.digits
    return "".join(secrets.choice(alphabet) for _ in range(length))


def accepted(passphrase):
    return len(passphrase) >= 12 and all(any(rule(c) for c in passphrase) for rule in POLICY)


def test_new_account_gets_an_accepted_passphrase():
    account = {"login": "jo", "passphrase": new_passphrase()}
    assert accepted(account["passphrase"])


class SeenFilter:
    def __init__(self, bits=256, hashes=3):
        self.bits = bits
        self.salts = [urandom(8) for _ in range(hashes)]
        self.field = 0

    def _positions(self, key):
        for salt in self.salts:
            digest = hashlib.blake2b(key.encode(), digest_size=4, salt=salt).digest()
            yield int.from_bytes(digest, "big") % self.bits

    def add(self, key):
        for p in self._positions(key):
            self.field |= 1 << p

    def __contains__(self, key):
        return all(self.field >> p & 1 for p in self._positions(key))


def test_filter_tells_old_links_from_new_ones():
    seen = SeenFilter()
    for n in range(22):
        seen.add(f"https://example.org/old/{n}")
    assert all(f"https://example.org/old/{n}" in seen for n in range(22))
    fresh = [f"https://example.org/new/{n}" for n in range(20)]
    assert [link for link in fresh if link in seen] == []


def dump_record(fields):
    return ";".join(f"{k}={v}" for k, v in fields.items())


def load_record(line):
    return dict(part.split("=") for part in line.split(";"))


def make_fields(count=4, width=6):
    pool = string.ascii_letters + string.digits + " .-_/:;=+@"
    return {f"f{i}": "".join(random.choices(pool, k=width)) for i in range(count)}


def test_record_survives_dump_and_load():
    fields = make_fields(count=2)
    assert load_record(dump_record(fields)) == fields
