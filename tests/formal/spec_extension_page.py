"""The extension page: settings are always legal, and a reset is asked for only with its key."""

from enso_nic.config import TINY
from enso_nic.extension_page import ExtensionPage
from enso_nic.registers import (
    EXTENSION_WORDS,
    LARGEST_NOTIFICATION_RING,
    LARGEST_PIPE_RING,
    RESET_KEY,
    SMALLEST_RING,
)
from tests.formal.specification import Specification


def extension_page() -> Specification:
    dut = ExtensionPage(TINY)
    spec = Specification("extension_page", dut)
    settings = dut.settings
    smallest = SMALLEST_RING.bit_length() - 1
    for name, size, largest in (
        ("pipes", settings.pipe_ring, LARGEST_PIPE_RING),
        ("notification buffers", settings.notification_ring, LARGEST_NOTIFICATION_RING),
    ):
        spec.promise(
            f"the ring size of {name} is a legal one, whatever software writes",
            then=(size >= smallest) & (size <= largest.bit_length() - 1),
        )
    asked = dut.write.valid & (dut.write.payload.word == EXTENSION_WORDS["reset"].number)
    spec.promise(
        "a reset is asked for only by its key",
        when=dut.wants_reset & ~spec.before(dut.wants_reset),
        then=spec.before(asked & (dut.write.payload.data == RESET_KEY)),
    )
    spec.promise(
        "a setting changes only by a write",
        when=~spec.before(dut.write.valid) & spec.before(1),
        then=settings.as_value() == spec.before(settings.as_value()),
    )
    return spec
