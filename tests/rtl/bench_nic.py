"""The rules of the NIC, one by one. The golden model judges all; each test says what must have happened at all."""

import dataclasses
from typing import Any

import cocotb

from enso_nic import registers
from enso_nic.config import FLIT_BYTES, TINY
from tests.rtl.contract import covers
from tests.rtl.golden import GoldenNic
from tests.rtl.golden.steering import Key
from tests.rtl.host_model import BASE
from tests.rtl.nic_bench import BOTH, HIGH, IDEAL, LOW, Conditions, NicBench, start_clock
from tests.rtl.nic_frames import DESTINATION, MACS, ipv4, udp
from tests.rtl.nic_software import Software, config_slot, data_slot, flow_slot, rate_limit_slot, timestamp_slot

CONFIG = dataclasses.replace(TINY, commit_taps=True)
PORT = 1000
"""UDP port PORT + p leads to pipe p."""
RING = CONFIG.pipe_flits
SLOTS = CONFIG.notification_slots


def key_of(port: int) -> Key:
    return Key(destination_port=port, destination_address=DESTINATION)


class OpenNic:
    """A NIC after reset, with notification buffer 0 open, and pipes 1 and 2 that belong to it and have a flow each."""

    def __init__(self, dut: Any, conditions: Conditions) -> None:
        start_clock(dut)
        self.dut = dut
        self.bench = NicBench(dut, CONFIG, conditions)
        self.software = Software(self.bench, CONFIG)

    async def begin(self, *, start: int = 0, slot: int = 0) -> None:
        await self.bench.reset()
        await self.bench.settle()
        self.software.open_buffer(0, start=slot, tx_start=slot)
        for pipe in (1, 2):
            self.software.open_pipe(pipe, 0, start=start)
            await self.software.publish(0, flow_slot(key_of(PORT + pipe), pipe))
        await self.bench.settle()

    @property
    def golden(self) -> GoldenNic:
        assert self.bench.golden is not None
        return self.bench.golden

    @property
    def counters(self) -> dict[str, int]:
        """Those of the model that are not 0."""
        return dict(+self.golden.counters)

    async def receive(self, *frames: bytes) -> None:
        """Frames come in, and all that they cause happens."""
        for frame in frames:
            self.bench.receive(frame)
        await self.bench.settle()

    async def counts(self, **expected: int) -> None:
        """The NIC's own counters, as far as they are named."""
        counters = await self.software.counters()
        assert {name: counters[name] for name in expected} == expected, f"counters {counters}"
        await self.bench.settle()


async def nic(dut: Any, conditions: Conditions = IDEAL, *, start: int = 0, slot: int = 0) -> OpenNic:
    it = OpenNic(dut, conditions)
    await it.begin(start=start, slot=slot)
    return it


# --- reset and registers ----------------------------------------------------------------------------------------------


@cocotb.test()
@covers("C-154", "C-158", "C-162")
async def after_reset_all_registers_read_0_and_the_extension_page_tells_what_it_is(dut: Any) -> None:
    it = OpenNic(dut, IDEAL)
    await it.bench.reset()
    for page in (0, 1, CONFIG.pipes - 1):
        for word in range(0, 64, 8):
            assert await it.bench.read(registers.pipe_register(page, word)) == 0
    for buffer in (0, CONFIG.notification_buffers - 1):
        for word in range(0, 64, 8):
            assert await it.bench.read(registers.notification_buffer_register(buffer, word)) == 0
    assert (await it.bench.read(registers.extension_register("magic"))).to_bytes(8, "little") == b"HermNIC\0"
    assert await it.bench.read(registers.extension_register("version")) == registers.EXTENSION_VERSION
    sizes = ("pipes", "notification_buffers", "maximum_frame", "packet_buffer_flits", "pipe_ring_flits")
    told = {name: await it.bench.read(registers.extension_register(name)) for name in sizes}
    assert told == {name: getattr(CONFIG, name.replace("_ring", "")) for name in sizes}
    assert await it.bench.read(registers.extension_register("capabilities")) == 0xFF


@cocotb.test()
@covers("C-004", "C-009")
async def registers_read_back_and_repeat_every_64_bytes(dut: Any) -> None:
    it = OpenNic(dut, IDEAL)
    await it.bench.reset()
    for base in (registers.pipe_register(3, 0), registers.notification_buffer_register(2, 0)):
        words = 2 if base < registers.notification_buffer_register(0, 0) else 4
        for word in range(words):
            it.bench.write(base + 8 * word + 64 * 5, 0x1111_0000 + word)
            it.bench.write(base + 8 * word + 4 + 64 * 62, 0x2222_0000 + word)
        for word in range(words):
            assert await it.bench.read(base + 64 * 7 + 8 * word) == (0x2222_0000 + word) << 32 | 0x1111_0000 + word


@cocotb.test()
@covers("C-007", "C-008", "C-010")
async def a_register_is_written_only_with_all_of_its_byte_enables(dut: Any) -> None:
    it = OpenNic(dut, IDEAL)
    await it.bench.reset()
    value = 0x8877_6655_4433_2211
    for base in (registers.pipe_register(3, 0), registers.notification_buffer_register(2, 0)):
        for word in range(2 if base < registers.notification_buffer_register(0, 0) else 4):
            address = base + 8 * word
            for enables in (0x00, 0x07, 0x0E, 0x70, 0xE0, 0x7E, 0x77):
                it.bench.write(address, value, enables)
                assert await it.bench.read(address) == 0
            it.bench.write(address, value, 0x7F)
            assert await it.bench.read(address) == value & 0xFFFFFFFF
            it.bench.write(address, 0, LOW)
            it.bench.write(address, value, 0xF7)
            assert await it.bench.read(address) == value >> 32 << 32
            it.bench.write(address, value, BOTH)
            assert await it.bench.read(address) == value
            it.bench.write(address, 0, BOTH)


@cocotb.test()
@covers("C-005")
async def pages_that_nobody_owns_ignore_writes_and_read_0(dut: Any) -> None:
    it = OpenNic(dut, IDEAL)
    await it.bench.reset()
    last_page = (1 << 27) // registers.PAGE_BYTES - 1
    nobodys = (
        CONFIG.pipes,
        registers.FIRST_NOTIFICATION_BUFFER_PAGE - 1,
        registers.FIRST_NOTIFICATION_BUFFER_PAGE + CONFIG.notification_buffers,
        registers.FIRST_EXTENSION_PAGE - 1,
        registers.FIRST_EXTENSION_PAGE + 1,
        registers.FIRST_PIPE_MODE_PAGE - 1,
        registers.FIRST_PIPE_MODE_PAGE + 16,
        registers.FIRST_PIPE_DROPS_PAGE - 1,
        registers.FIRST_PIPE_DROPS_PAGE + 16,
        1 << 14,
        (1 << 14) + registers.FIRST_NOTIFICATION_BUFFER_PAGE,
        last_page,
    )
    it.bench.write(registers.pipe_register(0, 8), 0x1234_5678_9ABC_D000, BOTH)
    it.bench.write(registers.notification_buffer_register(0, 8), 0x1234_5678_9ABC_D000, BOTH)
    for page in nobodys:
        for word in range(4):
            address = page * registers.PAGE_BYTES + 8 * word
            it.bench.write(address, (1 << 64) - 1, BOTH)
            assert await it.bench.read(address) == 0
    await it.bench.settle()
    assert await it.bench.read(registers.pipe_register(0, 8)) == 0x1234_5678_9ABC_D000


@cocotb.test()
@covers("C-159")
async def what_the_extension_page_tells_and_counts_cannot_be_written_and_its_other_words_read_0(dut: Any) -> None:
    it = await nic(dut)
    await it.receive(udp(PORT + 1))
    before = {name: await it.bench.read(registers.extension_register(name)) for name in registers.EXTENSION_WORDS}
    for name, word in registers.EXTENSION_WORDS.items():
        if not word.writable:
            it.bench.write(registers.extension_register(name), (1 << 64) - 1, BOTH)
    for name in registers.EXTENSION_WORDS:
        assert await it.bench.read(registers.extension_register(name)) == before[name]
    await it.counts(rx_frames=1, rx_admitted=1, rx_packets=1, notifications=1)
    numbers = {word.number for word in registers.EXTENSION_WORDS.values()}
    for number in (min(set(range(512)) - numbers), max(numbers) + 1, 63, 64, 511):
        assert await it.bench.read(registers.extension_register("magic") + 8 * number) == 0


# --- RX ---------------------------------------------------------------------------------------------------------------


@cocotb.test()
@covers("C-031", "C-032", "C-033", "C-034", "C-035", "C-040")
async def what_enso_does_with_one_pipe(dut: Any) -> None:
    """The sequence of the reactive rule, as upstream's own simulation shows it."""
    it = await nic(dut)

    async def head(value: int) -> None:
        it.software.write_head(1, value)
        await it.bench.settle()

    sizes = []
    for step in (
        it.receive(udp(PORT + 1, 60)),  # data and notification
        it.receive(udp(PORT + 1, 100)),  # data only
        head(0),  # the same value: notification
        head(0),  # again: notification
        head(3),  # nothing
        it.receive(udp(PORT + 1, 60)),  # data and notification
    ):
        await step
        sizes.append(it.golden.counters["notifications"])
    assert sizes == [1, 1, 2, 3, 3, 4]
    for number in range(RING // 20 + 1):
        await it.receive(udp(PORT + 1, 20 * FLIT_BYTES, number))
    assert it.counters["pipe_full"] >= 1
    await head(3)
    assert it.golden.counters["notifications"] == 5


@cocotb.test()
@covers("C-021", "C-022", "C-024", "C-047")
async def frames_come_to_their_pipes_whole_over_the_end_of_the_ring(dut: Any) -> None:
    it = await nic(dut, start=RING - 3, slot=SLOTS - 2)
    for number, size in enumerate((60, 64, 65, 500, 128, 1514)):
        await it.receive(udp(PORT + 1, size, number))
        it.software.write_head(1, it.golden.receive.pipes[1].tail)
    assert it.counters == {"rx_frames": 6, "rx_admitted": 6, "rx_packets": 6, "notifications": 6}
    assert it.golden.receive.pipes[1].tail < RING - 3


@cocotb.test()
@covers("C-023")
async def a_pipe_takes_all_but_one_of_its_flits(dut: Any) -> None:
    it = await nic(dut, start=5)
    await it.receive(*(udp(PORT + 1, 60, number) for number in range(RING)))
    assert it.counters["pipe_full"] == 1
    assert it.golden.receive.pipes[1].tail == 4
    it.software.write_head(1, 7)
    await it.receive(udp(PORT + 1, 3 * FLIT_BYTES), udp(PORT + 1, 2 * FLIT_BYTES), udp(PORT + 1, 60))
    assert it.counters["pipe_full"] == 3
    await it.counts(pipe_full=3, rx_frames=RING + 3)


@cocotb.test()
@covers("C-015", "C-017")
async def the_low_word_disables_and_the_high_word_enables(dut: Any) -> None:
    it = await nic(dut)
    address = it.software.pipes[1]
    word = registers.pipe_register(1, registers.RX_MEM_LOW)

    async def is_enabled() -> bool:
        before = it.golden.counters["pipe_disabled"]
        await it.receive(udp(PORT + 1))
        return it.golden.counters["pipe_disabled"] == before

    assert await is_enabled()
    for writes, enabled in (
        ([(address, LOW)], False),
        ([(address, HIGH)], True),
        ([(0, LOW), (0, HIGH)], False),
        ([(address, HIGH)], True),  # an address of 0 but for its high word
        ([(address, BOTH)], True),
        ([(0, BOTH)], False),
        ([(3, BOTH)], True),  # nothing but a notification buffer: enabled, at address 0
        ([(address, 0x70)], True),
        ([(address, 0x07)], True),
        ([(address, BOTH)], True),
    ):
        for value, enables in writes:
            it.bench.write(word, value, enables)
        await it.bench.read(word)
        it.software.write_head(1, it.golden.receive.pipes[1].tail)
        assert await is_enabled() == enabled, f"after {writes}"
    await it.counts(pipe_disabled=it.golden.counters["pipe_disabled"])


@cocotb.test()
@covers("C-027", "C-028")
async def a_drop_leaves_the_pipe_as_it_was(dut: Any) -> None:
    """An unarmed pipe that drops stays unarmed: its next packet notifies."""
    it = await nic(dut)
    it.software.close_pipe(1)
    await it.receive(udp(PORT + 1), udp(PORT + 1, 1000))
    it.software.open_pipe(1, 0)
    await it.receive(udp(PORT + 1, 1000))
    expected = {"rx_frames": 3, "rx_admitted": 3, "rx_packets": 1, "pipe_disabled": 2, "notifications": 1}
    assert it.counters == expected


@cocotb.test()
@covers("C-036")
async def a_head_write_to_a_closed_pipe_disarms_it(dut: Any) -> None:
    it = await nic(dut)
    await it.receive(udp(PORT + 1))
    it.software.close_pipe(1)
    it.software.write_head(1, 0)
    await it.bench.settle()
    assert it.counters["notifications"] == 1
    it.bench.write(registers.pipe_register(1, registers.RX_MEM_LOW), it.software.pipes[1], BOTH)
    await it.receive(udp(PORT + 1))
    assert it.counters["notifications"] == 2


@cocotb.test()
@covers("C-050", "C-051", "C-052", "C-053")
async def notifications_to_a_full_ring_are_owed_once_per_pipe_until_there_is_room(dut: Any) -> None:
    it = await nic(dut, slot=SLOTS - 3)
    for _ in range(SLOTS - 1):
        it.software.write_head(2, 1)  # an empty-looking pipe that holds RING - 1 flits
    await it.bench.settle()
    assert it.counters == {"notifications": SLOTS - 1}
    for _ in range(3):
        it.software.write_head(2, 1)
    await it.receive(udp(PORT + 1))
    assert it.counters["notifications"] == SLOTS - 1
    assert it.counters["owed_notifications"] == 4
    # room for one of the two pipes: the one that has waited longer
    it.software.write_notification_head(0, SLOTS - 3 + 1)
    await it.bench.settle()
    assert it.counters["notifications"] == SLOTS
    assert it.counters["owed_notifications"] == 5
    it.software.write_notification_head(0, SLOTS - 3 + 2)
    await it.bench.settle()
    await it.counts(notifications=SLOTS + 1, owed_notifications=5, lost_notifications=0)


@cocotb.test()
@covers("C-055")
async def notifications_to_a_closed_ring_are_lost_and_counted(dut: Any) -> None:
    it = await nic(dut)
    it.bench.write(registers.notification_buffer_register(0, registers.RX_MEM_LOW), 0)
    it.software.write_notification_head(0, 0)
    await it.receive(udp(PORT + 1))
    assert it.counters["lost_notifications"] == 1
    assert it.golden.receive.pipes[1].armed, "a lost notification leaves its pipe armed"
    await it.counts(lost_notifications=1)


@cocotb.test()
@covers("C-042")
async def a_flood_of_head_writes_is_merged_and_each_pipe_is_checked_after_its_last(dut: Any) -> None:
    it = await nic(dut)
    await it.receive(udp(PORT + 1), udp(PORT + 2))
    before = it.counters["notifications"]
    it.bench.hold("to_host", cycles=2000)
    for position in range(12 * CONFIG.pipe_operations):
        it.software.write_head(1 + position % 4, 0)
    await it.bench.settle()
    assert before + 2 <= it.counters["notifications"] < before + 6 * CONFIG.pipe_operations


@cocotb.test()
@covers("C-055")
async def pipes_of_a_buffer_that_does_not_exist_lose_their_notifications(dut: Any) -> None:
    it = await nic(dut)
    it.software.open_pipe(1, CONFIG.notification_buffers)
    it.software.open_pipe(2, 1023)
    await it.bench.settle()
    await it.receive(udp(PORT + 1), udp(PORT + 2))
    assert it.counters == {"rx_frames": 2, "rx_admitted": 2, "rx_packets": 2, "lost_notifications": 2}


@cocotb.test()
@covers("C-012", "C-013")
async def an_answer_leaves_behind_all_that_was_decided_before(dut: Any) -> None:
    """rx_mem that reads 0 means that no write of that pipe is still coming."""
    it = await nic(dut)
    it.bench.hold("to_host")
    for number in range(8):
        it.bench.receive(udp(PORT + 1, 400, number))
    await it.bench.cycles(40)
    it.software.close_pipe(1)
    tag = it.bench.post_read(registers.pipe_register(1, registers.RX_MEM_LOW))
    await it.bench.cycles(60)
    it.bench.release()
    await it.bench.settle()
    assert it.bench.take_answer(tag) == 0
    assert it.counters["rx_frames"] == 8


# --- the door ---------------------------------------------------------------------------------------------------------


@cocotb.test()
@covers("C-056", "C-058", "C-059", "C-061", "C-062", "C-161")
async def frames_are_dropped_for_one_cause_each(dut: Any) -> None:
    it = await nic(dut)
    good = udp(PORT + 1, 300)
    ipv6 = MACS[:12] + b"\x86\xdd" + bytes(60)
    version = good[:14] + b"\x65" + good[15:]
    causes = {
        "not_ip": [ipv6, version, good[:14], good[:1], bytes(60)],
        "bad_ip_length": [
            good[:14] + b"\x44" + good[15:],  # header of 16 bytes
            ipv4(b"", total=19),
            ipv4(bytes(40), options=3, total=31),
            ipv4(bytes(26), total=47),
            good[:-1],
            good[:15],  # the total length lies beyond the end, and reads as 0
        ],
        "too_long": [udp(PORT + 1, 1515), udp(PORT + 1) + bytes(1500), ipv6 + bytes(9000), udp(PORT + 1, 20_000)],
    }
    for cause, frames in causes.items():
        for frame in frames:
            await it.receive(frame)
        assert it.golden.counters[cause] == len(frames)
    for frame in (good, good[:14], udp(PORT + 1, 2000), good[:-1]):
        it.bench.receive(frame, bad=True)
    await it.receive(good, udp(PORT + 1, 1514))
    counts = {cause: len(frames) for cause, frames in causes.items()}
    total = sum(counts.values()) + 6
    admitted = counts["not_ip"] + counts["bad_ip_length"] + 2
    await it.counts(
        **counts, bad_frame=4, rx_frames=total, rx_admitted=admitted, rx_packets=2, packet_buffer_full=0
    )


@cocotb.test()
@covers("C-021", "C-025", "C-026")
async def a_frame_is_trimmed_to_its_ip_length_and_filled_with_zeros(dut: Any) -> None:
    it = await nic(dut)
    for size, trailer in ((46, 14), (60, 4), (64, 1), (64, 500), (65, 63), (1000, 514)):
        frame = udp(PORT + 1, size, size) + b"\xff" * trailer
        start = it.golden.receive.pipes[1].tail
        await it.receive(frame)
        kept = it.bench.host.load(it.software.pipes[1] + FLIT_BYTES * start, -(-size // FLIT_BYTES) * FLIT_BYTES)
        assert kept == frame[:size].ljust(len(kept), b"\0")
        it.software.write_head(1, it.golden.receive.pipes[1].tail)
        if it.golden.receive.pipes[1].tail > RING // 2:
            it.software.open_pipe(1, 0)


@cocotb.test()
@covers("C-065")
async def frames_that_come_during_reset_are_counted(dut: Any) -> None:
    it = await nic(dut)
    await it.bench.reset()
    for _ in range(4):
        it.bench.receive(udp(PORT + 1, 60))
    await it.bench.settle()
    await it.counts(in_reset=4, rx_frames=4, rx_admitted=0)


@cocotb.test()
@covers("C-065")
async def a_frame_that_a_reset_cuts_is_dropped_as_in_reset(dut: Any) -> None:
    for pin in ("rst", "host__reset"):
        it = await nic(dut)
        it.bench.receive(udp(PORT + 1, 1500))
        await it.bench.cycles(5)
        await it.bench.reset(pin)
        await it.bench.settle()
        await it.counts(in_reset=1, rx_frames=1)


@cocotb.test()
@covers("C-063")
async def a_full_packet_buffer_drops_whole_frames_and_recovers(dut: Any) -> None:
    it = await nic(dut)
    it.bench.hold("to_host")
    for number in range(30):
        it.bench.receive(udp(PORT + 1 + number % 2, 600, number))
    await it.bench.cycles(400)
    lost = it.golden.counters["packet_buffer_full"]
    assert lost > 10
    it.bench.release()
    await it.bench.settle()
    await it.receive(udp(PORT + 2, 60))
    assert it.golden.counters["packet_buffer_full"] == lost
    await it.counts(packet_buffer_full=lost, rx_frames=31)


# --- TX ---------------------------------------------------------------------------------------------------------------


@cocotb.test()
@covers("C-114", "C-116", "C-118", "C-129")
async def frames_are_cut_from_requests_padded_and_sent_in_order(dut: Any) -> None:
    it = await nic(dut, slot=SLOTS - 2)
    frames = [udp(5, size, size) for size in (42, 59, 60, 64, 65, 128, 1514, 700)]
    other = MACS[:12] + b"\x88\xb5" + bytes(range(100))
    await it.software.publish(0, data_slot(*it.software.place(*frames)))
    await it.software.publish(0, *(data_slot(*it.software.place(frame)) for frame in frames))
    await it.software.publish(0, data_slot(*it.software.place(other)), data_slot(*it.software.place(other[:20])))
    await it.bench.settle()
    padded = [frame.ljust(60, b"\0") for frame in frames]
    assert it.bench.sent == [*padded, *padded, other, other[:20].ljust(60, b"\0")]
    await it.counts(tx_frames=18, tx_error=0)


@cocotb.test()
@covers("C-120", "C-121", "C-122")
async def a_frame_goes_on_in_the_next_request_of_its_buffer(dut: Any) -> None:
    it = await nic(dut)
    it.software.open_buffer(1)
    frame = udp(5, 300)
    address, length = it.software.place(frame)
    first, rest = data_slot(address, 128), data_slot(address + 128, length - 128)
    await it.software.publish(0, first, timestamp_slot(enable=False, offset=0), rest)
    await it.bench.settle()
    assert it.bench.sent == [frame]
    await it.software.publish(0, first)
    await it.bench.settle()
    await it.software.publish(1, data_slot(*it.software.place(udp(6, 100))))
    await it.bench.settle()
    assert it.bench.sent == [frame, udp(6, 100)]
    await it.software.publish(0, rest)
    await it.bench.settle()
    assert it.bench.sent == [frame, udp(6, 100), frame]
    await it.counts(tx_frames=3, tx_error=0)


@cocotb.test()
@covers("C-124", "C-125")
async def an_unfinished_frame_that_holds_back_too_much_or_loses_its_buffer_is_dropped(dut: Any) -> None:
    it = await nic(dut)
    it.software.open_buffer(1)
    address, _ = it.software.place(udp(5, 1000))
    start = it.golden.transmit.rings[0].fetched
    for part in range(5):
        await it.software.publish(0, data_slot(address + 64 * part, 64))
        await it.software.publish(1, data_slot(*it.software.place(udp(6, 100))))
    await it.bench.settle()
    lines = [it.bench.host.load(it.software.slot_address(0, start + i, tx=True)) for i in range(5)]
    assert [line[24] for line in lines] == [6] * 5
    await it.software.publish(0, data_slot(address, 64))
    await it.bench.settle()
    it.bench.write(registers.notification_buffer_register(0, registers.TX_MEM_LOW), 0)
    await it.bench.settle()
    assert it.bench.host.load(it.software.slot_address(0, start + 5, tx=True))[0] == 1, "its ring is closed"
    assert it.bench.sent == [udp(6, 100)] * 5
    await it.counts(tx_frames=5, tx_error=2, lost_completions=1)


@cocotb.test()
@covers("C-029", "C-125")
async def nothing_is_written_to_a_tx_ring_that_reads_as_closed(dut: Any) -> None:
    """Whatever was under way; and what is published once it is open again is completed."""
    for delay in range(0, 120, 3):
        it = await nic(dut, Conditions(to_host=60, read_delay=40))
        memory = registers.notification_buffer_register(0, registers.TX_MEM_LOW)
        await it.software.publish(0, *(data_slot(*it.software.place(udp(5, 60, number))) for number in range(8)))
        await it.bench.cycles(delay)
        it.bench.write(memory, 0, BOTH)
        assert await it.bench.read(memory) == 0
        ring = it.bench.host.load(it.software.slot_address(0, 0, tx=True), FLIT_BYTES * SLOTS)
        await it.bench.settle()
        assert it.bench.host.load(it.software.slot_address(0, 0, tx=True), FLIT_BYTES * SLOTS) == ring
        it.software.open_buffer(0)
        await it.bench.settle()
        await it.software.publish(0, data_slot(*it.software.place(udp(5, 99))))
        await it.bench.settle()
        assert it.bench.sent[-1] == udp(5, 99)
        assert it.bench.host.load(it.software.slot_address(0, 0, tx=True))[:8] == bytes(8)


@cocotb.test()
@covers("C-115", "C-119")
async def framed_requests_send_any_frame_behind_its_header_line(dut: Any) -> None:
    it = await nic(dut)
    frames = [MACS[:12] + b"\x88\xb5" + bytes(range(size)) for size in (1, 50, 51, 200)] + [udp(5, 1514)]
    lines = [piece for frame in frames for piece in (len(frame).to_bytes(4, "little") + bytes(60), frame)]
    await it.software.publish(0, data_slot(*it.software.place(*lines), framed=True))
    await it.bench.settle()
    assert it.bench.sent == [frame.ljust(60, b"\0") for frame in frames]
    ipv6 = MACS[:12] + b"\x86\xdd\x60\0\0\0" + (100).to_bytes(2, "big") + bytes(134)
    await it.software.publish(0, data_slot(*it.software.place(ipv6, udp(5, 80))))
    await it.bench.settle()
    assert it.bench.sent[-2:] == [ipv6, udp(5, 80)]


@cocotb.test()
@covers("C-135", "C-140")
async def frames_carry_time_stamps_once_asked_to(dut: Any) -> None:
    it = await nic(dut)
    request = data_slot(*it.software.place(udp(5, 60), udp(5, 1000)))
    for slot in (timestamp_slot(enable=True, offset=18), timestamp_slot(enable=False, offset=0)):
        await it.software.publish(0, request, slot, request)
        await it.bench.settle()
    assert [frame[18:22] == udp(5, 60)[18:22] for frame in it.bench.sent[-2:]] == [True, True]
    assert any(frame[18:22] != udp(5, 60)[18:22] for frame in it.bench.sent)


@cocotb.test()
@covers("C-137")
async def frames_leave_no_faster_than_their_limit(dut: Any) -> None:
    it = await nic(dut)
    request = data_slot(*it.software.place(*(udp(5, 60, number) for number in range(64))))
    await it.software.publish(0, rate_limit_slot(enable=True, numerator=1, denominator=10))
    await it.bench.settle()
    begin = it.bench.now
    await it.software.publish(0, request)
    await it.bench.settle()
    assert len(it.bench.sent) == 64
    cycles = it.bench.now - begin
    assert 60 * 10 * 5 / 4 < cycles < 70 * 10 * 5 / 4, f"64 flits at one in ten ticks took {cycles} cycles"


@cocotb.test()
@covers("C-112", "C-167")
async def a_host_that_never_answers_costs_a_request_not_the_nic(dut: Any) -> None:
    it = await nic(dut)
    request = data_slot(*it.software.place(udp(5, 60)))
    start = it.golden.transmit.rings[0].fetched
    it.bench.hold("read_completion")
    await it.software.publish(0, request)
    await it.bench.cycles(CONFIG.read_timeout_cycles - 200)
    it.bench.lose_answers()
    await it.bench.cycles(400)
    it.bench.release()
    await it.bench.settle()
    assert it.bench.host.load(it.software.slot_address(0, start, tx=True)) == bytes(24) + b"\x02" + bytes(39)
    await it.software.publish(0, request, request)
    await it.bench.settle()
    assert it.bench.sent == [udp(5, 60)] * 2
    await it.counts(read_timeouts=1)


@cocotb.test()
@covers("C-113", "C-153")
async def a_reset_does_not_take_old_answers_for_new_ones(dut: Any) -> None:
    """Whether they come late or never."""
    it = await nic(dut)
    for pin in ("rst", "host__reset"):
        for answers in (True, False):
            it.bench.hold("read_completion")
            await it.software.publish(0, *[data_slot(*it.software.place(udp(6, 1500)))] * 6)
            await it.bench.cycles(100)
            await it.bench.reset(pin, answers=answers)
            it.software.open_buffer(0)
            it.bench.sent.clear()
            await it.software.publish(0, *[data_slot(*it.software.place(udp(5, 1500)))] * 6)
            await it.bench.cycles(100)
            it.bench.release()
            await it.bench.settle()
            assert it.bench.sent == [udp(5, 1500)] * 6


@cocotb.test()
@covers("C-102", "C-105", "C-107", "C-133")
async def wrong_requests_complete_with_their_codes_and_stop_nobody(dut: Any) -> None:
    it = await nic(dut)
    frame = udp(5, 300)
    address, length = it.software.place(frame)
    outside = BASE + len(it.bench.host.memory)
    poisoned, _ = it.software.place(bytes(1000))
    it.bench.host.poisoned.add(poisoned + 256)
    codes = {
        data_slot(address + 4, length): 1,
        data_slot(address, 0): 1,
        data_slot(outside, 100): 2,
        data_slot(poisoned, 1000): 2,
        config_slot(0): 3,
        config_slot(5): 3,
        config_slot(1 << 40 | 1): 3,
        timestamp_slot(enable=False, offset=0): 0,
        data_slot(address, length): 0,
    }
    start = it.golden.transmit.rings[0].fetched
    await it.software.publish(0, *codes)
    await it.bench.settle()
    lines = [it.bench.host.load(it.software.slot_address(0, start + i, tx=True)) for i in range(len(codes))]
    assert [int.from_bytes(line[24:32], "little") for line in lines] == list(codes.values())
    assert all(line[:8] == bytes(8) and line[32:] == bytes(32) for line in lines)
    assert it.bench.sent == [frame]
    await it.counts(tx_frames=1, tx_error=2)


@cocotb.test()
@covers("C-126", "C-127")
async def frames_that_cannot_be_sent_are_tx_errors(dut: Any) -> None:
    it = await nic(dut)
    good = udp(5, 200)
    other = MACS[:12] + b"\x88\xb5"
    bad = [
        ipv4(bytes(40), total=19),
        ipv4(bytes(40), total=1501),
        ipv4(bytes(40), total=100),  # ends inside a flit of its request
        other + bytes(1501),
    ]
    for frame in bad:
        await it.software.publish(0, data_slot(*it.software.place(good, frame)), data_slot(*it.software.place(good)))
        await it.bench.settle()
    assert it.bench.sent == [good] * 8
    await it.counts(tx_frames=8, tx_error=4)


@cocotb.test()
@covers("C-106")
async def a_slot_that_cannot_be_read_completes_with_an_error(dut: Any) -> None:
    it = await nic(dut)
    start = it.golden.transmit.rings[0].fetched
    it.bench.host.poisoned.add(it.software.slot_address(0, start, tx=True))
    await it.software.publish(0, timestamp_slot(enable=True, offset=0))
    await it.bench.settle()
    line = it.bench.host.memory[it.software.slot_address(0, start, tx=True) - BASE :][:FLIT_BYTES]
    assert bytes(line) == bytes(24) + (2).to_bytes(8, "little") + bytes(32)


@cocotb.test()
@covers("C-016", "C-094", "C-098")
async def tx_indices_survive_closing_and_a_closed_buffer_fetches_nothing(dut: Any) -> None:
    it = await nic(dut)
    word = registers.notification_buffer_register(0, registers.TX_TAIL)
    memory = registers.notification_buffer_register(0, registers.TX_MEM_LOW)
    address = await it.bench.read(memory)
    indices = await it.bench.read(word)
    assert indices == 2 << 32 | 2
    it.bench.write(memory, 0, BOTH)
    it.bench.write(word, 3, LOW)
    await it.bench.settle()
    assert await it.bench.read(word) == 2 << 32 | 3
    it.bench.host.store(it.software.slot_address(0, 2, tx=True), timestamp_slot(enable=False, offset=0))
    it.bench.write(memory, address, BOTH)
    await it.bench.settle()
    assert await it.bench.read(word) == 2 << 32 | 3
    it.bench.write(word, 3, LOW)
    await it.bench.settle()
    assert await it.bench.read(word) == 3 << 32 | 3


# --- the host port ----------------------------------------------------------------------------------------------------


@cocotb.test()
@covers("C-110", "C-142")
async def writes_and_reads_respect_what_the_host_negotiated(dut: Any) -> None:
    for flits in (2, 4, 8):
        it = await nic(dut, Conditions(max_payload=flits, max_read=flits), start=RING - 5)
        frames = [udp(PORT + 1, size, size) for size in (1514, 100, 600)]
        await it.software.publish(0, data_slot(*it.software.place(*frames)))
        await it.receive(*frames)
        assert it.bench.sent == frames


@cocotb.test()
@covers("C-148")
async def what_is_offered_does_not_wait_to_be_taken(dut: Any) -> None:
    it = await nic(dut)
    it.bench.hold("read_request")
    await it.software.publish(0, data_slot(*it.software.place(udp(6, 100))))
    await it.bench.cycles(50)
    assert it.bench.offers() == ["host__read_request"]
    it.bench.release()
    it.bench.hold("ethernet_tx", "to_host")
    it.bench.receive(udp(PORT + 1))
    await it.bench.cycles(100)
    assert it.bench.offers() == ["host__to_host", "ethernet_tx"]
    it.bench.release()
    await it.bench.settle()


@cocotb.test()
@covers("C-145", "C-146")
async def without_bus_master_nothing_moves_but_registers(dut: Any) -> None:
    it = await nic(dut)
    it.bench.set_host(bus_master=False)
    await it.bench.cycles(10)
    assert await it.bench.read(registers.pipe_register(1, registers.RX_MEM_LOW)) == it.software.pipes[1]
    reads, writes = it.bench.reads, it.bench.writes
    it.bench.receive(udp(PORT + 1, 500))
    await it.software.publish(0, data_slot(*it.software.place(udp(6, 100))))
    await it.bench.cycles(200)
    assert (it.bench.reads, it.bench.writes) == (reads, writes)
    it.bench.set_host(bus_master=True)
    await it.bench.settle()
    await it.counts(rx_admitted=1, tx_frames=1)


@cocotb.test()
@covers("C-128", "C-147", "C-149")
async def nothing_is_lost_while_everybody_stalls(dut: Any) -> None:
    slow = Conditions(
        to_host=30, read_request=30, read_completion=30, wire_out=30, wire_in=60, mmio=50, read_delay=50, shuffled=True
    )
    it = await nic(dut, slow, start=RING - 3, slot=SLOTS - 2)
    frames = [udp(PORT + 1 + number % 2, 60 + 70 * number, number) for number in range(12)]
    for frame in frames[:6]:
        it.bench.receive(frame)
    await it.software.publish(0, *(data_slot(*it.software.place(frame)) for frame in frames))
    await it.bench.settle()
    assert it.bench.sent == frames
    assert it.counters["rx_admitted"] == 6


@cocotb.test()
@covers("C-151")
async def a_quiescent_nic_stays_so_until_something_comes(dut: Any) -> None:
    it = await nic(dut)
    await it.receive(udp(PORT + 1))
    for _ in range(200):
        await it.bench.cycle()
        assert it.bench.is_quiescent
        assert dut.wake_at.value == (1 << 64) - 1
    await it.software.publish(0, data_slot(*it.software.place(udp(6, 100))))
    it.bench.hold("read_completion")
    await it.bench.cycles(100)
    assert it.bench.is_quiescent, "a wait for host reads is quiescent"
    it.bench.release()
    await it.bench.settle()
    assert it.bench.sent == [udp(6, 100)]
