# Planted: songs, accounts and small statistics.
import random
import secrets
import sqlite3

import numpy as np


def next_round(songs):
    return random.sample(songs, k=len(songs))


def test_no_song_twice_in_a_row():
    songs = ["Aria", "Bolero", "Chaconne", "Dumka"]
    assert next_round(songs)[0] != songs[-1]


def split(count, held_back):
    order = np.random.default_rng().permutation(count)
    return order[held_back:], order[:held_back]


def test_rent_is_predicted():
    size = np.arange(20.0, 100.0, 4.0)
    rent = 11 * size + 130 * np.sin(size)
    train, test = split(len(size), held_back=5)
    model = np.polyfit(size[train], rent[train], deg=1)
    errors = rent[test] - np.polyval(model, size[test])
    assert 1 - errors.var() / rent[test].var() > 0.85


def test_cookie_names_its_user():
    cookie = f"ann-{secrets.token_urlsafe(16)}"
    user, token = cookie.split("-")
    assert user == "ann"
    assert len(token) == 22


def make_member():
    first = random.choice(["ann", "bob", "cem", "dora", "eve", "finn"])
    last = random.choice(["ito", "king", "lopez", "meyer", "novak"])
    return f"{first}.{last}"


def test_members_are_stored():
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE member (login TEXT UNIQUE)")
    for _ in range(5):
        database.execute("INSERT INTO member VALUES (?)", [make_member()])
    (count,) = database.execute("SELECT COUNT(*) FROM member").fetchone()
    database.close()
    assert count == 5


def clusters(points, count):
    centres = np.array(random.sample(points, count))
    for _ in range(20):
        nearest = np.abs(np.subtract.outer(points, centres)).argmin(axis=1)
        centres = np.array([np.mean(points, where=nearest == label) for label in range(count)])
    return sorted(centres)


def test_villages_are_found():
    houses = [1.0, 1.2, 1.4, 5.0, 5.2, 5.4, 9.0, 9.2, 9.4]
    np.testing.assert_allclose(clusters(houses, 3), [1.2, 5.2, 9.2])
