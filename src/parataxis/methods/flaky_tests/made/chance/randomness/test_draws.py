# Planted: assertions on what is drawn at random, from seven generators.
import random
import secrets
import string
import uuid

import numpy as np


def choose_jury(people, size):
    return random.choices(people, k=size)


def test_jury_has_no_duplicates():
    jury = choose_jury([f"juror {n}" for n in range(20)], 4)
    assert len(set(jury)) == 4


def test_mean_is_near_zero():
    sample = [random.gauss(0, 1) for _ in range(30)]
    assert abs(sum(sample) / len(sample)) < 0.2


def test_shuffle_moves_the_first():
    cards = list(range(4))
    random.Random().shuffle(cards)
    assert cards[0] != 0


def test_token_needs_no_quoting():
    assert not set("-_") & set(secrets.token_urlsafe(9))


def test_identifier_sorts_behind_the_old_one():
    old = uuid.UUID("40000000-0000-4000-8000-000000000000")
    assert uuid.uuid4() > old


def estimate_pi(points):
    x, y = np.random.default_rng().random((2, points))
    return 4 * np.mean(x * x + y * y < 1)


def test_pi_is_close():
    assert abs(estimate_pi(400) - np.pi) < 0.1


def test_password_holds_a_digit():
    chance = random.SystemRandom()
    password = "".join(chance.choice(string.ascii_letters + string.digits) for _ in range(8))
    assert any(c.isdigit() for c in password)


def test_split_keeps_both_classes():
    labels = np.array([1] * 4 + [0] * 16)
    held_out = np.random.permutation(labels)[:5]
    assert 0 < held_out.sum() < 5
