"""Uniform numbers that depend on the seed, the patient and the cycle, on nothing else: not on who comes before."""

import numpy as np

from parataxis.methods.therapy_sequence.kernels import compiled

WORD = np.uint64(0xFFFFFFFF)
# Philox 4x32: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", 2011
M0, M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
W0, W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
ROUNDS = 10
HALF = np.uint64(32)


@compiled
def philox(counter, key):  # type: ignore[no-untyped-def]
    """Four words of 32 bits (in uint64) from a counter of four and a key of two."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(ROUNDS):
        one, other = M0 * c0, M1 * c2
        c0, c1, c2, c3 = (other >> HALF) ^ c1 ^ k0, other & WORD, (one >> HALF) ^ c3 ^ k1, one & WORD
        k0, k1 = (k0 + W0) & WORD, (k1 + W1) & WORD
    return c0, c1, c2, c3


@compiled
def double(high, low):  # type: ignore[no-untyped-def]
    """In [0, 1), of 53 bits."""
    return ((high >> np.uint64(5)) * 67108864.0 + (low >> np.uint64(6))) / 9007199254740992.0


@compiled
def philox_uniforms(seed, patient, into):  # type: ignore[no-untyped-def]
    """One a cycle."""
    key = (np.uint64(seed) & WORD, np.uint64(seed) >> HALF)
    low, high = np.uint64(patient) & WORD, np.uint64(patient) >> HALF
    for pair in range((len(into) + 1) // 2):
        a, b, c, d = philox((np.uint64(pair), low, high, np.uint64(0)), key)
        into[2 * pair] = double(a, b)
        if 2 * pair + 1 < len(into):
            into[2 * pair + 1] = double(c, d)


# R's Mersenne Twister after set.seed: Matsumoto and Nishimura 1998; R's manual, ?RNGkind, tells the scrambling
N, M = 624, 397
UPPER, LOWER, MATRIX = np.uint32(0x80000000), np.uint32(0x7FFFFFFF), np.uint32(0x9908B0DF)
LONGEST_R = N - M  # uniforms before the state is asked for its own renewed words
SCRAMBLES = 50
STEP = 2.3283064365386963e-10


@compiled
def r_uniforms(seed, patient, into):  # type: ignore[no-untyped-def]
    """What runif gives after set.seed(seed + patient); at most LONGEST_R of them."""
    s = np.uint32(seed + patient)
    for _ in range(SCRAMBLES + 1):  # the word after the scrambling is the place in the state: not used
        s = np.uint32(np.uint32(69069) * s + np.uint32(1))
    state = np.empty(len(into) + M, np.uint32)
    for k in range(len(state)):
        s = np.uint32(np.uint32(69069) * s + np.uint32(1))
        state[k] = s
    for k in range(len(into)):
        y = (state[k] & UPPER) | (state[k + 1] & LOWER)
        y = state[k + M] ^ (y >> np.uint32(1)) ^ (MATRIX if y & np.uint32(1) else np.uint32(0))
        y ^= y >> np.uint32(11)
        y ^= (y << np.uint32(7)) & np.uint32(0x9D2C5680)
        y ^= (y << np.uint32(15)) & np.uint32(0xEFC60000)
        y ^= y >> np.uint32(18)
        into[k] = y * STEP
