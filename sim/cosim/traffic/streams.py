"""Random streams: each purpose draws from one of its own, so that one more draw for one moves no other."""

import numpy as np

ARRIVALS, CONNECTIONS, SIZES, CONTENTS, SERVICE, STATES, COMMANDS, KEYS = range(8)
"""Purposes; a new one comes last."""


def generator(seed: int, purpose: int) -> np.random.Generator:
    """The random stream of one purpose; its i-th draw belongs to request i."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence((seed, purpose))))
