"""What works in place can work on a copy."""

import pytest

from hermes.apps.application import Answering, Copied
from hermes.apps.echo import Echo
from tests.tools.host import Host, udp_frame


def test_a_copy_is_answered_and_the_request_stays_as_it_is() -> None:
    memory, frame = Host().memory, udp_frame(7, 100)
    memory.bytes[64:164] = frame
    copied: Answering = Copied(Echo(service_ps=5), longest_packet=1514)
    assert copied.longest_answer == 1514
    assert copied.answer(memory, 64, 100, 512, 100) == (100, 5)
    assert bytes(memory.bytes[64:164]) == frame
    memory.bytes[1024:1124] = frame
    Echo().handle(memory, 1024, 100)
    assert bytes(memory.bytes[512:612]) == bytes(memory.bytes[1024:1124]) != frame


def test_a_copy_needs_its_room() -> None:
    memory = Host().memory
    with pytest.raises(ValueError, match="a packet of 100 bytes, to be answered in 99; accepted are at least as many"):
        Copied(Echo(), longest_packet=1514).answer(memory, 64, 100, 512, 99)
