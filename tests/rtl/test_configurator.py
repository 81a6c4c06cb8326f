"""Configurator: what each config request asks for, what it sets, and how it ends."""

import random
from typing import Any

import pytest
from amaranth.hdl import ResetInserter, Signal

from enso_nic.configurator import Configurator
from enso_nic.layouts import ConfigCode, FlowOperationKind
from tests.rtl.contract import covers
from tests.rtl.golden.steering import Key
from tests.rtl.nic_software import fallback_slot, flow_slot, rate_limit_slot, timestamp_slot
from tests.rtl.stream_bench import Bench, Sink, Source, fields

OK, UNKNOWN, TABLE_FULL, NOT_FOUND = tuple(ConfigCode)
KEY = Key(0x1122, 0x3344, 0x55667788, 0x99AABBCC)
FLOW_KINDS = dict(zip((1, 0x100, 0x101), tuple(FlowOperationKind), strict=True))
OFF: dict[str, dict[str, int]] = {
    "timestamp": {"offset": 0, "enable": 0},
    "rate_limit": {"numerator": 0, "denominator": 0, "enable": 0},
    "fallback": {"mask": 0, "enable": 0, "round_robin": 0},
}


class Configuring:
    """The block, and a flow table behind it that answers as ``flow_codes`` says, the last of which stays."""

    def __init__(self, rate: float = 1.0) -> None:
        self.block = Configurator()
        self.reset = Signal()
        self.requests, self.flow = Source(self.block.config), Sink(self.block.flow, rate)
        self.codes: list[ConfigCode] = []
        self.flow_codes = [OK]
        self.bench = Bench(ResetInserter(self.reset)(self.block), [self.requests, self.flow], 1, self.each_cycle)

    def each_cycle(self, context: Any, cycle: int) -> None:
        takes_flow = context.get(self.block.flow.valid) and context.get(self.block.flow.ready)
        # meaningless but in the cycle of the acceptance
        context.set(self.block.flow_code, self.flow_codes[0] if takes_flow else UNKNOWN)
        if takes_flow and len(self.flow_codes) > 1:
            self.flow_codes.pop(0)
        if context.get(self.block.config.valid) and context.get(self.block.config.ready):
            self.codes.append(context.get(self.block.config_code))

    async def request(self, slot: bytes) -> ConfigCode:
        """Give it this slot's request, until that is accepted; its code."""
        body = int.from_bytes(slot[16:], "little")
        self.requests.items.append({"id": int.from_bytes(slot[8:16], "little"), "body": body})
        await self.bench.until(lambda: not self.requests.items)
        return self.codes[-1]

    def settings(self) -> dict[str, Any]:
        return {name: fields(self.bench.context.get(getattr(self.block, name))) for name in OFF}


def slot(number: int, body: bytes) -> bytes:
    return b"\2".ljust(8, b"\0") + number.to_bytes(8, "little") + body.ljust(48, b"\xa5")


@covers("C-140")
def test_after_reset_all_is_off() -> None:
    it = Configuring()

    async def story() -> None:
        assert it.settings() == OFF
        await it.request(timestamp_slot(enable=True, offset=8))
        await it.request(rate_limit_slot(enable=True, numerator=3, denominator=4))
        await it.request(fallback_slot(4, 3, round_robin=True))
        it.bench.context.set(it.reset, 1)
        await it.bench.cycles(1)
        assert it.settings() == OFF

    it.bench.simulate(story)


@pytest.mark.parametrize(("number", "kind"), FLOW_KINDS.items())
def test_a_request_about_a_rule_is_asked_of_the_flow_table_and_ends_with_its_code(
    number: int, kind: FlowOperationKind
) -> None:
    it = Configuring(rate=0.2)

    async def story() -> None:
        it.flow_codes = [OK, TABLE_FULL, NOT_FOUND]
        assert [await it.request(flow_slot(KEY, 8191, number)) for _ in range(3)] == [OK, TABLE_FULL, NOT_FOUND]
        assert it.settings() == OFF

    it.bench.simulate(story)
    asked = {"kind": kind, "rule": {"key": KEY._asdict(), "pipe": 8191}}
    assert [fields(got) for got in it.flow.got] == [asked] * 3
    assert it.requests.taken_at == it.flow.got_at, "accepted when the flow table accepts it"


@pytest.mark.parametrize(
    ("enable", "offset", "expected"),
    [
        ((1 << 64) - 1, 18, {"offset": 18, "enable": 1}),
        (1 << 63, 0, {"offset": 0, "enable": 1}),
        ((1 << 63) - 1, 60, {"offset": 60, "enable": 0}),
        (1 << 63, 61, {"offset": 60, "enable": 1}),
        (1 << 63, 1 << 63, {"offset": 60, "enable": 1}),
        (1 << 63, 64, {"offset": 60, "enable": 1}),
    ],
)
@covers("C-134", "C-136")
def test_a_timestamp_is_enabled_by_one_bit_and_lies_within_the_first_flit(
    enable: int, offset: int, expected: dict[str, int]
) -> None:
    it = Configuring()

    async def story() -> None:
        body = enable.to_bytes(8, "little") + offset.to_bytes(8, "little")
        assert await it.request(slot(2, body)) == OK
        assert it.settings() == {**OFF, "timestamp": expected}

    it.bench.simulate(story)


@pytest.mark.parametrize(("enable", "enabled"), [((1 << 32) - 1, 1), (1 << 31, 1), ((1 << 31) - 1, 0), (0, 0)])
@covers("C-134")
def test_the_rate_limit_is_enabled_by_one_bit(enable: int, enabled: int) -> None:
    it = Configuring()

    async def story() -> None:
        body = b"".join(value.to_bytes(size, "little") for value, size in ((148, 2), (125, 2), (enable, 4)))
        assert await it.request(slot(3, body)) == OK
        assert it.settings() == {**OFF, "rate_limit": {"numerator": 125, "denominator": 148, "enable": enabled}}

    it.bench.simulate(story)


@pytest.mark.parametrize("pipes", [0, 1, 5, 1 << 31])
@pytest.mark.parametrize(("round_robin", "by_count"), [((1 << 63) - 1, 0), (1 << 63, 1), ((1 << 64) - 1, 1)])
@covers("C-074", "C-134")
def test_the_fallback_is_enabled_by_a_number_of_pipes(pipes: int, round_robin: int, by_count: int) -> None:
    it = Configuring()

    async def story() -> None:
        body = b"".join(value.to_bytes(size, "little") for value, size in ((pipes, 4), (8191, 4), (round_robin, 8)))
        assert await it.request(slot(4, body)) == OK
        expected = {"mask": 8191, "enable": int(pipes > 0), "round_robin": by_count}
        assert it.settings() == {**OFF, "fallback": expected}

    it.bench.simulate(story)


@pytest.mark.parametrize("number", [0, 5, 6, 0xFF, 0x102, 0x103, 1 << 32 | 1, 1 << 63 | 2, 1 << 40 | 0x100])
@covers("C-133")
def test_other_ids_are_unknown_and_change_nothing(number: int) -> None:
    it = Configuring()

    async def story() -> None:
        assert await it.request(slot(number, b"\xff" * 48)) == UNKNOWN
        assert it.settings() == OFF

    it.bench.simulate(story)
    assert not it.flow.got


def test_requests_are_accepted_in_each_cycle_but_for_those_that_wait_for_the_flow_table() -> None:
    draw = random.Random(1)
    it = Configuring(rate=0.3)
    slots = [
        draw.choice([flow_slot(KEY, 3), timestamp_slot(enable=True, offset=4), fallback_slot(2, 1), slot(9, b"")])
        for _ in range(60)
    ]

    async def story() -> None:
        for each in slots:
            body = int.from_bytes(each[16:], "little")
            it.requests.items.append({"id": each[8], "body": body})
        await it.bench.until(lambda: not it.requests.items)

    it.bench.simulate(story)
    taken_at = it.requests.taken_at
    for before, now, each in zip(taken_at[:-1], taken_at[1:], slots[1:], strict=True):
        assert each[8] == 1 or now == before + 1
    assert it.codes == [UNKNOWN if each[8] == 9 else OK for each in slots]
