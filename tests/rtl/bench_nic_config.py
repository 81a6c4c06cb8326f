"""Steering and config requests, rule by rule, judged by the golden model as in bench_nic."""

from typing import Any

import cocotb

from tests.rtl.contract import covers
from tests.rtl.golden.steering import steering_key
from tests.rtl.nic_bench import Conditions
from tests.rtl.nic_frames import ipv4, tcp, udp
from tests.rtl.nic_software import config_slot, fallback_slot, flow_slot, rate_limit_slot, timestamp_slot
from tests.rtl.open_nic import CONFIG, PORT, SLOTS, OpenNic, key_of, nic

INSERT, DELETE, STATUS = 1, 0x100, 0x101
OK, UNKNOWN, TABLE_FULL, NOT_FOUND = 0, 3, 4, 5
PLACES = 4 * CONFIG.flow_entries


async def codes(it: OpenNic, *requests: bytes) -> list[int]:
    """The codes with which these requests complete, the rest of their completions being as it must."""
    start = it.golden.transmit.rings[0].fetched
    await it.software.publish(0, *requests)
    await it.bench.settle()
    lines = [it.bench.host.load(it.software.slot_address(0, start + i, tx=True)) for i in range(len(requests))]
    for line, request in zip(lines, requests, strict=True):
        assert line[:8] == bytes(8)
        assert line[8:16] == request[8:16], "a completion names its config request"
        assert line[32:] == bytes(32)
    return [int.from_bytes(line[24:32], "little") for line in lines]


# --- flow rules -------------------------------------------------------------------------------------------------------


@cocotb.test()
@covers("C-066", "C-067", "C-068", "C-069", "C-070")
async def each_kind_of_frame_is_steered_by_its_key(dut: Any) -> None:
    it = await nic(dut)
    ports = (4000).to_bytes(2, "big") + (PORT + 3).to_bytes(2, "big")
    frames = [
        tcp(PORT + 3),
        tcp(PORT + 3, flags=0x02),
        tcp(PORT + 4, flags=0x12),
        ipv4(bytes(26), protocol=1, destination=77),
        ipv4(ports + bytes(22), fragment_offset=5, destination=78),
        ipv4(ports + bytes(22), fragment_offset=0x2000, destination=79),
        ipv4(ports + bytes(52), options=6, destination=80),
        ipv4(ports + bytes(52), options=7, destination=81),
        ipv4(ports + bytes(52), options=4, destination=82, protocol=6),
        ipv4(ports + bytes(52), options=5, destination=83, protocol=6),
        ipv4(ports[:3], destination=84, trailer=bytes(30)),
        ipv4(ports, destination=85, trailer=bytes(30)),
        ipv4(ports + bytes(9), destination=86, protocol=6, trailer=bytes(30)),
    ]
    keys = list(dict.fromkeys(steering_key(frame) for frame in frames))
    assert len(keys) == 13, f"{len(keys)} keys"
    await it.receive(*frames)
    assert it.counters["no_flow"] == len(frames)
    for number, key in enumerate(keys):
        await it.software.publish(0, flow_slot(key, 1 + number % 2))
        await it.bench.settle()
        it.software.write_notification_head(0, it.golden.to_host.rings[0].tail)
    await it.receive(*frames)
    assert it.counters["no_flow"] == len(frames)


@cocotb.test()
@covers("C-071", "C-077", "C-082", "C-083")
async def a_rule_is_inserted_overwritten_asked_for_and_deleted(dut: Any) -> None:
    it = await nic(dut)
    key, other = key_of(PORT + 3), key_of(PORT + 4)
    assert await codes(it, flow_slot(key, 0, STATUS), flow_slot(key, 0, DELETE)) == [NOT_FOUND] * 2
    assert await codes(it, flow_slot(key, 1), flow_slot(other, 1), flow_slot(key, 2)) == [OK] * 3
    await it.receive(udp(PORT + 3), udp(PORT + 4))
    assert [it.golden.receive.pipes[pipe].tail for pipe in (1, 2)] == [1, 1]
    # neither question nor deletion looks at the pipe
    assert await codes(it, flow_slot(key, 7, STATUS), flow_slot(key, 7, DELETE), flow_slot(key, 7, STATUS)) == [
        OK,
        OK,
        NOT_FOUND,
    ]
    await it.receive(udp(PORT + 3), udp(PORT + 4))
    assert [it.golden.receive.pipes[pipe].tail for pipe in (1, 2)] == [2, 1]
    await it.counts(no_flow=1, flow_inserts_failed=0)


@cocotb.test()
@covers("C-079", "C-081")
async def rules_make_way_until_the_table_is_full_and_one_without_a_place_changes_nothing(dut: Any) -> None:
    it = await nic(dut)
    ended: list[int] = []
    for port in range(PLACES + 8):
        ended += await codes(it, flow_slot(key_of(port), 1))
    failed = [port for port, code in enumerate(ended) if code == TABLE_FULL]
    assert set(ended) == {OK, TABLE_FULL}
    assert failed[0] > 0.85 * PLACES
    for port in range(PLACES + 8):
        await it.receive(udp(port))
        it.software.write_head(1, it.golden.receive.pipes[1].tail)
        it.software.write_notification_head(0, it.golden.to_host.rings[0].tail)
    # the rules of the beginning are still there
    assert await codes(it, *(flow_slot(key_of(PORT + pipe), 0, STATUS) for pipe in (1, 2))) == [OK, OK]
    await it.counts(flow_inserts_failed=len(failed), no_flow=len(failed))


@cocotb.test()
@covers("C-076", "C-080")
async def no_frame_misses_its_rule_while_others_come_and_rules_are_moved(dut: Any) -> None:
    it = await nic(dut, Conditions(wire_in=90))
    moved = 0
    for port in range(PLACES - 4):
        before = it.golden.receive.steerings[-1].rules
        for _ in range(6):
            it.bench.receive(udp(PORT + 1))
        await it.software.publish(0, flow_slot(key_of(port), 2))
        # rules that are surely there, because no more requests than slots are on their way
        for watched in range(max(0, port - SLOTS - 20), port - SLOTS):
            it.bench.receive(udp(watched))
        it.software.write_head(1, it.golden.receive.pipes[1].tail)
        it.software.write_head(2, it.golden.receive.pipes[2].tail)
        if port % 8 == 7:
            await it.bench.settle()
            it.software.write_notification_head(0, it.golden.to_host.rings[0].tail)
        after = it.golden.receive.steerings[-1].rules
        moved += sum(after[place] != rule for place, rule in before.items())
    await it.bench.settle()
    assert moved > 0, "no rule was moved"
    await it.counts(no_flow=0, flow_inserts_failed=0)


@cocotb.test()
@covers("C-027", "C-030")
async def a_rule_may_name_a_pipe_that_does_not_exist(dut: Any) -> None:
    it = await nic(dut)
    await it.software.publish(0, flow_slot(key_of(PORT + 1), CONFIG.pipes), flow_slot(key_of(PORT + 2), 8191))
    await it.bench.settle()
    await it.receive(udp(PORT + 1), udp(PORT + 2, 1000))
    await it.counts(pipe_disabled=2)


# --- frames without a rule --------------------------------------------------------------------------------------------


@cocotb.test()
@covers("C-072", "C-073", "C-074", "C-140")
async def frames_without_a_rule_go_to_the_fallback_pipes_or_nowhere(dut: Any) -> None:
    it = await nic(dut)
    await it.receive(udp(1), udp(2, 500))
    await it.counts(no_flow=2)
    for pipe in range(4):
        it.software.open_pipe(pipe, 0)
    await it.software.publish(0, fallback_slot(5, 3))
    await it.bench.settle()
    await it.receive(*(udp(port) for port in range(20)))
    assert it.counters["no_flow"] == 2
    assert all(it.golden.receive.pipes[pipe].tail for pipe in range(4))
    await it.software.publish(0, fallback_slot(0, 3))
    await it.bench.settle()
    await it.receive(udp(1))
    await it.counts(no_flow=3)


@cocotb.test()
@covers("C-075")
async def round_robin_takes_the_fallback_pipes_in_turn_frame_by_frame(dut: Any) -> None:
    it = await nic(dut)
    for pipe in range(4):
        it.software.open_pipe(pipe, 0)
    assert await codes(it, fallback_slot(4, 3, round_robin=True)) == [OK]
    for number in range(10):
        await it.receive(udp(1), udp(PORT + 2), udp(7 * number))
    # of 20 frames without a rule each pipe has a quarter, whatever their keys; 10 more have their rule
    assert [it.golden.receive.pipes[pipe].tail for pipe in range(4)] == [5, 5, 15, 5]
    assert await codes(it, fallback_slot(4, 1)) == [OK]
    await it.receive(*[udp(1)] * 6)
    tails = [it.golden.receive.pipes[pipe].tail for pipe in range(4)]
    assert tails in ([11, 5, 15, 5], [5, 11, 15, 5]), "by hash they go to one pipe"
    await it.counts(no_flow=0)


# --- the others -------------------------------------------------------------------------------------------------------


@cocotb.test()
@covers("C-108", "C-130", "C-131", "C-133")
async def config_requests_complete_in_order_with_their_codes(dut: Any) -> None:
    it = await nic(dut)
    requests = {
        config_slot(0): UNKNOWN,
        timestamp_slot(enable=False, offset=18): OK,
        flow_slot(key_of(5), 3): OK,
        config_slot(5): UNKNOWN,
        rate_limit_slot(enable=False, numerator=1, denominator=2): OK,
        flow_slot(key_of(6), 3, DELETE): NOT_FOUND,
        fallback_slot(2, 1): OK,
        flow_slot(key_of(5), 3, STATUS): OK,
        config_slot(0x102): UNKNOWN,
        config_slot(1 << 32 | 1): UNKNOWN,
        config_slot(1 << 63 | 0x100): UNKNOWN,
    }
    assert await codes(it, *requests) == list(requests.values())
