"""The golden model of what the NIC has beyond upstream: it allows what the specification says, and nothing else."""

import pytest

from enso_nic import registers
from enso_nic.config import TINY
from tests.rtl.golden.receive import Admission
from tests.rtl.golden.registers import Settings
from tests.rtl.golden.steering import (
    Key,
    Timestamp,
    flits,
    header_line,
    ip_end,
    pipe_flits,
    refusal,
    stamped,
    steering_key,
)
from tests.rtl.golden_play import BOTH, BUFFER, PIPE, PIPE_RING, RX_RING, TX_RING, Play, completion, slot
from tests.rtl.nic_frames import MACS, ipv4, udp

ARP = MACS[:12] + b"\x08\x06" + bytes(range(46))
IPV6 = MACS[:12] + b"\x86\xdd\x60\0\0\0" + (30).to_bytes(2, "big") + bytes(range(34 + 30))
NOT_IP = Admission("none", "not_ip")
MODES = registers.extension_register("modes")
PER_PACKET, ACCEPT_IPV6 = 1, 2


def falling_back(*, header_mode: bool) -> Play:
    """Frames without a rule go to pipe PIPE."""
    it = Play()
    steerings = it.nic.receive.steerings
    steerings.append(steerings[-1].with_fallback(1, 0, round_robin=False))
    with_rule = steerings[-1].with_rule(Key(), PIPE)
    assert with_rule is not None
    steerings.append(with_rule)
    if header_mode:
        it.nic.mmio_write(registers.pipe_mode_register(PIPE), 1, BOTH)
    return it


def with_header(frame: bytes, *, arrival: int = 0, drops: int = 0) -> list[bytes]:
    return [header_line(frame, steering_key(frame), arrival=arrival, drops=drops), *flits(frame)]


# --- header mode and drops --------------------------------------------------------------------------------------------


def test_the_line_before_a_frame() -> None:
    line = header_line(udp(80), Key(80, 0, 0xC0A80000, 0), arrival=0x123456789, drops=7)
    fields = [line[:4], line[4:8], line[8:16], line[16:20], line[20:]]
    hashed = 0x1F302F21
    assert [int.from_bytes(each, "little") for each in fields] == [60, hashed, 0x123456789, 7, 0]
    assert len(line) == 64


def test_a_pipe_in_header_mode_takes_any_frame_whole_behind_its_line() -> None:
    it = falling_back(header_mode=True)
    for number, (frame, admission) in enumerate(((ARP, NOT_IP), (udp(80) + bytes(90), Admission("none")))):
        it.arrives(frame, admission, tick=1000 + number)
        it.stores(with_header(frame, arrival=1000 + number), notify=not number, header=True)
        if not number:
            it.notification(0)
    it.nic.finish()
    assert it.nic.counters["rx_packets"] == 2


def test_a_frame_in_header_mode_is_found_wrong() -> None:
    frame = udp(80) + bytes(90)
    for lines, complaint in (
        (pipe_flits(frame), "a packet of 4 flits was taken for one of 1"),
        (flits(frame), "a packet of 4 flits was taken for one of 3"),
        (with_header(frame, arrival=1), "due is"),
        (with_header(frame, arrival=5, drops=1), "due is"),
        ([header_line(frame, Key(), arrival=5, drops=0), *flits(frame)], "due is"),
    ):
        it = falling_back(header_mode=True)
        it.arrives(frame, tick=5)
        with pytest.raises(AssertionError, match=complaint):
            it.stores(lines, notify=True, header=True)


def test_which_mode_a_packet_met_is_a_race_until_it_is_read() -> None:
    it = falling_back(header_mode=True)
    it.packet(udp(80), notify=True)
    it.notification(0)
    it.arrives(udp(80))
    it.stores(with_header(udp(80)), notify=False, header=True)
    it.arrives(udp(80))
    with pytest.raises(AssertionError, match="mode of pipe 3: seen as False"):
        it.stores(pipe_flits(udp(80)), notify=False)

    it = falling_back(header_mode=True)
    it.reads(registers.pipe_mode_register(PIPE), 1)
    it.arrives(ARP, NOT_IP)
    with pytest.raises(AssertionError, match="mode of pipe 3: seen as False"):
        it.stores([], notify=False, cause="not_ip")


def test_modes_and_drops_of_pipes_read_as_they_are() -> None:
    it = falling_back(header_mode=True)
    it.nic.mmio_write(registers.pipe_mode_register(2), 0xFFFFFFFE, BOTH)
    it.nic.mmio_write(registers.pipe_mode_register(1), 1, 0xF0)
    it.nic.mmio_write(registers.pipe_drops_register(1), 1, BOTH)
    expected = {registers.pipe_mode_register(pipe): int(pipe == PIPE) for pipe in range(TINY.pipes + 1)}
    expected |= {registers.pipe_drops_register(pipe): 0 for pipe in range(TINY.pipes + 1)}
    for address, value in expected.items():
        it.reads(address, value)
        with pytest.raises(AssertionError, match="cannot have been"):
            it.reads(address, value + 1)


def test_drops_count_for_the_pipe_that_the_frame_was_for() -> None:
    it = falling_back(header_mode=False)
    it.arrives(ARP, NOT_IP)
    it.stores([], notify=False, cause="not_ip")
    for _ in range(2):
        it.packet(udp(80, 1280), notify=it.tail == 0)
        if it.tail == 20:
            it.notification(0)
    it.packet(udp(80, 1500), notify=False, cause="pipe_full")
    it.reads(registers.pipe_drops_register(PIPE), 2)
    it.nic.mmio_write(registers.pipe_mode_register(PIPE), 1, BOTH)
    it.arrives(udp(80))
    it.stores(with_header(udp(80), drops=2), notify=False, header=True)
    assert (it.nic.counters["not_ip"], it.nic.counters["pipe_full"]) == (1, 1)


def test_a_wrong_fate_is_found() -> None:
    """A refusal comes before where the frame goes, and no dropped frame notifies."""
    for header_mode, admission, fate in (
        (False, NOT_IP, {"cause": "none"}),
        (False, NOT_IP, {"cause": "pipe_full"}),
        (False, Admission("none", "bad_ip_length"), {"cause": "not_ip"}),
        (False, NOT_IP, {"cause": "not_ip", "notify": True}),
        (True, NOT_IP, {"cause": "not_ip", "header": True}),
        (False, NOT_IP, {"cause": "no_flow", "miss": True}),
    ):
        it = falling_back(header_mode=header_mode)
        frame = ARP if admission is NOT_IP else udp(80)[:-1]
        it.arrives(frame, admission)
        with pytest.raises(AssertionError):
            it.commit(flits=2 if header_mode else 1, **fate)


# --- settings ---------------------------------------------------------------------------------------------------------


def test_sizes_that_no_ring_can_have_change_nothing() -> None:
    settings = Settings(64, 16)
    for size in (8, 1 << 15, 1 << 20):
        assert settings.with_word("pipe_ring_flits", size).pipe_ring == size
    assert settings.with_word("notification_ring_slots", 1 << 15).notification_ring == 1 << 15
    for size in (0, 4, 24, 1 << 21, 1 << 32 | 64):
        assert settings.with_word("pipe_ring_flits", size) == settings
        assert settings.with_word("notification_ring_slots", size) == settings
    assert settings.with_word("notification_ring_slots", 1 << 16) == settings
    assert settings.with_word("modes", 2) == settings._replace(accept_ipv6=True)
    assert settings.with_word("modes", 13) == settings._replace(notify_per_packet=True, full_tuple=True)
    assert settings.with_word("magic", 8) == settings


def test_settings_read_as_they_were_written() -> None:
    it = Play()
    words = {"pipe_ring_flits": 32, "notification_ring_slots": 8, "modes": 3, "reset": 0, "pipes": TINY.pipes}
    for name, value in words.items():
        it.nic.mmio_write(registers.extension_register(name), value, BOTH)
        it.nic.mmio_write(registers.extension_register(name), 64, 0xF0)
    for name, value in words.items():
        it.reads(registers.extension_register(name), value)
        with pytest.raises(AssertionError, match="cannot have been"):
            it.reads(registers.extension_register(name), value + 1)


def test_a_ring_has_the_size_that_was_set_when_it_was_enabled() -> None:
    it = Play(start=14, slot=14, ring=16, slots=8)
    for name in ("pipe_ring_flits", "notification_ring_slots"):
        it.nic.mmio_write(registers.extension_register(name), 32, BOTH)
    it.packet(udp(80, 200), notify=True)
    assert it.tail == 2
    it.notification(6)
    it.reads(registers.notification_buffer_register(BUFFER, registers.RX_TAIL), 14 << 32 | 7)
    it.packet(udp(80, 640), notify=False)
    it.packet(udp(80, 129), notify=False, cause="pipe_full")
    it.packet(udp(80, 60), notify=False)
    for number in (7, *range(5)):
        it.write_head(14, notify=True)
        it.notification(number)
    it.write_head(14, notify=True)
    it.nic.notification("owed")
    it.publish([slot(2, 99, 3)], start=6)
    it.nic.host_write(TX_RING + 64 * 6, completion(99, 3, 3))
    it.publish([slot(2, 99, 3)], start=7, tag=129)
    it.nic.host_write(TX_RING + 64 * 7, completion(99, 3, 3))
    it.publish([slot(2, 99, 3)], start=0, tag=130)
    assert it.nic.waiting() == "1 completions"


def test_a_place_in_a_ring_of_another_size_is_found() -> None:
    it = Play(start=15, ring=16)
    it.arrives(udp(80, 100))
    it.commit(flits=2, notify=True)
    it.nic.host_write(PIPE_RING + 64 * 15, pipe_flits(udp(80, 100))[0])
    with pytest.raises(AssertionError, match="due is"):
        it.nic.host_write(PIPE_RING + 64 * 16, pipe_flits(udp(80, 100))[1])

    it = Play(slot=7, slots=8)
    it.packet(udp(80), notify=True)
    it.notification(7)
    it.write_head(0, notify=True)
    it.nic.notification("written")
    with pytest.raises(AssertionError, match="was written to 0x"):
        it.nic.host_write(RX_RING + 64 * 8, bytes(64))

    it = Play(slot=7, slots=8)
    it.nic.mmio_write(registers.notification_buffer_register(BUFFER, registers.TX_TAIL), 1, 0x0F)
    it.nic.host_read(TX_RING + 64 * 7, 1, 128)
    with pytest.raises(AssertionError, match="no enabled ring"):
        it.nic.host_read(TX_RING + 64 * 8, 1, 129)


def test_each_packet_notifies_if_it_met_that_setting() -> None:
    def set_to_notify() -> Play:
        it = Play()
        it.packet(udp(80), notify=True)
        it.notification(0)
        it.nic.mmio_write(MODES, PER_PACKET, BOTH)
        it.packet(udp(80), notify=False, per_packet=True)
        return it

    it = set_to_notify()
    for number in (1, 2):
        it.packet(udp(80), notify=True, per_packet=True)
        it.notification(number)
    it.nic.mmio_write(MODES, 0, BOTH)
    it.packet(udp(80), notify=True, per_packet=False)
    it.notification(3)
    with pytest.raises(AssertionError, match="a packet notifies: True"):
        it.packet(udp(80), notify=True)
    with pytest.raises(AssertionError, match="a packet notifies: False"):
        set_to_notify().packet(udp(80), notify=False, per_packet=True)
    with pytest.raises(AssertionError, match="notify_per_packet seen as False"):
        set_to_notify().packet(udp(80), notify=True)
    it = Play()
    it.nic.mmio_write(MODES, PER_PACKET, BOTH)
    it.reads(MODES, PER_PACKET)
    with pytest.raises(AssertionError, match="notify_per_packet seen as False"):
        it.packet(udp(80), notify=True)
    with pytest.raises(AssertionError, match="notify_per_packet seen as True"):
        Play().packet(udp(80), notify=True, per_packet=True)


def test_ipv6_ends_where_its_payload_does() -> None:
    assert ip_end(IPV6) == len(IPV6) == 84
    assert refusal(IPV6) == refusal(ARP, accept_ipv6=True) == "not_ip"
    assert refusal(IPV6 + bytes(9), accept_ipv6=True) == refusal(udp(1), accept_ipv6=True) == "none"
    assert refusal(IPV6[:-1], accept_ipv6=True) == "bad_ip_length"
    assert steering_key(IPV6) == Key()


def test_whether_ipv6_is_taken_is_what_the_frame_met_when_it_began() -> None:
    """Which setting that is may be a race."""
    for is_written_first in (False, True):
        for admission in (NOT_IP, Admission("none")):
            it = falling_back(header_mode=False)
            if is_written_first:
                it.nic.mmio_write(MODES, ACCEPT_IPV6, BOTH)
            it.nic.frame_begins(IPV6, bad=False, is_open=True)
            if not is_written_first:
                it.nic.mmio_write(MODES, ACCEPT_IPV6, BOTH)
            it.nic.admission(admission)
    it = falling_back(header_mode=False)
    with pytest.raises(AssertionError, match="is refused as none, full tuple False; accepted is one of"):
        it.arrives(IPV6)
    it = falling_back(header_mode=False)
    it.nic.frame_begins(IPV6, bad=False, is_open=True)
    it.nic.mmio_write(MODES, ACCEPT_IPV6 | PER_PACKET, BOTH)
    it.reads(MODES, ACCEPT_IPV6 | PER_PACKET)
    it.nic.admission(NOT_IP)
    it.stores([], notify=False, cause="not_ip")
    it.arrives(IPV6 + bytes(100))
    it.stores(flits(IPV6), notify=True, per_packet=True)
    it.notification(0)
    with pytest.raises(AssertionError, match="is refused as not_ip, full tuple False; accepted is one of"):
        it.arrives(IPV6, NOT_IP)


# --- time stamps ------------------------------------------------------------------------------------------------------


def test_a_stamp_is_the_time_since_the_one_that_it_replaces() -> None:
    frame = bytes(20) + (0xFFFFFF00).to_bytes(4, "big") + bytes(36)
    assert stamped(frame, 20, 0x9_0000_0010) == bytes(20) + (0x110).to_bytes(4, "big") + bytes(36)
    assert stamped(bytes(60), 58, 0x01020304) == bytes(58) + b"\x01\x02"
    assert stamped(bytes(60), 60, 5) == bytes(60)


def test_a_stamp_over_the_fragment_offset_hides_it() -> None:
    fragment = ipv4(udp(1)[34:], fragment_offset=99)
    by_address = Key(destination_address=steering_key(udp(1)).destination_address)
    for offset in range(14, 25):
        expected = steering_key(udp(1)) if 17 <= offset <= 21 else by_address
        assert steering_key(fragment, offset) == expected


def test_frames_carry_the_stamp_of_a_setting_that_they_can_have_met() -> None:
    setting = Timestamp(enabled=True, offset=18)

    def stamping(*, is_complete: bool) -> Play:
        """A config request turned time stamps on."""
        it = Play()
        it.publish([slot(2, 2, 1 << 63, 18)])
        if is_complete:
            it.nic.host_write(TX_RING, completion(2, 0))
        return it

    frame = udp(80)
    it = stamping(is_complete=False)
    it.packet(frame, notify=True)
    it.notification(0)
    it.arrives(frame, Admission("none", timestamp=setting), tick=99)
    it.stores(pipe_flits(stamped(frame, 18, 99)), notify=False)
    with pytest.raises(AssertionError, match="a frame met"):
        it.arrives(frame)
    with pytest.raises(AssertionError, match="a frame met"):
        stamping(is_complete=True).arrives(frame)
    with pytest.raises(AssertionError, match="a frame met"):
        stamping(is_complete=False).arrives(frame, Admission("none", timestamp=Timestamp(enabled=True, offset=19)))
    for lines in (pipe_flits(frame), pipe_flits(stamped(frame, 18, 98)), pipe_flits(stamped(frame, 19, 99))):
        it = stamping(is_complete=True)
        it.arrives(frame, Admission("none", timestamp=setting), tick=99)
        with pytest.raises(AssertionError, match="due is"):
            it.stores(lines, notify=True)
