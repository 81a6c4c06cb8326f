"""What the NIC has beyond upstream, and software sets: header mode, ring sizes, modes, its own reset."""

from typing import Any

import cocotb

from enso_nic import registers
from enso_nic.config import FLIT_BYTES
from enso_nic.registers import Mode
from tests.rtl.contract import covers
from tests.rtl.golden.steering import Key, flits, header_line, steering_key
from tests.rtl.nic_bench import BOTH, LOW, Conditions
from tests.rtl.nic_frames import MACS, ipv4, tcp, udp
from tests.rtl.nic_software import data_slot, fallback_slot, flow_slot, timestamp_slot
from tests.rtl.open_nic import CONFIG, PORT, RING, SLOTS, key_of, nic

VLAN = MACS[:12] + b"\x81\x00\x00\x07\x08\x00" + bytes(range(70))
ARP = MACS[:12] + b"\x08\x06" + bytes(range(28))
IPV6 = MACS[:12] + b"\x86\xdd\x60\0\0\0" + (30).to_bytes(2, "big") + bytes(range(34 + 30))
ANYTHING = {
    "ARP, below the minimum": ARP,
    "a VLAN tag": VLAN,
    "IPv6 with a trailer": IPV6 + bytes(9),
    "a byte": b"\x55",
    "an IP length beyond the end": ipv4(bytes(20), total=100),
    "a trailer of flits": udp(PORT + 2, 60) + bytes(range(200)),
    "UDP": udp(PORT + 2, 65),
    "the longest": udp(PORT + 2, 1514),
}


@cocotb.test()
@covers("C-085", "C-086")
async def a_pipe_in_header_mode_takes_every_frame_whole_behind_a_line_that_tells_of_it(dut: Any) -> None:
    it = await nic(dut)
    it.software.set_header_mode(2)
    await it.software.publish(0, flow_slot(Key(), 2))
    await it.bench.settle()
    for frame in ANYTHING.values():
        start = it.golden.receive.pipes[2].tail
        await it.receive(frame)
        header, *kept = (it.bench.host.load(it.software.pipes[2] + FLIT_BYTES * (start + i)) for i in range(26))
        assert b"".join(kept)[: len(frame)] == frame
        assert int.from_bytes(header[:4], "little") == len(frame)
        arrival = int.from_bytes(header[8:16], "little")
        assert 0 < it.bench.now * 4 // 5 - arrival < 400
        assert header == header_line(frame, steering_key(frame), arrival=arrival, drops=0)
        it.software.open_pipe(2, 0)
        await it.bench.settle()
    await it.counts(rx_frames=len(ANYTHING), rx_packets=len(ANYTHING), not_ip=0, bad_ip_length=0)


@cocotb.test()
@covers("C-088")
async def what_came_with_headers_is_sent_back_from_where_it_lies(dut: Any) -> None:
    it = await nic(dut)
    it.software.set_header_mode(2)
    await it.software.publish(0, flow_slot(Key(), 2))
    await it.bench.settle()
    frames = [ANYTHING[name] for name in ("ARP, below the minimum", "a VLAN tag", "IPv6 with a trailer", "UDP")]
    await it.receive(*frames)
    length = FLIT_BYTES * sum(1 + len(flits(frame)) for frame in frames)
    await it.software.publish(0, data_slot(it.software.pipes[2], length, framed=True))
    await it.bench.settle()
    assert it.bench.sent == [frame.ljust(60, b"\0") for frame in frames]


@cocotb.test()
@covers("C-057", "C-084")
async def frames_without_a_key_go_by_a_rule_for_zeros_or_to_the_fallback_or_are_refused(dut: Any) -> None:
    it = await nic(dut)
    await it.receive(ARP, VLAN)
    await it.counts(not_ip=2, no_flow=0, pipe_disabled=0)
    await it.software.publish(0, fallback_slot(4, 3))
    await it.bench.settle()
    await it.receive(ARP)
    assert it.golden.counters["not_ip"] == 3
    fallback = it.golden.receive.steerings[-1].pipe(Key(), 0)
    assert fallback is not None
    it.software.set_header_mode(fallback)
    await it.receive(ARP)
    await it.counts(not_ip=3, pipe_disabled=1)
    it.software.open_pipe(fallback, 0)
    await it.receive(ARP)
    await it.counts(not_ip=3, pipe_disabled=1, rx_packets=1)


@cocotb.test()
@covers("C-087", "C-169")
async def the_mode_of_a_pipe_reads_back_and_applies_to_what_comes_later(dut: Any) -> None:
    it = await nic(dut)
    address = registers.pipe_mode_register(1)
    for value, enables, mode in ((3, BOTH, 1), (0, 0x0E, 1), (2, LOW, 0), (1, 0x7F, 1), (1 << 32, 0xF0, 1)):
        it.bench.write(address, value, enables)
        assert await it.bench.read(address) == mode
    await it.receive(udp(PORT + 1), udp(PORT + 2))
    it.software.set_header_mode(1, on=False)
    await it.receive(udp(PORT + 1))
    assert [it.golden.receive.pipes[pipe].tail for pipe in (1, 2)] == [3, 1]
    for pipe in (CONFIG.pipes, 8191):
        it.bench.write(registers.pipe_mode_register(pipe), 1)
        assert await it.bench.read(registers.pipe_mode_register(pipe)) == 0


@cocotb.test()
@covers("C-085", "C-166")
async def drops_are_counted_for_each_pipe_and_told_in_headers(dut: Any) -> None:
    it = await nic(dut)
    it.software.set_header_mode(1)
    await it.receive(*[udp(PORT + 1, 1514)] * 4, udp(PORT + 3), ARP)
    assert await it.bench.read(registers.pipe_drops_register(1)) == 2
    assert await it.bench.read(registers.pipe_drops_register(2)) == 0
    tail = it.golden.receive.pipes[1].tail
    it.software.write_head(1, tail)
    it.software.close_pipe(2)
    await it.receive(udp(PORT + 1), udp(PORT + 2))
    assert it.bench.host.load(it.software.pipes[1] + FLIT_BYTES * tail)[16:20] == bytes([2, 0, 0, 0])
    assert await it.bench.read(registers.pipe_drops_register(2)) == 1
    it.bench.write(registers.pipe_drops_register(2), 0, BOTH)
    assert await it.bench.read(registers.pipe_drops_register(2)) == 1, "it cannot be written"
    assert await it.bench.read(registers.pipe_drops_register(CONFIG.pipes)) == 0
    await it.bench.settle()


@cocotb.test()
@covers("C-089")
async def pipes_take_ipv6_if_the_nic_is_set_to(dut: Any) -> None:
    it = await nic(dut)
    await it.software.publish(0, flow_slot(Key(), 2))
    await it.bench.settle()
    beyond = IPV6[:18] + (31).to_bytes(2, "big") + IPV6[20:]
    await it.receive(IPV6)
    it.software.set_modes(Mode.ACCEPT_IPV6)
    await it.receive(IPV6 + bytes(100), beyond, IPV6[:40], ARP)
    await it.counts(not_ip=2, bad_ip_length=2, rx_packets=1)
    kept = it.bench.host.load(it.software.pipes[2], 2 * FLIT_BYTES)
    assert kept == IPV6.ljust(len(kept), b"\0"), "trimmed to its payload length"


@cocotb.test()
@covers("C-181")
async def in_full_tuples_connections_to_one_port_go_apart(dut: Any) -> None:
    it = await nic(dut)
    first, second = (udp(PORT + 3, source_port=source) for source in (5000, 5001))
    it.software.set_modes(Mode.FULL_TUPLE)
    assert await it.bench.read(registers.extension_register("modes")) == Mode.FULL_TUPLE
    for pipe, frame in ((1, first), (2, second)):
        await it.software.publish(0, flow_slot(steering_key(frame, full_tuple=True), pipe))
    await it.bench.settle()
    tails = [it.golden.receive.pipes[pipe].tail for pipe in (1, 2)]
    await it.receive(first, second, second)
    assert [it.golden.receive.pipes[pipe].tail - tail for pipe, tail in zip((1, 2), tails, strict=True)] == [1, 2]
    it.software.set_modes(Mode(0))
    await it.receive(first)
    await it.counts(no_flow=1, rx_packets=3)


@cocotb.test()
@covers("C-090", "C-091", "C-163")
async def each_packet_notifies_if_the_nic_is_set_to(dut: Any) -> None:
    """As upstream: the first packet of a pipe that was armed before does not yet."""
    it = await nic(dut)
    await it.receive(udp(PORT + 1))
    it.software.set_modes(Mode.NOTIFICATION_PER_PACKET)
    assert await it.bench.read(registers.extension_register("modes")) == Mode.NOTIFICATION_PER_PACKET
    await it.receive(udp(PORT + 1), udp(PORT + 1), udp(PORT + 2), udp(PORT + 2))
    await it.counts(notifications=4)
    it.software.write_head(1, 0)
    await it.receive(udp(PORT + 1))
    await it.counts(notifications=5)
    it.software.set_modes(Mode(0))
    await it.receive(udp(PORT + 2), udp(PORT + 2))
    await it.counts(notifications=6)


@cocotb.test()
@covers("C-164", "C-165")
async def rings_have_the_size_that_was_set_when_they_were_enabled(dut: Any) -> None:
    it = await nic(dut)
    it.software.set_ring_sizes(32, 8)
    assert await it.bench.read(registers.extension_register("pipe_ring_flits")) == 32
    assert await it.bench.read(registers.extension_register("notification_ring_slots")) == 8
    await it.receive(*[udp(PORT + 1)] * (RING + 5))
    assert it.golden.counters["pipe_full"] == 6, "an open pipe keeps its size"

    it.software.open_buffer(1, start=6, tx_start=5)
    it.software.open_pipe(1, 1, start=30)
    await it.bench.settle()
    await it.receive(*[udp(PORT + 1, 200, number) for number in range(10)])
    assert it.golden.counters["pipe_full"] == 6 + 3, "7 packets of 4 flits, and one flit stays free"
    for _ in range(2 * SLOTS):
        it.software.write_head(1, it.golden.receive.pipes[1].tail)
        await it.receive(udp(PORT + 1))
        it.software.write_notification_head(1, it.golden.to_host.rings[1].tail)
    for number in range(12):
        await it.software.publish(1, data_slot(*it.software.place(udp(9, 60 + number))))
    await it.bench.settle()
    assert len(it.bench.sent) == 12


@cocotb.test()
@covers("C-164", "C-169")
async def sizes_that_no_ring_can_have_are_ignored(dut: Any) -> None:
    it = await nic(dut)
    for name, least, most in (("pipe_ring_flits", 8, 1 << 20), ("notification_ring_slots", 8, 1 << 15)):
        address = registers.extension_register(name)
        for size in (least, most):
            it.bench.write(address, size)
            for wrong in (0, 1, least // 2, most * 2, 24, (1 << 32) - 1, 1 << 31):
                it.bench.write(address, wrong)
            it.bench.write(address, 1 << 32 | 64, BOTH)
            it.bench.write(address, 64, 0x0E)
            assert await it.bench.read(address) == size


@cocotb.test()
@covers("C-092")
async def frames_that_come_carry_how_long_they_were_under_way(dut: Any) -> None:
    it = await nic(dut)
    frames = [udp(PORT + 1, 60), tcp(PORT + 2, 70), udp(PORT + 2, 1514)]
    for offset in (18, 0, 60, 40):
        await it.software.publish(0, timestamp_slot(enable=True, offset=offset))
        await it.bench.settle()
        for pipe in (1, 2):
            it.software.open_pipe(pipe, 0)
        await it.receive(*frames)
    await it.software.publish(0, timestamp_slot(enable=False, offset=18))
    await it.bench.settle()
    await it.receive(udp(PORT + 1, 300))


@cocotb.test()
@covers("C-092")
async def a_time_stamp_over_the_fragment_offset_does_not_change_where_frames_go(dut: Any) -> None:
    """Its default place is there, and upstream looks at no fragments."""
    it = await nic(dut)
    for offset in (18, 19):
        await it.software.publish(0, timestamp_slot(enable=True, offset=offset))
        await it.bench.settle()
        await it.receive(udp(PORT + 1), ipv4(udp(PORT + 1)[34:], fragment_offset=99))
    assert it.golden.counters["rx_packets"] == 4
    await it.software.publish(0, timestamp_slot(enable=True, offset=40))
    await it.bench.settle()
    await it.receive(ipv4(udp(PORT + 1)[34:], fragment_offset=99))
    assert it.golden.counters["no_flow"] == 1


@cocotb.test()
@covers("C-150")
async def packets_of_one_pipe_share_writes_while_they_wait(dut: Any) -> None:
    for payload in (8, 4, 2):
        it = await nic(dut, Conditions(max_payload=payload, to_host=50), start=3)
        it.bench.hold("to_host", cycles=120)
        for number in range(40):
            it.bench.receive(udp(PORT + 1, 60, number))
        before = it.bench.begun_writes
        await it.bench.settle()
        assert it.bench.begun_writes - before <= 40 // payload + 4
        it.software.write_head(1, 40)


@cocotb.test()
@covers("C-150")
async def packets_that_need_not_wait_do_not_wait_for_others(dut: Any) -> None:
    it = await nic(dut)
    before = it.bench.begun_writes
    for number in range(20):
        it.bench.receive(udp(PORT + 1, 60, number))
        await it.bench.cycles(4)
    await it.bench.settle()
    assert it.bench.begun_writes - before == 20 + 1


@cocotb.test()
@covers("C-157", "C-168")
async def software_resets_the_nic_without_cutting_anything(dut: Any) -> None:
    """Under full traffic, both ways, with a host and a wire that stall."""
    conditions = Conditions(to_host=60, read_request=60, wire_out=50, read_delay=40, shuffled=True)
    for turn in range(6):
        it = await nic(dut, conditions)
        it.software.set_modes(Mode.NOTIFICATION_PER_PACKET)
        for number in range(60):
            it.bench.receive(udp(PORT + 1 + number % 2, 60 + 50 * (number % 5), number))
        requests = [data_slot(*it.software.place(udp(9, 1400, number))) for number in range(8)]
        await it.software.publish(0, *requests)
        await it.bench.cycles(150 + 23 * turn)
        await it.bench.restart((registers.pipe_mode_register(3), registers.HEADER_MODE))
        for number in range(3):
            it.bench.receive(udp(PORT + 1, 60, number))
        await it.bench.settle(60_000)
        assert await it.bench.read(registers.extension_register("modes")) == 0
        assert await it.bench.read(registers.pipe_register(1, registers.RX_TAIL)) == 0
        assert await it.bench.read(registers.pipe_mode_register(3)) == registers.HEADER_MODE, "written behind the reset"
        counters = await it.software.counters()
        assert counters["in_reset"] > 0
        assert counters["rx_packets"] == 0
        it.software.open_buffer(0)
        it.software.open_pipe(1, 0)
        await it.software.publish(0, flow_slot(key_of(PORT + 1), 1))
        await it.bench.settle()
        await it.receive(udp(PORT + 1))
        await it.counts(rx_packets=1)


@cocotb.test()
@covers("C-157", "C-169")
async def only_the_key_resets(dut: Any) -> None:
    it = await nic(dut)
    for value, enables in ((0, BOTH), (2, LOW), (1 << 32, BOTH), (1 << 32 | 1, BOTH), (1, 0x07)):
        it.bench.write(registers.extension_register("reset"), value, enables)
    await it.receive(udp(PORT + 1))
    await it.counts(rx_packets=1, in_reset=0)
