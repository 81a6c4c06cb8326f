"""The rules of TX and of the host port, one by one, judged by the golden model as in bench_nic."""

from typing import Any

import cocotb

from enso_nic import registers
from enso_nic.config import FLIT_BYTES
from tests.rtl.contract import covers
from tests.rtl.host_model import BASE
from tests.rtl.nic_bench import BOTH, LOW, Conditions
from tests.rtl.nic_frames import MACS, ipv4, udp
from tests.rtl.nic_software import config_slot, data_slot, rate_limit_slot, timestamp_slot
from tests.rtl.open_nic import CONFIG, PORT, RING, SLOTS, nic

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
