"""The rules of registers and RX, one by one. The golden model judges all; each test says what must happen at all."""

from typing import Any

import cocotb

from enso_nic import registers
from enso_nic.config import FLIT_BYTES
from tests.rtl.contract import covers
from tests.rtl.nic_bench import BOTH, HIGH, IDEAL, LOW
from tests.rtl.nic_frames import MACS, ipv4, udp
from tests.rtl.open_nic import CONFIG, PORT, RING, SLOTS, OpenNic, nic

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
    assert await it.bench.read(registers.extension_register("capabilities")) == 0x3FF


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
    await it.counts(**counts, bad_frame=4, rx_frames=total, rx_admitted=admitted, rx_packets=2, packet_buffer_full=0)


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
