"""Clauses of the contract that no other bench shows, judged by the golden model as in bench_nic."""

from typing import Any

import cocotb

from enso_nic import registers
from enso_nic.config import FLIT_BYTES
from tests.rtl.bench_nic_config import OK, codes
from tests.rtl.contract import covers
from tests.rtl.nic_bench import BOTH, HIGH, IDEAL, LOW, Conditions
from tests.rtl.nic_frames import ipv4, udp
from tests.rtl.nic_software import data_slot, fallback_slot, flow_slot
from tests.rtl.open_nic import CONFIG, PORT, RING, SLOTS, OpenNic, key_of, nic

LARGEST_REQUEST = 131_072
"""Bytes that upstream's library sends with one request."""
RX_REGISTERS = (registers.RX_MEM_LOW, registers.RX_MEM_HIGH, registers.RX_TAIL, registers.RX_HEAD)


# --- registers --------------------------------------------------------------------------------------------------------


@cocotb.test()
@covers("C-001", "C-002")
async def registers_are_where_upstreams_software_looks_for_them(dut: Any) -> None:
    """Addresses by number, so that a change of the register map shows."""
    it = OpenNic(dut, IDEAL)
    await it.bench.reset()
    for page in (0x0000_0000, 0x0000_3000, 0x0000_F000, 0x0200_0000, 0x0200_3000):
        for word in range(4 if page >= 0x0200_0000 else 2):
            it.bench.write(page + 8 * word, 0x1000 + word)
            it.bench.write(page + 8 * word + 4, 0x2000 + word)
    await it.bench.settle()
    pipe, ring, transmit = it.golden.receive.pipes[3], it.golden.to_host.rings[3], it.golden.transmit.rings[3]
    for owner in (pipe, ring):
        assert (owner.tail, owner.head.latest) == (0x1000, 0x2000)
        assert owner.memory.latest.value == 0x2001_0000_1001
    assert (transmit.tail, transmit.memory.latest.value) == (0x1002, 0x2003_0000_1003)
    for page in (0x0000_0000, 0x0000_3000, 0x0000_F000, 0x0200_0000, 0x0200_3000):
        assert await it.bench.read(page) == 0x2000_0000_1000
        assert await it.bench.read(page + 8) == 0x2001_0000_1001
    assert await it.bench.read(0x0240_0000) == registers.EXTENSION_MAGIC


@cocotb.test()
@covers("C-011")
async def many_reads_may_be_under_way(dut: Any) -> None:
    it = await nic(dut)
    it.bench.hold("to_host", cycles=300)
    pages = [
        registers.pipe_register(1, 8),
        registers.notification_buffer_register(0, 24),
        registers.pipe_register(2, 8),
    ]
    tags = [it.bench.post_read(pages[number % 3]) for number in range(60)]
    await it.bench.settle()
    answers = [it.bench.take_answer(tag) for tag in tags]
    assert answers == answers[:3] * 20
    assert len(set(answers)) == 3


@cocotb.test()
@covers("C-014", "C-015", "C-016")
async def upstreams_library_opens_closes_and_opens_again(dut: Any) -> None:
    """Its accesses in its order, polls included; TX goes on from the index that the NIC holds."""
    it = await nic(dut)
    await it.software.publish(0, data_slot(*it.software.place(udp(9, 100))))
    await it.receive(udp(PORT + 1))
    buffer, pipe = registers.notification_buffer_register(0, 0), registers.pipe_register(1, 0)
    rings = it.software.slot_address(0, 0, tx=False)
    addresses = {pipe: it.software.pipes[1], buffer: rings, buffer + 16: rings + SLOTS * FLIT_BYTES}

    async def clear(base: int) -> None:
        for register in RX_REGISTERS:
            it.bench.write(base + register, 0)
            word = await it.bench.read(base + register // 8 * 8)
            assert word >> 32 * (register % 8 // 4) & 0xFFFFFFFF == 0

    for base in (pipe, buffer, buffer + 16):  # the teardown
        it.bench.write(base + registers.RX_MEM_LOW, 0)
        it.bench.write(base + registers.RX_MEM_HIGH, 0)
    await it.receive(udp(PORT + 1))
    assert it.counters["pipe_disabled"] == 1

    await clear(buffer)
    indices = await it.bench.read(buffer + registers.TX_TAIL)
    it.bench.write(buffer + registers.TX_HEAD, indices & 0xFFFFFFFF)
    for base in (buffer, buffer + 16):
        it.bench.write(base + registers.RX_MEM_LOW, addresses[base] & 0xFFFFFFFF)
        it.bench.write(base + registers.RX_MEM_HIGH, addresses[base] >> 32)
    await clear(pipe)
    it.bench.write(pipe + registers.RX_MEM_LOW, addresses[pipe] & 0xFFFFFFFF)
    it.bench.write(pipe + registers.RX_MEM_HIGH, addresses[pipe] >> 32)
    assert await codes(it, fallback_slot(0, 0)) == [OK]

    before = it.counters["notifications"]
    await it.receive(udp(PORT + 1, 200, 7), udp(PORT + 1, 60, 8))
    assert it.counters["notifications"] == before + 1
    assert it.bench.host.load(addresses[pipe], 200) == udp(PORT + 1, 200, 7)
    assert it.bench.host.load(rings) == b"".join(word.to_bytes(8, "little") for word in (1, 1, 4)).ljust(64, b"\0")
    assert it.bench.sent == [udp(9, 100)]


@cocotb.test()
@covers("C-037")
async def only_whole_writes_of_rx_head_check_a_pipe(dut: Any) -> None:
    it = await nic(dut)
    await it.receive(udp(PORT + 1))
    index, memory = registers.pipe_register(1, registers.RX_TAIL), registers.pipe_register(1, registers.RX_MEM_LOW)
    for enables in (0x00, LOW, 0x70, 0xE0, 0x7F):
        it.bench.write(index, 1, enables)
    it.bench.write(memory, it.software.pipes[1], BOTH)
    it.bench.write(memory, it.software.pipes[1], HIGH)
    await it.bench.settle()
    assert it.counters["notifications"] == 1
    it.bench.write(index, 1, BOTH)
    await it.bench.settle()
    assert it.counters["notifications"] == 2


@cocotb.test()
@covers("C-029")
async def indices_outside_of_the_ring_count_modulo_its_size(dut: Any) -> None:
    """The golden model holds every write against the ring."""
    it = await nic(dut)
    index = registers.pipe_register(1, registers.RX_TAIL)
    for tail, head in (
        (RING, 0xFFFFFFFF),
        (0xFFFFFFFF, 0x80000000),
        (RING - 1 | 1 << 20, RING - 2),
        (1 << 19, 1 << 31),
    ):
        it.bench.write(index, head << 32 | tail, BOTH)
        await it.bench.read(index)
        for number in range(8):
            it.bench.receive(udp(PORT + 1, 1514, number))
        await it.bench.settle()
        it.software.write_notification_head(0, it.golden.to_host.rings[0].tail)
    assert 0 < it.counters["pipe_full"] < 32
    # of notification buffers too
    it.bench.write(registers.notification_buffer_register(0, 0), 0xFFFF_FFFA_7FFF_FFFD, BOTH)
    for _ in range(2 * SLOTS):
        it.software.write_head(1, it.golden.receive.pipes[1].tail + 1)
    await it.receive(udp(PORT + 2))
    assert it.counters["owed_notifications"] > 0


# --- notifications ----------------------------------------------------------------------------------------------------


@cocotb.test()
@covers("C-020", "C-045", "C-046", "C-047")
async def a_notification_tells_the_tail_behind_its_packet_over_the_ends_of_both_rings(dut: Any) -> None:
    it = await nic(dut)
    it.software.open_buffer(3, start=SLOTS - 1)
    it.software.open_pipe(1, 3, start=RING - 2)
    await it.bench.settle()
    for number, size in enumerate((65, 600, 64)):
        await it.receive(udp(PORT + 1, size))
        it.software.write_head(1, it.golden.receive.pipes[1].tail)
        line = it.bench.host.load(it.software.slot_address(3, SLOTS - 1 + number, tx=False))
        assert line == b"".join(word.to_bytes(8, "little") for word in (1, 1, (0, 10, 11)[number])).ljust(64, b"\0")


@cocotb.test()
@covers("C-041")
async def head_writes_that_find_room_are_checked_one_by_one(dut: Any) -> None:
    it = await nic(dut)
    await it.receive(udp(PORT + 1))
    it.bench.hold("to_host", cycles=500)
    for _ in range(CONFIG.pipe_operations):
        it.software.write_head(1, 0)
    await it.bench.settle()
    assert it.counters["notifications"] + it.counters["owed_notifications"] == 1 + CONFIG.pipe_operations


@cocotb.test()
@covers("C-043", "C-054")
async def a_pipe_that_moves_while_it_is_owed_is_owed_by_its_new_buffer(dut: Any) -> None:
    """Both rings are full, and that of the old buffer stays so: it belongs to somebody who is gone."""
    it = await nic(dut)
    it.software.open_buffer(1)
    it.software.open_pipe(3, 1)
    await it.software.publish(0, flow_slot(key_of(PORT + 3), 3))
    await it.bench.settle()
    await it.receive(udp(PORT + 2), udp(PORT + 3))
    for pipe in (2, 3):
        for _ in range(SLOTS - 2):
            it.software.write_head(pipe, 0)
        await it.bench.settle()
    await it.receive(udp(PORT + 1))
    assert it.counters["owed_notifications"] == 1
    it.software.close_pipe(1)
    await it.bench.read(registers.pipe_register(1, registers.RX_MEM_LOW))
    it.software.open_pipe(1, 1)
    await it.bench.settle()
    await it.receive(udp(PORT + 1))
    assert it.counters["owed_notifications"] == 3, "once more, because the pipe is moved from one list to the other"
    before = it.counters["notifications"]
    it.software.write_notification_head(1, 2)
    await it.bench.settle()
    assert it.counters["notifications"] == before + 1


@cocotb.test()
@covers("C-051")
async def a_flood_of_checks_may_fill_a_ring_that_is_emptied_meanwhile(dut: Any) -> None:
    """Of notifications that are all alike some are owed, and later ones are written."""
    it = await nic(dut)
    it.software.write_head(1, 1)  # an empty-looking pipe that holds RING - 1 flits
    await it.bench.settle()
    for _ in range(SLOTS + 4):
        it.software.write_head(1, 1)
    it.software.write_notification_head(0, SLOTS - 1)
    for _ in range(4):
        it.software.write_head(1, 1)
    await it.bench.settle()
    assert it.counters["owed_notifications"] > 0


@cocotb.test()
@covers("C-101", "C-120")
async def the_largest_requests_of_upstreams_library_are_sent_whole(dut: Any) -> None:
    """Its frames lie wherever the cut falls."""
    it = await nic(dut)
    frames = [udp(9, 1514, number) for number in range(2 * LARGEST_REQUEST // 1536)]
    address, length = it.software.place(*frames)
    await it.software.publish(
        0, data_slot(address, LARGEST_REQUEST), data_slot(address + LARGEST_REQUEST, length - LARGEST_REQUEST)
    )
    await it.bench.settle()
    assert it.bench.sent == frames
    await it.counts(tx_frames=len(frames), tx_error=0)


@cocotb.test()
@covers("C-116", "C-121", "C-126")
async def what_one_buffer_sends_wrongly_does_not_touch_what_others_send(dut: Any) -> None:
    """No IP, no length, ends within a frame: at upstream's NIC each of these spoils all that follows."""
    it = await nic(dut)
    for buffer in (1, 2, 3):
        it.software.open_buffer(buffer)
    good = udp(9, 700)
    address, _ = it.software.place(good)
    for wrong in (
        data_slot(*it.software.place(b"\xee" * 200)),
        data_slot(address, 0),
        data_slot(address, 130),
        data_slot(address, 128),
        data_slot(*it.software.place(ipv4(bytes(40), total=0))),
    ):
        it.bench.sent.clear()
        await it.software.publish(1, wrong)
        for buffer in (2, 3):
            await it.software.publish(buffer, data_slot(address, 700))
        await it.bench.settle()
        assert [frame for frame in it.bench.sent if frame != b"\xee" * 200] == [good] * 2


@cocotb.test()
@covers("C-132")
async def any_buffer_may_configure(dut: Any) -> None:
    it = await nic(dut)
    for buffer in (1, CONFIG.notification_buffers - 1):
        it.software.open_buffer(buffer)
        await it.software.publish(buffer, flow_slot(key_of(PORT + 7 + buffer), 1))
        await it.bench.settle()
        await it.receive(udp(PORT + 7 + buffer))
        it.software.write_head(1, it.golden.receive.pipes[1].tail)
    await it.counts(no_flow=0, rx_admitted=2)


@cocotb.test()
@covers("C-140", "C-153", "C-154")
async def after_a_host_reset_the_nic_is_as_after_power_up(dut: Any) -> None:
    """Settings, rules, registers and counters are gone."""
    it = await nic(dut, Conditions(read_delay=20))
    await it.software.publish(0, fallback_slot(4, 3, round_robin=True), data_slot(*it.software.place(udp(9, 1000))))
    for number in range(5):
        it.bench.receive(udp(PORT + 1, 600, number))
    await it.bench.cycles(60)
    await it.bench.reset("host__reset")
    await it.bench.settle()
    for base in (registers.pipe_register(1, 0), registers.notification_buffer_register(0, 0)):
        for word in range(0, 64, 8):
            assert await it.bench.read(base + word) == 0
    it.software.open_buffer(0)
    it.software.open_pipe(1, 0)
    await it.bench.settle()
    before = (await it.software.counters())["rx_frames"]
    await it.receive(udp(PORT + 1), udp(PORT + 99))
    await it.counts(no_flow=2, rx_frames=before + 2, tx_frames=0)
