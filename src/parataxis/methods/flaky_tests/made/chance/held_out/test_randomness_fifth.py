import configparser
import io
import math
import random
import secrets
import string
import uuid


class CouponBook:
    alphabet = string.ascii_uppercase.replace("I", "").replace("O", "") + "23456789"

    def __init__(self, campaign):
        self.campaign = campaign
        self.codes = []

    def issue(self):
        code = "".join(secrets.choice(self.alphabet) for _ in range(3))
        self.codes.append(f"{self.campaign}-{code}")
        return self.codes[-1]


def test_coupon_book_issues_distinct_codes():
    book = CouponBook("SPRING")
    for _ in range(120):
        book.issue()
    assert len(book.codes) == 120
    assert len(set(book.codes)) == 120


def digest_line(ticket, tags, limit=3):
    wanted = {tag.strip().lower() for tag in tags if tag.strip()}
    shown = list(wanted)[:limit]
    more = len(wanted) - len(shown)
    return f"#{ticket} [{' '.join(shown)}]" + (f" +{more}" if more else "")


def test_digest_line_keeps_the_escalation_tag():
    line = digest_line(4711, ["Escalated", "billing", "EU ", "billing", "invoice"])
    assert line.startswith("#4711 [")
    assert line.endswith("] +1")
    assert "escalated" in line


def split_rows(rows, holdout):
    rows = list(rows)
    held = random.sample(range(len(rows)), int(len(rows) * holdout))
    chosen = set(held)
    return [r for i, r in enumerate(rows) if i not in chosen], [rows[i] for i in held]


def recall(rows, predict):
    positives = [r for r in rows if r["label"] == 1]
    hits = [r for r in positives if predict(r) == 1]
    return len(hits) / len(positives)


def test_threshold_model_scores_full_recall_on_holdout():
    rows = [{"x": x, "label": 1 if x >= 16 else 0} for x in range(20)]
    train, holdout = split_rows(rows, 0.25)
    assert len(train) == 15 and len(holdout) == 5
    cut = min((r["x"] for r in train if r["label"] == 1), default=16)
    assert recall(holdout, lambda r: 1 if r["x"] >= min(cut, 16) else 0) == 1.0


class RetryPolicy:
    def __init__(self, base=0.1, cap=5.0):
        self.base = base
        self.cap = cap

    def delays(self, attempts):
        for n in range(attempts):
            yield min(self.cap, self.base * 2**n) * random.uniform(0.5, 1.5)


def test_retry_policy_waits_longer_each_attempt():
    waits = list(RetryPolicy().delays(5))
    assert len(waits) == 5
    assert all(w <= 5.0 * 1.5 for w in waits)
    assert waits == sorted(waits)


def coerce(text):
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"yes": True, "no": False}.get(text, text)


class Manifest:
    def __init__(self, branch):
        self.values = {"branch": branch, "revision": uuid.uuid4().hex[:4], "signed": True}

    def dump(self):
        parser = configparser.ConfigParser()
        parser["manifest"] = {k: "yes" if v is True else str(v) for k, v in self.values.items()}
        out = io.StringIO()
        parser.write(out)
        return out.getvalue()

    @staticmethod
    def load(text):
        parser = configparser.ConfigParser()
        parser.read_string(text)
        return {k: coerce(v) for k, v in parser["manifest"].items()}


def test_manifest_survives_an_ini_round_trip():
    manifest = Manifest("release/7")
    assert Manifest.load(manifest.dump()) == manifest.values


def cluster(points, k, rounds=25):
    centres = random.sample(points, k)
    for _ in range(rounds):
        groups = [[] for _ in centres]
        for p in points:
            nearest = min(range(k), key=lambda i: math.dist(p, centres[i]))
            groups[nearest].append(p)
        centres = [
            (sum(x for x, _ in g) / len(g), sum(y for _, y in g) / len(g)) if g else c for g, c in zip(groups, centres)
        ]
    return sorted(sorted(g) for g in groups)


def test_cluster_recovers_the_three_depots():
    offsets = [(0, 0), (0.4, 0.1), (0.2, 0.5), (-0.3, 0.2), (-0.1, -0.4)]
    depots = [(0, 0), (12, 1), (14, 9)]
    points = [(dx + ox, dy + oy) for dx, dy in depots for ox, oy in offsets]
    groups = cluster(points, 3)
    assert [len(g) for g in groups] == [5, 5, 5]
