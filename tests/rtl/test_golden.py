"""The golden model by itself: it allows what the specification says, and nothing else."""

import pytest

from enso_nic import registers
from enso_nic.config import TINY
from tests.rtl.golden.receive import Admission
from tests.rtl.golden.steering import Key, Steering, drop_cause, lookup3, pipe_flits, refusal, steering_key
from tests.rtl.golden.transmit import Packetiser, Request
from tests.rtl.golden_play import BUFFER, PIPE, PIPE_RING, RX_RING, TX_RING, Play, completion, slot
from tests.rtl.nic_frames import DESTINATION, SOURCE, SOURCE_PORT, ipv4, tcp, udp

PORT_80 = Key(destination_port=80, destination_address=0xC0A80000)


# --- steering ---------------------------------------------------------------------------------------------------------


def test_hashes_are_those_of_upstream() -> None:
    assert [lookup3(PORT_80, table) for table in range(4)] == [0x1F302F21, 0x823999FA, 0xD1966911, 0xBE666DF4]
    assert lookup3(PORT_80._replace(source_address=0x0A000001, source_port=8080), 0) == 0x3707EB2C


def test_keys_of_frames() -> None:
    port = Key(destination_port=5, destination_address=DESTINATION)
    address = Key(destination_address=DESTINATION)
    ports = SOURCE_PORT.to_bytes(2, "big") + b"\0\x05"
    assert steering_key(udp(5)) == port
    assert steering_key(tcp(5, flags=0x02)) == steering_key(tcp(5, flags=0x12)) == port
    assert steering_key(tcp(5)) == Key(5, SOURCE_PORT, DESTINATION, SOURCE)
    assert steering_key(ipv4(bytes(30), protocol=1)) == address
    assert steering_key(ipv4(ports + bytes(30), fragment_offset=0x2000)) == port
    assert steering_key(ipv4(ports + bytes(30), fragment_offset=1)) == address
    assert steering_key(ipv4(ports + bytes(30), options=6)) == port
    assert steering_key(ipv4(ports + bytes(30), options=7)) == address
    assert steering_key(ipv4(ports[:3], trailer=b"\x05" * 40)) == address


def test_rules_stand_in_the_first_empty_of_four_places() -> None:
    steering = Steering(1)
    for number in range(4):
        with_rule = steering.with_rule(Key(number), number)
        assert with_rule is not None
        steering = with_rule
    assert steering.with_rule(Key(4), 4) is None
    overwritten = steering.with_rule(Key(2), 9)
    assert overwritten is not None
    assert [overwritten.pipe(Key(number), 0) for number in range(5)] == [0, 1, 9, 3, None]
    deleted = overwritten.without_rule(Key(2))
    assert deleted is not None
    assert deleted.without_rule(Key(2)) is None
    assert [deleted.pipe(Key(number), 0) for number in range(5)] == [0, 1, None, 3, None]


def test_rules_make_way_for_another_and_none_is_lost() -> None:
    """Nine of ten places are taken, which is far beyond the first four of some rule."""
    steering, moved = Steering(256), 0
    for number in range(920):
        places = steering.places(Key(number))
        moved += all(place in steering.rules for place in places)
        with_rule = steering.with_rule(Key(number), number)
        assert with_rule is not None
        steering = with_rule
    assert moved > 50
    assert len(steering.rules) == 920
    assert [steering.pipe(Key(number), 0) for number in range(921)] == [*range(920), None]


def test_frames_without_a_rule_go_by_hash_or_by_count() -> None:
    def steering(pipes: int, mask: int, *, round_robin: bool) -> Steering:
        with_rule = Steering(16).with_rule(Key(1), 9)
        assert with_rule is not None
        return with_rule.with_fallback(pipes, mask, round_robin=round_robin)

    by_hash, by_count = steering(4, 3, round_robin=False), steering(4, 3, round_robin=True)
    assert [by_hash.pipe(Key(4), count) for count in range(6)] == [lookup3(Key(4), 0) & 3] * 6
    assert [by_count.pipe(Key(4), count) for count in range(6)] == [0, 1, 2, 3, 0, 1]
    assert (by_count.goes_by_count(Key(4)), by_count.goes_by_count(Key(1))) == (True, False)
    assert not by_hash.goes_by_count(Key(4))
    nowhere = steering(0, 3, round_robin=True)
    assert (nowhere.pipe(Key(4), 0), nowhere.goes_by_count(Key(4))) == (None, False)
    assert [each.pipe(Key(1), 5) for each in (by_hash, by_count, nowhere)] == [9, 9, 9]


def test_what_the_door_drops() -> None:
    def cause(frame: bytes, *, bad: bool = False) -> str:
        return drop_cause(frame, bad=bad, maximum_frame=1514)

    assert cause(udp(1)) == cause(udp(1, 1514)) == cause(bytes(60)) == cause(udp(1)[:15]) == "none"
    assert cause(udp(1, 1515), bad=True) == "bad_frame"
    assert cause(bytes(1515)) == "too_long"


def test_what_pipes_without_header_mode_refuse() -> None:
    assert refusal(udp(1)) == refusal(udp(1, 46) + bytes(14)) == "none"
    assert refusal(bytes(60)) == refusal(udp(1)[:14]) == "not_ip"
    assert refusal(udp(1)[:-1]) == refusal(ipv4(bytes(20), total=19)) == refusal(udp(1)[:15]) == "bad_ip_length"


# --- RX ---------------------------------------------------------------------------------------------------------------


def test_the_sequence_that_was_seen_for_one_pipe() -> None:
    it = Play()
    it.packet(udp(80), notify=True)
    it.notification(0)
    it.packet(udp(80, 100), notify=False)
    it.write_head(0, notify=True)
    it.notification(1)
    it.write_head(0, notify=True)
    it.notification(2)
    it.write_head(3, notify=False)
    it.packet(udp(80), notify=True)
    it.notification(3)
    for _ in range(3):
        it.packet(udp(80, 1280), notify=False)
    it.packet(udp(80, 192), notify=False, cause="pipe_full")
    it.write_head(4, notify=True)
    it.notification(4)
    it.nic.finish()
    assert it.nic.counters == {"rx_frames": 7, "rx_admitted": 7, "rx_packets": 6, "notifications": 5, "pipe_full": 1}


def test_what_breaks_the_reactive_rule_is_found() -> None:
    def begun(head: int = 0) -> Play:
        it = Play()
        it.packet(udp(80), notify=True)
        it.notification(0)
        it.write_head(1, notify=False)
        it.write_head(0, notify=True)
        it.notification(1)
        it.head = head
        return it

    begun().packet(udp(80), notify=False)
    with pytest.raises(AssertionError, match="a packet notifies: True"):
        begun().packet(udp(80), notify=True)
    with pytest.raises(AssertionError, match="a check notifies: False"):
        begun().write_head(0, notify=False)
    with pytest.raises(AssertionError, match="fate pipe_full"):
        begun().packet(udp(80), notify=False, cause="pipe_full")
    for head in (1, 2):  # one that was replaced, one that never was
        with pytest.raises(AssertionError, match=f"seen as {head}"):
            begun(head).packet(udp(80), notify=False)


def test_which_head_a_packet_met_is_a_race_that_only_goes_forward() -> None:
    it = Play()
    it.packet(udp(80, 1280), notify=True)
    it.notification(0)
    for _ in range(2):
        it.packet(udp(80, 1280), notify=False)
    for head in (20, 40):
        it.nic.mmio_write(registers.pipe_register(PIPE, 0), head << 32, 0xF0)
    it.head = 20
    it.packet(udp(80, 640), notify=False)
    it.head = 40
    it.packet(udp(80, 640), notify=False)
    it.head = 20
    with pytest.raises(AssertionError, match="rx_head of pipe 3: seen as 20"):
        it.commit("head_check", notify=True)


def test_packets_lie_over_the_end_of_the_ring() -> None:
    it = Play(start=TINY.pipe_flits - 1, slot=TINY.notification_slots - 1)
    it.packet(udp(80, 150), notify=True)
    assert it.tail == 2
    it.notification(TINY.notification_slots - 1)
    it.nic.finish()
    it.write_head(1, notify=True)
    it.notification(0)


def test_data_at_a_wrong_address_or_behind_its_notification_is_found() -> None:
    frame = udp(80)
    for address, line in ((PIPE_RING + 64, pipe_flits(frame)[0]), (PIPE_RING, bytes(64)), (RX_RING, bytes(64))):
        it = Play()
        it.nic.frame_begins(frame, bad=False, is_open=True)
        it.nic.admission(Admission("none"))
        it.commit(flits=1, notify=True)
        with pytest.raises(AssertionError, match="due is"):
            it.nic.host_write(address, line)
    it = Play()
    with pytest.raises(AssertionError, match="nothing caused"):
        it.nic.host_write(PIPE_RING, bytes(64))


def test_a_notification_is_written_owed_or_lost_as_its_ring_demands() -> None:
    def notifying(notifications: int = 0, *, is_open: bool = True) -> Play:
        it = Play()
        if not is_open:
            it.nic.mmio_write(registers.notification_buffer_register(BUFFER, registers.RX_MEM_LOW), 0, 0x0F)
            it.nic.mmio_read(registers.pipe_register(PIPE, 0), 7)
            it.commit("register_read", tag=7)
            it.nic.mmio_answer(7, 0)
        it.packet(udp(80), notify=True)
        for number in range(notifications):
            it.notification(number)
            it.write_head(0, notify=True)
        return it

    full = TINY.notification_slots - 1
    complaints = {"written": "its ring was written to", "owed": "has room", "lost": "is enabled"}
    for notifications, is_open, outcome in ((0, True, "written"), (full, True, "owed"), (0, False, "lost")):
        it = notifying(notifications, is_open=is_open)
        with pytest.raises(AssertionError, match="1 notifications"):
            it.nic.finish()
        it.nic.notification(outcome)
        counters = [it.nic.counters[name] for name in ("notifications", "owed_notifications", "lost_notifications")]
        assert counters == [notifications + (outcome == "written"), outcome == "owed", outcome == "lost"]
        with pytest.raises(AssertionError, match="that nothing caused"):
            it.nic.notification(outcome)
        for other in complaints.keys() - {outcome}:
            with pytest.raises(AssertionError, match=complaints[other]):
                notifying(notifications, is_open=is_open).nic.notification(other)


def test_a_written_notification_leaves_for_its_slot_after_it_was_decided() -> None:
    line = b"".join(word.to_bytes(8, "little") for word in (1, PIPE, 1)).ljust(64, b"\0")
    for is_decided, address, told, complaint in (
        (False, RX_RING, line, "before it was decided on"),
        (True, RX_RING + 64, line, "was written to 0x"),
        (True, RX_RING, bytes(64), "was written as 00"),
    ):
        it = Play()
        it.packet(udp(80), notify=True)
        if is_decided:
            it.nic.notification("written")
        with pytest.raises(AssertionError, match=complaint):
            it.nic.host_write(address, told)


def test_what_is_owed_must_be_made_good_once_there_is_room() -> None:
    def owing() -> Play:
        it = Play()
        it.packet(udp(80), notify=True)
        for number in range(TINY.notification_slots - 1):
            it.notification(number)
            it.write_head(0, notify=True)
        it.nic.notification("owed")
        it.nic.mmio_write(registers.notification_buffer_register(BUFFER, registers.RX_HEAD), 1 << 32, 0xF0)
        return it

    with pytest.raises(AssertionError, match="pipe 3 is still owed"):
        owing().nic.finish()
    it = owing()
    it.nic.retry(PIPE, None, is_new=True)
    it.commit("retry", notify=True)
    it.notification(TINY.notification_slots - 1)
    it.nic.finish()
    with pytest.raises(AssertionError, match="checked out of turn without a reason"):
        it.commit("retry", notify=True)
    with pytest.raises(AssertionError, match="to be checked again without a reason"):
        it.nic.retry(PIPE, None, is_new=True)


def test_a_check_may_be_put_off_only_while_too_many_wait_and_must_come_once() -> None:
    """The last one that joined it counts: a check that had begun before its head write does not."""

    def flooded(checks: int) -> Play:
        it = Play()
        for number in range(checks):
            it.nic.mmio_write(registers.pipe_register(PIPE, 0), 0, 0xF0, tag=number)
        return it

    with pytest.raises(AssertionError, match="put off, though only 16 wait"):
        flooded(TINY.pipe_operations).nic.retry(PIPE, 15, is_new=True)
    with pytest.raises(AssertionError, match="that nobody asked for"):
        flooded(TINY.pipe_operations + 1).nic.retry(PIPE, 99, is_new=True)
    it = flooded(TINY.pipe_operations + 2)
    it.nic.retry(PIPE, TINY.pipe_operations + 1, is_new=True)
    for number in range(TINY.pipe_operations + 1):
        it.commit("head_check", tag=number)
    assert "checks of pipes [3]" in it.nic.waiting()
    it.commit("retry")
    it.nic.finish()


def test_register_reads_see_earlier_writes_and_packets() -> None:
    it = Play()
    it.packet(udp(80, 300), notify=True)
    it.notification(0)
    for address, value in (
        (registers.pipe_register(PIPE, 0), 5),
        (registers.pipe_register(PIPE, 8), PIPE_RING | BUFFER),
        (registers.pipe_register(PIPE, 16), 0),
        (registers.notification_buffer_register(BUFFER, 0), 1),
        (registers.notification_buffer_register(BUFFER, 24), TX_RING),
        (registers.extension_register("rx_frames"), 1),
        (registers.extension_register("tx_frames"), 0),
        (registers.pipe_register(TINY.pipes, 8), 0),
    ):
        for answer in (value + 1, value):
            it.nic.mmio_read(address, 7)
            page = min(address // registers.PAGE_BYTES, registers.FIRST_EXTENSION_PAGE)
            it.commit("register_read", page=page, tag=7)
            if answer == value:
                it.nic.mmio_answer(7, answer)
                continue
            with pytest.raises(AssertionError, match="cannot have been"):
                it.nic.mmio_answer(7, answer)


def test_an_answer_may_not_overtake_data() -> None:
    it = Play()
    it.nic.frame_begins(udp(80), bad=False, is_open=True)
    it.nic.admission(Admission("none"))
    it.commit(flits=1, notify=True)
    it.nic.mmio_read(registers.pipe_register(PIPE, 8), 7)
    it.commit("register_read", tag=7)
    with pytest.raises(AssertionError, match="due is DataLine"):
        it.nic.mmio_answer(7, PIPE_RING | BUFFER)


def test_frames_may_be_lost_at_the_door_only_for_reasons() -> None:
    for cause in ("packet_buffer_full", "in_reset", "not_ip"):
        it = Play()
        it.nic.frame_begins(udp(80), bad=False, is_open=True)
        with pytest.raises(AssertionError):
            it.nic.admission(Admission(cause))
    it = Play()
    it.nic.frame_begins(udp(80), bad=False, is_open=False)
    it.nic.admission(Admission("in_reset"))
    for _ in range(5):
        it.nic.frame_begins(udp(80, 1500), bad=False, is_open=True)
        it.nic.admission(Admission("none"))
    it.nic.frame_begins(udp(80), bad=False, is_open=True)
    it.nic.admission(Admission("packet_buffer_full"))


def test_a_rule_counts_from_its_completion_on() -> None:
    it = Play()
    body = bytes.fromhex("5000 0000") + DESTINATION.to_bytes(4, "little") + bytes(8) + (5).to_bytes(4, "little")
    request = (2).to_bytes(8, "little") + (1).to_bytes(8, "little") + body
    it.nic.frame_begins(udp(80), bad=False, is_open=True)
    it.nic.admission(Admission("none"))
    it.publish([request.ljust(64, b"\0")])
    it.nic.host_write(TX_RING, completion(1, 0x50))
    it.nic.frame_begins(udp(80), bad=False, is_open=True)
    it.nic.admission(Admission("none"))
    it.commit(flits=1, notify=True)  # it came before: either pipe is right
    with pytest.raises(AssertionError, match="accepted is one of"):
        it.commit(flits=1)


# --- TX ---------------------------------------------------------------------------------------------------------------


def test_requests_complete_in_order_over_the_end_of_the_ring() -> None:
    last = TINY.notification_slots - 1
    it = Play(slot=last)
    frame = udp(9, 100)
    it.nic.mmio_write(registers.notification_buffer_register(BUFFER, registers.TX_TAIL), 1, 0x0F)
    it.nic.host_read(TX_RING + 64 * last, 1, 128)
    it.nic.host_read(TX_RING, 1, 129)
    it.nic.host_read_answer(129, slot(1, 0x2_0000_0001, 9), last=True)
    it.nic.host_read_answer(128, slot(1, 0x2_0000_0000, 100), last=True)
    it.nic.host_read(0x2_0000_0000, 2, 0)
    it.nic.host_read_answer(0, frame[:64], last=False)
    with pytest.raises(AssertionError, match="before its data was read"):
        it.nic.host_write(TX_RING + 64 * last, completion(0x2_0000_0000, 100))

    it = Play(slot=last)
    it.publish([slot(1, 0x2_0000_0000, 100)], last)
    it.nic.host_read(0x2_0000_0000, 2, 0)
    it.nic.host_read_answer(0, frame[:64], last=False)
    it.nic.host_read_answer(0, frame[64:].ljust(64, b"\xff"), last=True)
    it.publish([slot(1, 0x2_0000_0001, 9), slot(2, 99, 3)], 0, 129)
    it.nic.host_write(TX_RING + 64 * last, completion(0x2_0000_0000, 100))
    it.nic.frame_out(frame)
    it.nic.host_write(TX_RING, completion(0x2_0000_0001, 9, 1))
    assert it.nic.waiting() == "1 completions"
    it.nic.host_write(TX_RING + 64, completion(99, 3, 3))
    it.nic.finish()


def test_wrong_fetches_reads_and_frames_are_found() -> None:
    it = Play()
    with pytest.raises(AssertionError, match="nobody published"):
        it.nic.host_read(TX_RING, 1, 128)
    with pytest.raises(AssertionError, match="no enabled ring"):
        it.nic.host_read(TX_RING + 64 * 3, 1, 129)
    for address, flits in ((0x2_0000_0000, 3), (0x2_0000_0080, 1)):
        it = Play()
        it.publish([slot(1, 0x2_0000_0000, 100)])
        with pytest.raises(AssertionError, match="no request asks for"):
            it.nic.host_read(address, flits, 0)
    with pytest.raises(AssertionError, match="nothing caused"):
        it.nic.frame_out(udp(9))
    assert "data of 1 requests" in it.nic.waiting()


def cut(*requests: tuple[int, bytes], maximum_frame: int = 1514) -> tuple[list[bytes], int]:
    """(frames, errors) of requests (buffer, data)."""
    packetiser = Packetiser(maximum_frame)
    for buffer, data in requests:
        lines = [data[start : start + 64] for start in range(0, len(data), 64)]
        packetiser.data(Request(0, buffer, length=len(data), flits=len(lines)), lines)
    return list(packetiser.frames), packetiser.errors


def whole(frame: bytes) -> bytes:
    return frame.ljust(-(-len(frame) // 64) * 64, b"\xee")


def test_frames_are_cut_at_their_ip_length_and_padded() -> None:
    assert cut((0, whole(udp(1, 100)) + udp(2, 50))) == ([udp(1, 100), udp(2, 50).ljust(60, b"\0")], 0)
    assert cut((0, b"\x11" * 70), (0, b"\x22")) == ([b"\x11" * 70, b"\x22".ljust(60, b"\0")], 0)


def test_a_frame_goes_on_in_the_next_request_of_its_buffer() -> None:
    frame = udp(1, 300)
    assert cut((0, frame[:128]), (0, frame[128:192]), (0, frame[192:])) == ([frame], 0)
    assert cut((0, frame[:128]), (1, udp(2)), (0, frame[128:])) == ([udp(2), frame], 0)
    assert cut((0, frame[:129]), (0, udp(2))) == ([udp(2)], 1)


def test_what_cannot_be_sent_takes_the_rest_of_its_request_along() -> None:
    for bad in (ipv4(bytes(40), total=19), ipv4(bytes(40), total=1501), bytes(1515)):
        assert cut((0, whole(udp(1)) + whole(bad) + udp(1)), (0, udp(2))) == ([udp(1), udp(2)], 1)
