"""The DMA guard in the whole NIC: two applications, and what one of them may have it do."""

from typing import Any

import cocotb

from enso_nic import registers
from enso_nic.config import FLIT_BYTES
from tests.rtl.contract import covers
from tests.rtl.host_model import BASE
from tests.rtl.nic_bench import BOTH
from tests.rtl.nic_frames import udp
from tests.rtl.nic_software import data_slot, fallback_slot, flow_slot, timestamp_slot
from tests.rtl.open_nic import CONFIG, PORT, OpenNic, key_of, nic

MINE, FOREIGN = 0, 1
"""Notification buffers: the first one owns pipes 1 and 2, the other one pipe 3."""
OK, FORBIDDEN = 0, 7
HALF = 1 << 19
"""Bytes of host memory that each has."""
FOREIGN_ADDRESS = BASE + HALF + 4096


async def guarded(dut: Any, *, may_configure: bool = False) -> OpenNic:
    """With the guard on, and all rings of the first application open in the lower half of memory."""
    it = await nic(dut)
    for buffer, pipes in ((MINE, (1, 2)), (FOREIGN, (3,))):
        first = BASE + HALF * buffer
        it.bench.write(registers.window_register(buffer), first | (may_configure or buffer == FOREIGN), BOTH)
        it.bench.write(registers.window_register(buffer) + 8, first + HALF, BOTH)
        for pipe in pipes:
            it.bench.write(registers.pipe_owner_register(pipe), buffer, BOTH)
    it.bench.write(registers.extension_register("guard"), 1, BOTH)
    await it.bench.settle()
    return it


async def told(it: OpenNic) -> tuple[int, int]:
    """Page and address of the last refusal."""
    page = await it.bench.read(registers.extension_register("refused_page"))
    return page, await it.bench.read(registers.extension_register("refused_address"))


@cocotb.test()
@covers("C-176", "C-179")
async def a_ring_in_foreign_memory_reads_0_and_gets_nothing(dut: Any) -> None:
    it = await guarded(dut)
    value = FOREIGN_ADDRESS | MINE
    register = registers.pipe_register(1, registers.RX_MEM_LOW)
    it.bench.write(register, value, BOTH)
    assert await it.bench.read(register) == 0
    await it.receive(udp(PORT + 1, 300))
    await it.counts(pipe_disabled=1, rx_packets=0, refused_rings=1)
    assert await told(it) == (1, value)
    assert not any(it.bench.host.load(FOREIGN_ADDRESS + FLIT_BYTES * line) != bytes(64) for line in range(8))


@cocotb.test()
@covers("C-177")
async def a_pipe_cannot_notify_a_foreign_buffer(dut: Any) -> None:
    it = await guarded(dut)
    register = registers.pipe_register(1, registers.RX_MEM_LOW)
    for half, register_offset in ((0, registers.RX_MEM_LOW), (32, registers.RX_MEM_HIGH)):
        value = (it.software.pipes[1] | FOREIGN) >> half & 0xFFFFFFFF
        it.bench.write(registers.pipe_register(1, register_offset), value)
    assert await it.bench.read(register) == 0
    await it.receive(udp(PORT + 1), udp(PORT + 2))
    await it.counts(pipe_disabled=1, rx_packets=1)


@cocotb.test()
@covers("C-178", "C-179")
async def foreign_data_is_not_sent(dut: Any) -> None:
    it = await guarded(dut)
    it.bench.host.store(FOREIGN_ADDRESS, udp(9, 100).ljust(128, b"\0"))
    reads, address = it.bench.reads, it.software.place(udp(9, 60))[0]
    await it.software.publish(MINE, data_slot(FOREIGN_ADDRESS, 100), data_slot(address, 60))
    await it.bench.settle()
    assert it.bench.sent == [udp(9, 60)]
    assert it.bench.reads == reads + 2, "the slots, and the data that may be sent"
    assert codes(it, 2, 3) == [FORBIDDEN, OK]
    await it.counts(refused_requests=1, tx_frames=1, tx_error=0)
    page = registers.FIRST_NOTIFICATION_BUFFER_PAGE + MINE
    assert await told(it) == (page, FOREIGN_ADDRESS)


def codes(it: OpenNic, *slots: int) -> list[int]:
    """Of the completions in these slots: two config requests stand before."""
    lines = [it.bench.host.load(it.software.slot_address(MINE, slot, tx=True)) for slot in slots]
    assert all(line[:8] == bytes(8) for line in lines)
    return [int.from_bytes(line[24:32], "little") for line in lines]


@cocotb.test()
@covers("C-178")
async def config_requests_need_leave(dut: Any) -> None:
    it = await guarded(dut)
    requests = [flow_slot(key_of(PORT + 2), 1), fallback_slot(4, 3), timestamp_slot(enable=True, offset=20)]
    await it.software.publish(MINE, *requests)
    await it.bench.settle()
    assert codes(it, 2, 3, 4) == [FORBIDDEN] * 3
    await it.receive(udp(PORT + 2), udp(PORT + 7))
    assert it.golden.receive.pipes[2].tail == 1, "the rule is still the old one"
    await it.counts(refused_requests=3, no_flow=1)


@cocotb.test()
@covers("C-180")
async def with_leave_and_inside_of_its_window_an_application_does_as_ever(dut: Any) -> None:
    it = await guarded(dut, may_configure=True)
    it.software.open_pipe(1, MINE)
    it.software.open_buffer(MINE)
    await it.software.publish(MINE, flow_slot(key_of(PORT + 5), 1), data_slot(*it.software.place(udp(9, 1000))))
    await it.bench.settle()
    await it.receive(udp(PORT + 5, 500), udp(PORT + 1, 500))
    await it.counts(refused_requests=0, refused_rings=0, rx_packets=2, tx_frames=1)


@cocotb.test()
@covers("C-176")
async def after_reset_the_guard_is_off_and_allows_nothing_once_it_is_on(dut: Any) -> None:
    it = await guarded(dut)
    await it.bench.reset()
    await it.bench.settle()
    assert await it.bench.read(registers.extension_register("guard")) == 0
    it.software.open_pipe(1, MINE)
    assert await it.bench.read(registers.pipe_register(1, registers.RX_MEM_LOW)) == it.software.pipes[1]
    it.bench.write(registers.extension_register("guard"), 1, BOTH)
    for pipe in range(CONFIG.pipes):
        it.software.open_pipe(pipe, MINE)
        assert await it.bench.read(registers.pipe_register(pipe, registers.RX_MEM_LOW)) == 0
    await it.counts(refused_rings=CONFIG.pipes)
