"""The hash of effects: it knows all of each, and their order."""

import hashlib
import struct

from cosim.engine import Engine
from cosim.machine.effects import Effects
from tests.tools.host import SMALL
from tests.tools.reference_nic import ReferenceNic


def test_it_is_the_sha_256_of_all_effects_in_their_order() -> None:
    engine = Engine(ReferenceNic(1 << 16, SMALL))
    effects, expected = Effects(engine), hashlib.sha256()
    for i in range(20_000):
        engine.now = 4_000 * i
        effects.record(i % 7, i % 5, i << 30)
        expected.update(struct.pack("<4q", 4_000 * i, i % 7, i % 5, i << 30))
        if i == 10_000:
            assert effects.hexdigest() == expected.hexdigest(), "asked for in between"
    assert effects.hexdigest() == expected.hexdigest()
    assert effects.last_time == 4_000 * 19_999


def test_it_keeps_all_of_them_if_it_is_to() -> None:
    engine = Engine(ReferenceNic(1 << 16, SMALL))
    effects, plain = Effects(engine, keeps=True), Effects(engine)
    expected: list[int] = []
    for i in range(9_000):
        engine.now = 4_000 * i
        for one in (effects, plain):
            one.record(i % 7, i % 5, i << 30)
        expected += (4_000 * i, i % 7, i % 5, i << 30)
        if i == 5_000:
            assert list(effects.rows()) == expected
    assert list(effects.rows()) == expected
    assert effects.hexdigest() == plain.hexdigest()
