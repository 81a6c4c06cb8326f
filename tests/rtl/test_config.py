"""NicConfig: a NIC that cannot work is refused before it is built, in one line that says what would be accepted."""

import dataclasses
from typing import Any

import pytest

from enso_nic.config import FULL, TINY, NicConfig
from tests.rtl.contract import covers


@covers("C-006", "C-141")
def test_the_full_nic_has_the_sizes_that_upstreams_software_was_built_for() -> None:
    sizes = (FULL.pipes, FULL.notification_buffers, FULL.pipe_flits, FULL.notification_slots)
    assert sizes == (8192, 1024, 32768, 16384)
    assert FULL.maximum_frame == TINY.maximum_frame == 1514
    assert FULL.maximum_frame_flits == 24


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"pipes": 3}, "NicConfig.pipes is 3; accepted is a power of two from 2 up"),
        ({"flow_entries": 0}, "NicConfig.flow_entries is 0; accepted is a power of two"),
        ({"notification_slots": 1}, "NicConfig.notification_slots is 1; accepted is a power of two"),
        ({"pipe_flits": -64}, "NicConfig.pipe_flits is -64; accepted is a power of two"),
        ({"pipe_flits": 4}, "NicConfig.pipe_flits is 4; accepted is a power of two from 8 to 1048576"),
        ({"pipe_flits": 1 << 21}, "NicConfig.pipe_flits is 2097152; accepted is a power of two from 8 to 1048576"),
        ({"notification_slots": 4}, "NicConfig.notification_slots is 4; accepted is a power of two from 8 to 32768"),
        ({"notification_slots": 1 << 16}, "slots is 65536; accepted is a power of two from 8 to 32768"),
        ({"flow_entries": 1 << 17}, "NicConfig.flow_entries is 131072; accepted is at most 65536"),
        ({"read_timeout_cycles": 0}, "NicConfig.read_timeout_cycles is 0; accepted is 1 up"),
        ({"maximum_frame": 16257}, "NicConfig.maximum_frame is 16257; accepted is at most 16256"),
        ({"pipes": 16384}, "at most 8192 pipes"),
        ({"notification_buffers": 2048}, "at most 8192 pipes and 1024 notification buffers"),
        ({"data_tags": 256}, "at most 128 host reads"),
        ({"request_tags": 256}, "at most 128 host reads"),
        ({"packet_buffer_flits": 16}, "NicConfig.packet_buffer_flits is 16; accepted is a power of two from 24 up"),
        ({"tx_buffer_flits": 32}, "NicConfig.tx_buffer_flits is 32; accepted is a power of two from 48 up"),
    ],
)
def test_what_cannot_work_is_refused(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as refusal:
        dataclasses.replace(TINY, **changes)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(("pipe_flits", "notification_slots"), [(8, 8), (1 << 20, 1 << 15)])
def test_rings_may_have_any_size_that_software_may_set(pipe_flits: int, notification_slots: int) -> None:
    config = dataclasses.replace(TINY, pipe_flits=pipe_flits, notification_slots=notification_slots)
    assert (config.pipe_flits, config.notification_slots) == (pipe_flits, notification_slots)


@pytest.mark.parametrize("maximum_frame", [1514, 1536, 9014, 16256])
def test_the_longest_frame_need_not_be_a_power_of_two(maximum_frame: int) -> None:
    assert NicConfig(maximum_frame=maximum_frame).maximum_frame_flits == -(-maximum_frame // 64)
