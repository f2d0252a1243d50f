"""Build labels, tag suggestions, retry schedules, admission filters and price bands."""

import hashlib
import os
import random
import uuid
from collections import Counter


def new_build_label():
    return uuid.uuid4().hex[:5]


def scalar(text):
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def dump_overrides(values):
    return "\n".join(f"{key} = {value}" for key, value in values.items())


def load_overrides(text):
    pairs = (line.split(" = ", 1) for line in text.splitlines())
    return {key: scalar(value) for key, value in pairs}


def test_build_label_survives_the_overrides_file():
    overrides = {"build": new_build_label(), "parent": new_build_label(), "replicas": 3}
    loaded = load_overrides(dump_overrides(overrides))
    assert loaded == overrides


class TagShelf:
    def __init__(self, history):
        self.weight = Counter(tag for tags in history for tag in tags)

    def words(self, note):
        return {word.strip(".,").lower() for word in note.split()}

    def suggest(self, note):
        known = self.words(note) & set(self.weight)
        return max(known, key=lambda tag: self.weight[tag], default=None)


def test_shelf_suggests_the_usual_tag_for_a_note():
    shelf = TagShelf([["garden", "tools"], ["garden"], ["kitchen"], ["tools"], ["kitchen", "paint"]])
    assert shelf.suggest("New paint brush.") == "paint"
    assert shelf.suggest("Garden hose, left with the paint and the tools.") == "garden"


class RetryPlan:
    def __init__(self, base=0.1, cap=2.0, attempts=6):
        self.base = base
        self.cap = cap
        self.attempts = attempts

    def delays(self):
        delay = self.base
        for _ in range(self.attempts):
            delay = min(self.cap, random.uniform(self.base, delay * 3))
            yield delay


def test_retry_plan_gives_up_inside_the_request_budget():
    plan = RetryPlan()
    delays = list(plan.delays())
    assert len(delays) == 6
    assert all(plan.base <= delay <= plan.cap for delay in delays)
    assert sum(delays) < 4.0


class SeenFilter:
    def __init__(self, bits=96, rounds=2):
        self.bits = bits
        self.salts = [os.urandom(8) for _ in range(rounds)]
        self.field = 0

    def _positions(self, item):
        for salt in self.salts:
            digest = hashlib.blake2b(item.encode(), salt=salt, digest_size=8).digest()
            yield int.from_bytes(digest, "big") % self.bits

    def add(self, item):
        for position in self._positions(item):
            self.field |= 1 << position

    def __contains__(self, item):
        return all(self.field >> position & 1 for position in self._positions(item))


def test_seen_filter_lets_new_urls_through():
    seen = SeenFilter()
    for page in range(10):
        seen.add(f"https://docs.example/page/{page}")
    assert "https://docs.example/page/7" in seen
    fresh = [f"https://docs.example/guide/{name}" for name in ("start", "install", "faq", "api", "news", "about")]
    assert [url for url in fresh if url in seen] == []


def price_bands(prices, count, passes=25):
    centres = random.sample(prices, count)
    for _ in range(passes):
        groups = [[] for _ in centres]
        for price in prices:
            nearest = min(range(count), key=lambda index: abs(price - centres[index]))
            groups[nearest].append(price)
        centres = [sum(group) / len(group) if group else centre for group, centre in zip(groups, centres)]
    return sorted(round(centre, 1) for centre in centres)


def test_price_bands_follow_the_three_shelves():
    budget = [8, 9, 10, 11, 12]
    middle = [48, 49, 50, 51, 52]
    luxury = [118, 119, 120, 121, 122]
    assert price_bands(budget + middle + luxury, 3) == [10.0, 50.0, 120.0]
