"""Scenarios for the bridge with a Mirror behind it; test_bridge.py runs each in a simulator of its own.

Times are worked out by hand. A TLP of n bytes payload takes ceil((n + 24) / 15.75 GB/s): 1524 ps for 0 bytes, 2032 for
8, 5588 for 64 and 34032 for 512. The way is 400 ns, and a NIC cycle 4 ns.
"""

import json
import os
import random
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
import numpy.typing as npt
import pytest

from cosim.nic.base import NEVER, Effect
from cosim.pcie.bridge import LATEST, Bridge, BridgeError
from cosim.pcie.frame_blocks import ClientTimes
from cosim.pcie.link import LinkParameters
from tests.sim.mirror import ALARM, BURST, LINE, READ, SIZES

MEMORY = 1 << 22
PAGE = 4096
WAY = 400_000


def bridge_of(top: Any, **parameters: Any) -> Bridge:
    return Bridge(top, memory_bytes=MEMORY, link=LinkParameters(**parameters))


async def until(bridge: Bridge, time: int, limit: int = 100_000) -> list[Effect]:
    """Software that is silent up to `time`, whatever it sees."""
    effects = []
    for _ in range(limit):
        safe = await bridge.run(time)
        effects += bridge.take_effects()
        if safe >= time:
            bridge.advance(time)
            return effects
    raise AssertionError(f"{time} ps not reached in {limit} runs")


def command(address: int, flits: int, count: int = 1) -> int:
    return address // 64 | flits << 40 | count << 48


def frames_at(bridge: Bridge, times: list[int], lengths: list[int]) -> npt.NDArray[np.int64]:
    offsets = np.concatenate(([0], np.cumsum(lengths)[:-1]))
    data = (np.arange(sum(lengths)) % 251).astype(np.uint8)
    return bridge.load_frames(data, offsets, np.array(lengths), np.array(times))


def words(bridge: Bridge, address: int, count: int) -> list[int]:
    start = (address - bridge.memory.base) // 8
    return bridge.memory.words[start : start + count].tolist()


def mirrored(bridge: Bridge) -> list[tuple[int, int, int, bool, bool]]:
    """Of each line that came back from a read: (cycle, tag, index, last, error)."""
    sent = bridge.sent_frames()
    notes = [int.from_bytes(sent.frame(i)[56:], "little") for i in range(len(sent))]
    return [(n & 0xFFFFFFFF, n >> 32 & 0xFF, n >> 40 & 7, bool(n >> 43 & 1), bool(n >> 44 & 1)) for n in notes]


@cocotb.test()
async def software_sees_a_ring_in_one_piece_over_its_end(top: Any) -> None:
    bridge = bridge_of(top)
    memory, lines = bridge.memory, 2 * PAGE // 64
    ring = memory.allocate_ring(2 * PAGE, "a pipe")
    start = (ring - memory.base) // 8
    await until(bridge, 1000)
    # what came last is written to the ring's last line, and what comes next to its first
    bridge.mmio_write(1000, LINE, ring + 64 * (lines - 1), 8)
    frames_at(bridge, [1_000_000], [60])
    await until(bridge, 2_000_000)
    bridge.mmio_write(2_000_000, LINE, ring, 8)
    frames_at(bridge, [3_000_000], [60])
    await until(bridge, 4_000_000)
    assert [memory.words[start + 8 * lines - 7], memory.words[start + 8 * lines + 1]] == [0, 1]
    assert words(bridge, ring, 16 * lines)[: 8 * lines] == words(bridge, ring, 16 * lines)[8 * lines :]
    memory.words[start + 8 * lines] = 5  # and the NIC reads what software wrote there
    bridge.mmio_write(4_000_000, READ, command(ring, 1), 8)
    await until(bridge, 6_000_000)
    assert bridge.sent_frames().frame(0)[:8] == (5).to_bytes(8, "little")


# --- times ------------------------------------------------------------------------------------------------------------


@cocotb.test()
async def a_frame_is_there_at_the_first_edge_after_its_last_bit(top: Any) -> None:
    bridge = bridge_of(top)
    page = bridge.memory.base + PAGE
    await until(bridge, 1000)
    bridge.watch(page, PAGE, 7)
    bridge.mmio_write(1000, LINE, page, 8)
    # on an edge; between two; two beats that must wait for those of the frame before; after a pause
    delivered = frames_at(bridge, [10_000_000, 10_500_001, 10_500_002, 20_000_000], [60, 200, 65, 64])
    assert delivered.tolist() == [-1] * 4
    effects = await until(bridge, 30_000_000)
    assert delivered.tolist() == [10_000_000, 10_504_000, 10_512_000, 20_000_000]
    # the mirror offers the line two cycles later, and then it needs 64 + 24 bytes of the link
    times = [edge + 8000 + 5588 + WAY for edge in delivered.tolist()]
    assert effects == [(time, 7, page + 64 * i) for i, time in enumerate(times)]
    assert words(bridge, page, 2) == [2500, 0]
    assert words(bridge, page + 64, 2) == [2626, 1]
    assert bridge.frames_delivered == 4
    data = [i % 251 for i in range(60 + 200 + 65 + 64)]
    lines = [bridge.memory.bytes[PAGE + 64 * i + 16 : PAGE + 64 * i + 64].tolist() for i in range(4)]
    # the last beats hold 60, 8, 1 and 64 bytes
    assert lines == [data[16:60] + [0] * 4, [0] * 48, [0] * 48, data[-48:]]


@cocotb.test()
async def clients_send_when_they_have_thought_about_their_answers(top: Any) -> None:
    """A line that is read leaves as a frame: it is the answer to the client whose port it holds."""
    cycles = int(os.environ.get("LOOKAHEAD", "0"))
    bridge = Bridge(top, memory_bytes=MEMORY, lookahead=cycles or "max", skip_idle=os.environ["SKIP"] == "1")
    answers = bridge.memory.base + 8 * PAGE
    for line, port in enumerate((1024, 1025, 1026, 9)):
        at = 8 * PAGE + 64 * line + 34
        bridge.memory.bytes[at : at + 2] = port.to_bytes(2)
    await until(bridge, 1000)
    bridge.mmio_write(1000, LINE, bridge.memory.base, 8)

    lengths = np.array([60, 200, 64, 60, 60])
    clients, ports = np.array([0, 1, 0, 1, 1]), np.array([1024, 1025, 1024, 1026, 1025])
    offsets = np.concatenate(([0], np.cumsum(lengths)[:-1]))
    times = ClientTimes(start_ps=10_000_000, think_ps=50_000, mac_ps=200_000)
    delivered = bridge.load_clients(np.zeros(sum(lengths), np.uint8), offsets, lengths, clients, ports, times)

    async def answer(line: int, flits: int = 1) -> list[int]:
        """The lines from ``line`` on leave; when."""
        before = len(bridge.sent_frames())
        now = bridge.cycle * 4000 + 2_000_000
        await until(bridge, now)
        bridge.mmio_write(now, READ, command(answers + 64 * line, flits), 8)
        await until(bridge, now + 3_000_000)
        return bridge.sent_frames().times_ps.tolist()[before:]

    def edge(time: int) -> int:
        return -(-time // 4000) * 4000

    # the wire takes the first ones after each other: 84 and 224 bytes
    await until(bridge, 12_000_000)
    first = [edge(10_000_000 + 6_720 + 200_000), edge(10_000_000 + 6_720 + 17_920 + 200_000)]
    assert delivered.tolist() == [*first, -1, -1, -1]

    # an answer to nobody, then one to client 1
    await answer(3)
    assert delivered.tolist() == [*first, -1, -1, -1]
    (left,) = await answer(1)
    second = edge(left + 200_000 + 50_000 + 6_720 + 200_000)
    assert delivered.tolist() == [*first, -1, second, -1]

    # to both, 4 ns apart: on the wire, 88 bytes of one are before the other
    both = await answer(0, flits=2)
    assert both[1] - both[0] == 4000
    last = both[0] + 200_000 + 50_000 + 7_040 + 200_000
    assert delivered.tolist() == [*first, edge(last), second, edge(last + 6_720)]

    # they have no more
    await answer(0, flits=3)
    assert bridge.frames_delivered == 5
    sent = bridge.sent_frames().times_ps.tolist()
    assert bridge.sent_up_to(sent[0] - 1) == (0, -1)
    assert bridge.sent_up_to(sent[2]) == (3, sent[2])
    assert bridge.sent_up_to(LATEST) == (7, sent[6])


@cocotb.test()
async def no_frame_begins_behind_the_end(top: Any) -> None:
    bridge = bridge_of(top)
    await until(bridge, 1000)
    delivered = frames_at(bridge, [8_016_000, 10_000_000, 10_000_000], [250, 60, 60])
    await until(bridge, 2_000_000)
    bridge.end_frames(10_004_000)
    await until(bridge, 20_000_000)
    assert delivered.tolist() == [8_016_000, 10_000_000, -1]
    later = frames_at(bridge, [30_000_000], [60])
    await until(bridge, 40_000_000)
    assert later.tolist() == [-1]
    with pytest.raises(BridgeError, match=r"an end of frames at 1000 ps; accepted are times behind \d+ ps"):
        bridge.end_frames(1000)


@cocotb.test()
async def a_frame_that_began_before_the_end_is_whole(top: Any) -> None:
    bridge = bridge_of(top)
    await until(bridge, 1000)
    delivered = frames_at(bridge, [8_016_000, 8_020_000], [250, 60])
    await until(bridge, 2_000_000)
    bridge.end_frames(8_008_000)
    await until(bridge, 20_000_000)
    assert delivered.tolist() == [8_016_000, -1]


@cocotb.test()
async def a_frame_some_beats_of_which_have_come_is_whole(top: Any) -> None:
    bridge = Bridge(top, memory_bytes=MEMORY, lookahead=1)
    await until(bridge, 1000)
    delivered = frames_at(bridge, [8_016_000, 8_020_000], [250, 60])  # beats in cycles 2001 to 2004
    while bridge.cycle < 2002:
        await bridge.run(20_000_000)
    bridge.end_frames(8_012_000)
    await until(bridge, 20_000_000)
    assert delivered.tolist() == [8_016_000, -1]


@cocotb.test()
async def a_frame_that_waits_for_its_time_may_still_be_ended(top: Any) -> None:
    bridge = bridge_of(top)
    await until(bridge, 1000)
    delivered = frames_at(bridge, [8_016_000], [250])
    await until(bridge, 2_000_000)
    bridge.end_frames(8_004_000)
    await until(bridge, 20_000_000)
    assert delivered.tolist() == [-1]


@cocotb.test()
async def clients_that_cannot_be_are_refused(top: Any) -> None:
    bridge = bridge_of(top)
    data, offsets = np.zeros(3000, np.uint8), np.array([0, 60])
    clients, ports = np.array([0, 1]), np.array([1024, 1025])
    times = ClientTimes(start_ps=10_000_000, think_ps=0, mac_ps=200_000)

    def load(lengths: list[int], of: npt.NDArray[np.int64] = clients, times: ClientTimes = times, **other: Any) -> None:
        bridge.load_clients(data, offsets, np.array(lengths), of, other.get("ports", ports), times)

    with pytest.raises(ValueError, match="a client's frame of 1515 bytes; accepted are 1514 at most"):
        load([60, 1515])
    with pytest.raises(ValueError, match="a port of two clients; accepted is one client for each"):
        load([60, 60], ports=np.array([7, 7]))
    with pytest.raises(ValueError, match=r"arrays of frames of lengths \[2, 2, 3, 2\]; accepted is one length for all"):
        load([60, 60], np.array([0, 1, 0]))
    with pytest.raises(ValueError, match="a frame beyond the 3000 bytes of data, or without any byte"):
        load([60, 0])
    load([60, 60])
    with pytest.raises(ValueError, match="clients beside other frames; accepted are either, and clients once"):
        load([60, 60])


@cocotb.test()
async def clients_that_come_too_late_are_refused(top: Any) -> None:
    bridge = bridge_of(top)
    await until(bridge, 10_000_000)
    times = ClientTimes(start_ps=1_000_000, think_ps=0, mac_ps=200_000)
    one = np.array([0])
    with pytest.raises(BridgeError, match=r"a frame's first beat in cycle \d+ \(delivered whole at 1200000 ps\)"):
        bridge.load_clients(np.zeros(60, np.uint8), one, np.array([60]), one, one, times)


@cocotb.test()
async def registers_take_the_way_down_and_up(top: Any) -> None:
    bridge = bridge_of(top)
    page = bridge.memory.base + PAGE
    await until(bridge, 1000)
    bridge.mmio_write(1000, LINE, page, 8)  # at the NIC at 1000 + 2032 + WAY: cycle 101
    bridge.mmio_read(1000, 0, 3)  # waits for the write on the link; 3032 + 1524 + WAY: cycle 102
    bridge.mmio_read(5000, 8, 4)  # 5000 + 1524 + WAY: cycle 102, but that one is taken: 103
    effects = await until(bridge, 2_000_000)
    # offered one cycle after they came; the second waits for the first on the link
    first = 4000 * 103 + 2032 + WAY
    assert effects == [(first, 3, 102), (4000 * 104 + 2032 + WAY, 4, 103)]


@cocotb.test()
async def a_write_of_four_bytes_enables_its_half(top: Any) -> None:
    bridge = bridge_of(top)
    await until(bridge, 1000)
    bridge.mmio_write(1000, ALARM + 4, 1, 4)  # the mirror takes whole words only
    bridge.mmio_write(1000, ALARM, 1, 4)
    await until(bridge, 5_000_000)
    assert words(bridge, bridge.memory.base, 1) == [0]
    # 28 bytes take 1778 ps: the second is at the NIC at 1000 + 2 * 1778 + WAY
    bridge.mmio_read(5_000_000, 0, 1)
    assert bridge.counters().bytes_down == 2 * 28


@cocotb.test()
async def each_direction_says_when_it_was_busy(top: Any) -> None:
    bridge = bridge_of(top)
    page = bridge.memory.base + PAGE
    await until(bridge, 1000)
    assert bridge.busy("up").shape == bridge.busy("down").shape == (0, 2)
    bridge.mmio_write(1000, LINE, page, 8)  # before anybody wanted to know
    await until(bridge, 5_000_000)
    bridge.log_link()
    bridge.mmio_write(5_000_000, LINE, page, 8)  # 32 bytes take 2032 ps
    bridge.mmio_read(5_000_000, 0, 3)  # 24 bytes take 1524 ps, right behind
    bridge.mmio_read(5_010_000, 8, 4)
    effects = await until(bridge, 10_000_000)
    assert bridge.busy("down").tolist() == [[5_000_000, 5_003_556], [5_010_000, 5_011_524]]
    # the two answers, of 32 bytes each
    assert bridge.busy("up").tolist() == [[time - WAY - 2032, time - WAY] for time, *_ in effects]


@cocotb.test()
async def the_nic_is_told_what_the_link_takes(top: Any) -> None:
    bridge = bridge_of(top, max_payload_bytes=128, max_read_bytes=256)
    await until(bridge, 1000)
    bridge.mmio_read(1000, SIZES, 0)
    ((_, _, sizes),) = await until(bridge, 5_000_000)
    assert sizes == 2 + 16 * 4 + 256 * 1 + 512 * 0


@cocotb.test()
async def a_read_samples_memory_and_comes_back_a_line_per_cycle(top: Any) -> None:
    bridge = bridge_of(top)
    source = bridge.memory.base + 3 * 512
    await until(bridge, 1000)
    bridge.mmio_write(1000, READ, command(source, 8), 8)  # cycle 101, so the request leaves in cycle 102
    sample = 4000 * 102 + 1524 + WAY + 100_000
    await until(bridge, sample - 1)
    assert bridge.next_change == sample
    bridge.memory.words[3 * 64 : 4 * 64] = memoryview(np.arange(64, dtype=np.uint64).data).cast("B").cast("Q")
    await until(bridge, sample)
    bridge.memory.words[3 * 64] = 99  # too late
    await until(bridge, 5_000_000)
    back = -(-(sample + 34_032 + WAY) // 4000)
    assert mirrored(bridge) == [(back + i, 0, i, i == 7, False) for i in range(8)]
    sent = bridge.sent_frames()
    assert sent.times_ps.tolist() == [4000 * (back + 1 + i) for i in range(8)]
    assert [int.from_bytes(sent.frame(i)[:8], "little") for i in range(8)] == [8 * i for i in range(8)]


@cocotb.test()
async def a_register_write_waits_behind_a_completion_that_left_before_it(top: Any) -> None:
    bridge = bridge_of(top)
    await until(bridge, 1000)
    bridge.mmio_write(1000, READ, command(bridge.memory.base, 8), 8)
    sample = 4000 * 102 + 1524 + WAY + 100_000
    assert await bridge.run(sample - 1) > sample
    assert bridge.next_change == sample, "what happens at that time is still to come"
    bridge.mmio_read(sample, 0, 5)  # at the same time the NIC comes first
    (effect,) = await until(bridge, 5_000_000)
    assert effect[2] == -(-(sample + 34_032 + 1524 + WAY) // 4000)


@cocotb.test()
async def the_link_takes_what_its_rate_allows(top: Any) -> None:
    bridge = bridge_of(top)
    pages = bridge.memory.base + 16 * PAGE
    await until(bridge, 1000)
    bridge.watch(pages, 256 * PAGE, 1)
    bridge.mmio_write(1000, BURST, command(pages, 1, 500), 8)
    single = [time for time, _, _ in await until(bridge, 10_000_000)]
    bridge.mmio_write(10_000_000, BURST, command(pages, 8, 500), 8)
    whole = [time for time, _, _ in await until(bridge, 40_000_000)]
    assert len(single) == len(whole) == 500
    # a line per cycle would be faster than the link, 8 lines in 8 cycles too
    assert set(np.diff(single)) == {5588}
    assert set(np.diff(whole)) == {34_032}
    # the commands come in cycles 101 and 2601; two cycles later the first beat leaves
    assert single[0] == 4000 * 103 + 5588 + WAY
    assert whole[0] == 4000 * (2603 + 7) + 34_032 + WAY


@cocotb.test()
async def the_host_port_stalls_while_too_much_waits_for_the_link(top: Any) -> None:
    bridge = bridge_of(top, up_queue_bytes=1024)
    await until(bridge, 1000)
    bridge.mmio_write(1000, BURST, command(bridge.memory.base, 1, 500), 8)
    bridge.mmio_read(1000, 0, 2)  # the mirror takes it when the last line is in its queue of 64
    ((time, _, cycle),) = await until(bridge, 10_000_000)
    # the first line leaves in cycle 103, and each takes the link 5588 ps; the NIC alone would need 4000
    sent = 4000 * 103 + 500 * 5588
    assert sent + 2032 + WAY == time, "the answer comes right behind the last write"
    # then at most 64 lines are in the mirror, and 1024 bytes and one line more wait for the link
    waiting = 64 * 5588 + 65_016 + 5588
    assert sent - waiting <= 4000 * cycle <= sent - waiting + 3 * 5588


@cocotb.test()
async def the_mac_takes_what_the_wire_allows(top: Any) -> None:
    bridge = bridge_of(top, tx_fifo_bytes=256)
    for i in range(8):
        bridge.memory.words[8 * i] = i
    await until(bridge, 1000)
    for _ in range(20):
        bridge.mmio_write(1000, READ, command(bridge.memory.base, 8), 8)
    await until(bridge, 10_000_000)
    times = bridge.sent_frames().times_ps.tolist()
    assert len(times) == 160
    # 64 + 24 bytes take 7040 ps; 256 bytes may wait
    for i, time in enumerate(times):
        assert time >= times[0] + 7040 * i - 256 * 80 - 7040
    assert times[-1] <= times[0] + 7040 * 160 + 4000


@cocotb.test()
async def a_way_of_nothing_is_one_cycle(top: Any) -> None:
    bridge = bridge_of(top, propagation_up_ps=0, propagation_down_ps=0, memory_read_ps=0)
    await until(bridge, 1000)
    bridge.mmio_read(1000, 0, 3)  # 1000 + 1524 + 4000: cycle 2
    assert await until(bridge, 100_000) == [(4000 * 3 + 2032 + 4000, 3, 2)]


# --- what software sees -----------------------------------------------------------------------------------------------


@cocotb.test()
async def software_sees_no_later_write_than_the_one_that_wakes_it(top: Any) -> None:
    bridge = bridge_of(top)
    plain, watched = bridge.memory.base + 8 * PAGE, bridge.memory.base + 9 * PAGE
    await until(bridge, 1000)
    bridge.watch(watched, PAGE, 1)
    bridge.mmio_write(1000, BURST, command(plain, 1, 128), 8)  # 64 lines of the plain page, then 64 watched ones
    bound, seen = 50_000_000, 0
    for _ in range(64):
        await bridge.run(bound)
        for time, _source, address in bridge.take_effects():
            while await bridge.run(time) < time:
                pass
            bridge.advance(time)
            seen += 1
            assert address == watched + 64 * (seen - 1)
            assert words(bridge, plain, 64 * 8)[::8] == list(range(64))
            # the burst's numbers begin with 0, so the one that woke us holds its number, and those after it 0
            expected = [64 + i if i < seen else 0 for i in range(64)]
            assert words(bridge, watched, 64 * 8)[::8] == expected, f"after effect {seen}"
            assert bridge.next_change > time
        if seen == 64:
            break
    assert seen == 64


@cocotb.test()
async def a_page_can_be_watched_while_a_write_is_on_its_way(top: Any) -> None:
    bridge = bridge_of(top)
    first, second = bridge.memory.base + 8 * PAGE, bridge.memory.base + 9 * PAGE
    await until(bridge, 1000)
    bridge.watch(first, PAGE, 1)
    bridge.mmio_write(1000, BURST, command(first + 63 * 64, 1, 2), 8)
    await bridge.run(50_000_000)
    ((time, _, _),) = bridge.take_effects()
    bridge.advance(time)
    bridge.watch(second, PAGE, 2)
    assert bridge.take_effects() == [(time + 5588, 2, second)]


@cocotb.test()
async def a_run_ends_where_an_answer_could_reach_the_nic(top: Any) -> None:
    bridge = bridge_of(top)
    page = bridge.memory.base + PAGE
    await until(bridge, 1000)
    bridge.watch(page, PAGE, 7)
    bridge.mmio_write(1000, LINE, page, 8)
    frames_at(bridge, [10_000_000], [60])
    safe = await bridge.run(1_000_000_000)
    ((time, _, _),) = bridge.take_effects()
    assert time == 10_000_000 + 8000 + 5588 + WAY
    last = (time + WAY) // 4000 - 1
    assert bridge.cycle == last
    assert safe == 4000 * (last + 1) + WAY
    bridge.mmio_read(time, 0, 1)  # still in time
    assert await until(bridge, time + 2_000_000) == [
        (4000 * (-(-(time + 1524 + WAY) // 4000) + 1) + 2032 + WAY, 1, -(-(time + 1524 + WAY) // 4000))
    ]


@cocotb.test()
async def the_clock_jumps_to_the_deadline_and_not_beyond(top: Any) -> None:
    skip = os.environ["SKIP"] == "1"
    bridge = Bridge(top, memory_bytes=MEMORY, skip_idle=skip)
    page = bridge.memory.base + PAGE
    await until(bridge, 1000)
    bridge.mmio_write(1000, LINE, page, 8)
    bridge.mmio_write(1000, ALARM, 12_345, 8)
    await until(bridge, 100_000_000)
    assert words(bridge, page, 1) == [12_345]
    counters = bridge.counters()
    assert counters.cycles + counters.cycles_skipped == bridge.cycle + 1
    assert (counters.cycles < 100) if skip else (counters.cycles_skipped == 0)


# --- completions ------------------------------------------------------------------------------------------------------


@cocotb.test()
async def completions_are_cut_and_change_places_but_not_within_a_read(top: Any) -> None:
    bridge = bridge_of(top, cut_completions=1, completion_jitter_ps=300_000, seed=int(os.environ["SEED"]))
    for i in range(16 * 64):
        bridge.memory.words[i] = i // 8
    await until(bridge, 1000)
    for read in range(16):
        bridge.mmio_write(1000, READ, command(bridge.memory.base + 512 * read, 8), 8)
    await until(bridge, 10_000_000)
    lines, sent = mirrored(bridge), bridge.sent_frames()
    for tag in range(16):
        mine = [i for i, line in enumerate(lines) if line[1] == tag]
        assert [lines[i][2] for i in mine] == list(range(8))
        assert [lines[i][3] for i in mine] == [False] * 7 + [True]
        assert [int.from_bytes(sent.frame(i)[:8], "little") for i in mine] == [8 * tag + i for i in range(8)]
    tags = [line[1] for line in lines]
    assert tags != sorted(tags), "no read overtook another"
    cuts = bridge.counters().bytes_down - 16 * (24 + 8) - 16 * 512
    assert cuts > 16 * 24, "no completion was cut"
    assert not any(line[4] for line in lines)


@cocotb.test()
async def completions_end_where_the_maximum_payload_or_the_boundary_ends(top: Any) -> None:
    bridge = bridge_of(top, max_payload_bytes=128, completion_boundary_bytes=128)
    await until(bridge, 1000)
    bridge.mmio_write(1000, READ, command(bridge.memory.base + 64, 7), 8)
    await until(bridge, 5_000_000)
    assert len(mirrored(bridge)) == 7
    # 64, then 3 times 128 bytes
    assert bridge.counters().bytes_down == 32 + 4 * 24 + 7 * 64


@cocotb.test()
async def the_transfers_of_each_port_are_counted(top: Any) -> None:
    bridge = bridge_of(top)
    base = bridge.memory.base
    await until(bridge, 1000)
    bridge.mmio_write(1000, READ, command(base, 8), 8)
    bridge.mmio_write(1000, READ, command(base + 512, 3), 8)
    bridge.mmio_write(1000, BURST, command(base + PAGE, 4, 5), 8)
    bridge.mmio_read(1000, SIZES, 1)
    await until(bridge, 5_000_000)
    counters = bridge.counters()
    assert (counters.mmio_request_beats, counters.read_request_beats, counters.read_completion_beats) == (4, 2, 8 + 3)
    # the mirror sends each line that it read as a frame of one beat
    assert (counters.to_host_beats, counters.ethernet_tx_beats) == (4 * 5 + 1, 8 + 3)


@cocotb.test()
async def reads_fail_on_demand_and_outside_memory(top: Any) -> None:
    bridge = bridge_of(top)
    bridge.fault(1, "drop")
    bridge.fault(2, "abort")
    bridge.fault(3, "poison")
    base = bridge.memory.base
    await until(bridge, 1000)
    for address in (base, base + 512, base + 1024, base + 1536, base + MEMORY, 0, base + MEMORY - 512):
        bridge.mmio_write(1000, READ, command(address, 8), 8)
    await until(bridge, 10_000_000)
    lines = mirrored(bridge)

    def of(tag: int) -> list[tuple[int, bool, bool]]:
        return [line[2:] for line in lines if line[1] == tag]

    fine = [(i, i == 7, False) for i in range(8)]
    aborted = [(0, True, True)]
    assert of(0) == fine
    assert of(1) == []
    assert of(2) == of(4) == of(5) == aborted
    assert of(3) == [(i, i == 7, True) for i in range(8)]
    assert of(6) == fine
    assert bridge.counters().reads_outside == 2


@cocotb.test()
async def writes_outside_memory_are_counted_and_touch_nothing(top: Any) -> None:
    bridge = bridge_of(top)
    end = bridge.memory.base + MEMORY
    await until(bridge, 1000)
    bridge.mmio_write(1000, BURST, command(end - 2 * 64, 1, 5), 8)
    await until(bridge, 5_000_000)
    counters = bridge.counters()
    assert (counters.writes_outside, counters.first_outside) == (3, end)
    assert words(bridge, end - 128, 16)[::8] == [0, 1]


# --- errors -----------------------------------------------------------------------------------------------------------


@cocotb.test()
async def software_that_breaks_a_rule_is_told(top: Any) -> None:
    bridge = bridge_of(top)
    base = bridge.memory.base
    safe = await bridge.run(1_000_000)
    with pytest.raises(BridgeError, match=r"MMIO write at 999999 ps; .* from 1000000 to"):
        bridge.mmio_write(999_999, LINE, 0, 8)
    with pytest.raises(BridgeError, match=f"MMIO read at {safe + 1} ps; .* to {safe} ps"):
        bridge.mmio_read(safe + 1, 0, 1)
    with pytest.raises(BridgeError, match="looked at"):
        bridge.advance(safe + 1)
    bridge.mmio_write(1_000_001, LINE, 0, 8)
    with pytest.raises(BridgeError, match=r"MMIO write at 1000000 ps; .* from 1000001 to"):
        bridge.mmio_write(1_000_000, LINE, 0, 8)
    with pytest.raises(BridgeError, match="MMIO write of 2 bytes; accepted are 4 and 8"):
        bridge.mmio_write(1_000_001, 0, 0, 2)
    with pytest.raises(BridgeError, match="at 0x4; accepted are multiples"):
        bridge.mmio_write(1_000_001, 4, 0, 8)
    with pytest.raises(BridgeError, match="below 0x8000000"):
        bridge.mmio_read(1_000_001, 1 << 27, 0)
    for address, length, source in ((base + 64, PAGE, 0), (base, 64, 0), (base + MEMORY, PAGE, 0), (base, PAGE, -1)):
        with pytest.raises(BridgeError, match="accepted are whole pages of host memory, and sources from 0 up"):
            bridge.watch(address, length, source)
    with pytest.raises(BridgeError, match=r"a frame's first beat in cycle \d+ .*; accepted are cycles from \d+ on"):
        frames_at(bridge, [1_000_000], [60])
    with pytest.raises(ValueError, match="without any byte"):
        frames_at(bridge, [10_000_000], [0])
    with pytest.raises(ValueError, match="go back"):
        frames_at(bridge, [10_000_000, 9_000_000], [60, 60])
    with pytest.raises(BridgeError, match="a second bridge"):
        bridge_of(top)
    with pytest.raises(BridgeError, match="accepted is a time up to"):
        await bridge.run(LATEST + 1)
    for _ in range(256):
        bridge.mmio_read(1_000_001, 0, 1)
    with pytest.raises(BridgeError, match="256 others wait"):
        bridge.mmio_read(1_000_001, 0, 1)
    await bridge.run(10_000_000)
    with pytest.raises(BridgeError, match="effects not taken"):
        await bridge.run(20_000_000)
    assert bridge.next_change == NEVER


@cocotb.test()
async def a_nic_that_breaks_a_rule_ends_the_run(top: Any) -> None:
    bridge = bridge_of(top)
    await until(bridge, 1000)
    bridge.mmio_write(1000, BURST, command(bridge.memory.base + 64, 8), 8)
    with pytest.raises(BridgeError, match=r"cycle 103: a write of 8 flits at 0x100000040; accepted are 1 up to"):
        await until(bridge, 5_000_000)


@cocotb.test()
async def a_nic_that_reads_across_a_boundary_ends_the_run(top: Any) -> None:
    bridge = bridge_of(top, max_read_bytes=128)
    await until(bridge, 1000)
    bridge.mmio_write(1000, READ, command(bridge.memory.base, 3), 8)
    with pytest.raises(BridgeError, match=r"cycle 102: a read of 3 flits at 0x100000000; .* multiple of 128 bytes"):
        await until(bridge, 5_000_000)


@cocotb.test()
async def a_nic_that_is_stuck_says_in_what(top: Any) -> None:
    bridge = bridge_of(top, bytes_per_second=10**6, overhead_bytes=5000, up_queue_bytes=0)
    await until(bridge, 1000)
    bridge.mmio_write(1000, BURST, command(bridge.memory.base, 1, 2), 8)
    with pytest.raises(BridgeError, match=r"busy for 1048576 cycles, and nothing moved; it drives to_host=1"):
        await until(bridge, 10**11)


# --- one result, however it is run ------------------------------------------------------------------------------------


@cocotb.test()
async def a_story(top: Any) -> None:
    """Software that answers what it sees, at random; all it ever saw goes to a file."""
    settings = json.loads(os.environ["STORY"])
    bridge = Bridge(
        top,
        memory_bytes=MEMORY,
        link=LinkParameters(**settings["link"]),
        lookahead=settings["lookahead"],
        skip_idle=settings["skip_idle"],
    )
    if "pins" in settings:
        bridge.record(Path(settings["pins"]))
    draw = random.Random(settings["seed"])
    base = bridge.memory.base
    log: list[tuple[Any, ...]] = []
    for page in range(16):
        bridge.watch(base + 2 * page * PAGE, PAGE, page)  # every other page
    times = np.cumsum([draw.choice((6_000, 7_000, 40_000, 900_000)) for _ in range(300)]) + 5_000_000
    delivered = frames_at(bridge, times.tolist(), [draw.randint(1, 300) for _ in times])

    def act(now: int) -> None:
        """One random thing that software may do."""
        line = base + 64 * draw.randrange(32 * PAGE // 64 - 200)
        choice = draw.randrange(7)
        if choice == 0:
            bridge.mmio_write(now, LINE, line, 8)
        elif choice == 1:
            bridge.mmio_read(now, 0, 100)
        elif choice == 2:
            bridge.mmio_write(now, BURST, command(line // 512 * 512, draw.randint(1, 8), 1), 8)
        elif choice == 3:
            bridge.mmio_write(now, BURST, command(line, 1, draw.randint(1, 99)), 8)
        elif choice == 4:
            bridge.mmio_write(now, READ, command(line // 512 * 512, draw.randint(1, 8)), 8)
        elif choice == 5:
            bridge.mmio_write(now, ALARM, now // 4000 + draw.randrange(5000), 8)
        else:
            start = (line - base) // 8
            bridge.memory.words[start] = now
            log.append(("memory", now, bridge.memory.words[start + 8 : start + 24].tolist()))

    # (time, order, is an effect): effects first at equal time
    events: list[tuple[int, int, Effect | None]] = [(draw.randrange(1, 60_000_000), 1, None) for _ in range(200)]
    end = 90_000_000
    events.append((end, 1, None))
    events.sort(key=lambda event: event[:2], reverse=True)
    while events:
        safe = await bridge.run(events[-1][0])
        events += [(effect[0], 0, effect) for effect in bridge.take_effects()]
        events.sort(key=lambda event: event[:2], reverse=True)
        while events and events[-1][0] <= safe:
            now, _, effect = events.pop()
            if bridge.next_change <= now:
                bridge.advance(now)
            if effect:
                log.append(("effect", *effect))
            if now < end and (effect is None or draw.random() < 0.1):
                act(now)
    sent = bridge.sent_frames()
    log.append(("sent", sent.times_ps.tolist(), sent.data.tobytes().hex()))
    log.append(("delivered", delivered.tolist()))
    log.append(("memory", bridge.memory.bytes[: 32 * PAGE].tobytes().hex()))
    counters = bridge.counters()
    log.append(("bytes", counters.bytes_up, counters.bytes_down))
    if "pins" in settings:
        Path(settings["pins"]).with_suffix(".hash").write_text(str(bridge.finish_record()))
    Path("story.json").write_text(json.dumps(log))
    Path("counters.json").write_text(json.dumps([counters.cycles, counters.cycles_skipped, counters.wakes]))
