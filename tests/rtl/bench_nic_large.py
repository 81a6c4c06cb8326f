"""A NIC for jumbo frames, with rings that do not wrap: long frames, and how fast both directions are at once."""

from dataclasses import replace
from typing import Any

import cocotb

from enso_nic.config import FLIT_BYTES, TINY
from tests.rtl.contract import covers
from tests.rtl.golden.steering import pipe_flits, steering_key
from tests.rtl.nic_bench import NicBench, start_clock
from tests.rtl.nic_frames import udp
from tests.rtl.nic_software import Software, data_slot, flow_slot

CONFIG = replace(
    TINY,
    pipe_flits=4096,
    notification_slots=1024,
    packet_buffer_flits=512,
    tx_buffer_flits=512,
    data_tags=64,
    request_tags=8,
    maximum_frame=9014,
    commit_taps=True,
)
HOST_BYTES = 4 << 20
PORT, PIPES = 1000, 2
REQUEST_BYTES = 4096


async def opened(dut: Any) -> tuple[NicBench, Software]:
    """Notification buffer 0, and pipes that it owns, each with its flow."""
    start_clock(dut)
    bench = NicBench(dut, CONFIG, host_bytes=HOST_BYTES)
    software = Software(bench, CONFIG)
    await bench.reset()
    await bench.settle()
    software.open_buffer(0)
    for pipe in range(PIPES):
        software.open_pipe(pipe, 0)
        await software.publish(0, flow_slot(steering_key(udp(PORT + pipe)), pipe))
    await bench.settle()
    return bench, software


@cocotb.test()
@covers("C-060")
async def jumbo_frames_are_received_and_sent_up_to_9014_bytes(dut: Any) -> None:
    bench, software = await opened(dut)
    frames = [udp(PORT, size, size) for size in (9014, 60, 9013, 8960, 1515)]
    for frame in (*frames, udp(PORT, 9015)):
        bench.receive(frame)
    address, length = software.place(*frames)
    cut = 4096  # within the first frame
    await software.publish(0, data_slot(address, cut), data_slot(address + cut, length - cut))
    await software.publish(0, data_slot(*software.place(udp(PORT, 9015))))
    await bench.settle()
    assert bench.sent == frames
    lines = b"".join(line for frame in frames for line in pipe_flits(frame))
    assert bench.host.load(software.pipes[0], len(lines)) == lines
    counters = await software.counters()
    assert (counters["rx_admitted"], counters["too_long"]) == (len(frames), 1)
    assert (counters["tx_frames"], counters["tx_error"]) == (len(frames), 1)


@cocotb.test()
@covers("C-173")
async def both_directions_keep_up_at_once(dut: Any) -> None:
    """A line for the host, and a beat for the wire, in 99 of 100 cycles, while both have work."""
    bench, software = await opened(dut)
    sizes = (60, 1514)
    for size in sizes:
        count = 3600 // -(-size // FLIT_BYTES)
        flits = -(-size // FLIT_BYTES) * FLIT_BYTES
        per_request = -(-REQUEST_BYTES // flits)
        requests = [
            data_slot(*software.place(*(udp(9, size, number + i) for i in range(per_request))))
            for number in range(0, count, per_request)
        ]
        bench.sent.clear()
        await software.publish(0, *requests)
        for number in range(count):
            bench.receive(udp(PORT + number % PIPES, size, number))
        await bench.cycles(400)
        writes, sent, begin = bench.writes, len(bench.sent), bench.now
        await bench.cycles(2400)
        lines = bench.writes - writes
        beats = (len(bench.sent) - sent) * flits // FLIT_BYTES
        cycles = bench.now - begin
        print(f"frames of {size} bytes: {lines} lines for the host and {beats} beats for the wire in {cycles} cycles")
        assert lines >= 0.99 * cycles
        assert beats >= 0.99 * cycles - flits // FLIT_BYTES
        await bench.settle()
        for pipe in range(PIPES):
            assert bench.golden is not None
            software.write_head(pipe, bench.golden.receive.pipes[pipe].tail)
        await bench.settle()
