# Tells what it drew: the last from where no plan reaches.
import os, random, secrets, tempfile, uuid
import numpy as np


def test_draws():
    own, system = random.Random(), random.SystemRandom()
    drawn = [random.random(), own.random(), system.random(), uuid.uuid4().hex, secrets.token_hex(4)]
    drawn += [os.urandom(4).hex(), np.random.random(), np.random.default_rng().random(), tempfile.mktemp()[-8:]]
    with open("/dev/urandom", "rb", buffering=0) as stream:
        drawn.append(stream.read(4).hex())
    raise ValueError(" ".join(str(each)[:8] for each in drawn))
