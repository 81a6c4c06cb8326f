"""MmioDecoder: each access reaches the block that owns the register, in order, or nobody."""

import random
from collections import deque
from typing import Any

import pytest

from enso_nic.layouts import PipeOperationKind, PipeWord
from enso_nic.mmio import MmioDecoder
from enso_nic.registers import (
    EXTENSION_WORDS,
    FIRST_EXTENSION_PAGE,
    FIRST_NOTIFICATION_BUFFER_PAGE,
    FIRST_PIPE_DROPS_PAGE,
    FIRST_PIPE_MODE_PAGE,
    PAGE_BYTES,
    RX_HEAD,
    RX_MEM_HIGH,
    RX_MEM_LOW,
    RX_TAIL,
    TX_HEAD,
    TX_MEM_HIGH,
    TX_MEM_LOW,
    TX_TAIL,
    extension_register,
    notification_buffer_register,
    pipe_drops_register,
    pipe_mode_register,
    pipe_register,
)
from tests.rtl.contract import covers
from tests.rtl.stream_bench import Bench, Port, Sink, Source, fields

EXTENSION_DATA = 1000
"""What the extension page shows: this and the number of the word."""
LOW, HIGH, BOTH = 0x0F, 0xF0, 0xFF
PIPE, BUFFER = 8191, 1023
DATA = 0x01234567_89ABCDEF
TX_ERROR = EXTENSION_WORDS["tx_error"].number
LAST_WORD = FIRST_EXTENSION_PAGE * PAGE_BYTES + 4088
Request = dict[str, int]


def write(address: int, data: int = DATA, enables: int = BOTH) -> Request:
    """A write to the 8-byte word that holds the byte ``address``."""
    return {"address": address // 8, "data": data, "enables": enables, "write": 1}


def read(address: int, tag: int = 0) -> Request:
    return {"address": address // 8, "tag": tag, "write": 0}


def operation(kind: Any, page: int, **others: int) -> dict[str, Any]:
    return {"kind": kind, "index": page, **others}


def stored(page: int, *, head: int = 0, low: int = 0, high: int = 0, mode: int = 0, data: int = DATA) -> dict[str, int]:
    return {"index": page, "head": head, "low": low, "high": high, "mode": mode, "data": data}


def tx_access(buffer: int, word: int, *, write: int, enables: int = 3, data: int = DATA) -> dict[str, int]:
    return {"buffer": buffer, "word": word, "write": write} | ({"enables": enables, "data": data} if write else {})


def tx_value(access: Any) -> int:
    return 7000 + 10 * access.buffer + access.word


def stores(write: Any) -> bool:
    return bool(write.head or write.low or write.high or write.mode)


class Decoding:
    """A decoder, and what the blocks behind it are told; the TX registers hold ``tx_value``."""

    def __init__(self, requests: list[Request], *, rate: float = 1.0, seed: int = 1, is_open: int = 1) -> None:
        self.block = block = MmioDecoder()
        self.requests = Source(block.i, requests, rate)
        self.writes, self.accesses = Sink(block.write), Sink(block.tx_access, rate)
        self.settings = Sink(block.extension_write)
        self.operations = Sink(block.operation, rate)
        self.freed = Sink(block.freed, rate)
        self.answers = Source(block.tx_answer, rate=rate)
        self.is_open, self.extension_data = is_open, EXTENSION_DATA
        self._answered = 0
        ports: list[Port] = [self.requests, self.answers]
        ports += [self.writes, self.settings, self.accesses, self.operations, self.freed]
        self.bench = Bench(block, ports, seed, self.each_cycle)

    def each_cycle(self, context: Any, cycle: int) -> None:
        context.set(self.block.is_open, self.is_open)
        context.set(self.block.extension_data, self.extension_data + context.get(self.block.extension_word))
        reads = [access for access in self.accesses.got if not access.write]
        self.answers.items.extend(tx_value(access) for access in reads[self._answered :])
        self._answered = len(reads)

    async def done(self) -> None:
        await self.bench.until(lambda: not self.requests.items, 20000)
        await self.bench.cycles(3)

    def run(self) -> "Decoding":
        self.bench.simulate(self.done)
        return self

    def stored(self) -> list[dict[str, int]]:
        """Writes that store something."""
        return [fields(each) for each in self.writes.got if stores(each)]

    def told(self, *names: str) -> list[dict[str, Any]]:
        """These fields of the operations."""
        return [{name: getattr(each, name) for name in ("kind", "index", *names)} for each in self.operations.got]

    def accessed(self) -> list[dict[str, int]]:
        """Accesses to TX registers, without writes that change none."""
        return [
            tx_access(each.buffer, each.word, write=each.write, enables=each.enables, data=each.data)
            for each in self.accesses.got
            if each.enables or not each.write
        ]


HEAD_CHECK, TAIL_WRITE, REGISTER_READ = (
    PipeOperationKind.HEAD_CHECK,
    PipeOperationKind.TAIL_WRITE,
    PipeOperationKind.REGISTER_READ,
)
BUFFER_PAGE = FIRST_NOTIFICATION_BUFFER_PAGE + BUFFER

WRITES = {
    # (register, its enables): (stored, operations, TX accesses)
    (pipe_register(PIPE, RX_TAIL), LOW): ([], [TAIL_WRITE], []),
    (pipe_register(PIPE, RX_HEAD), HIGH): ([stored(PIPE, head=1)], [HEAD_CHECK], []),
    (pipe_register(PIPE, RX_MEM_LOW), LOW): ([stored(PIPE, low=1)], [], []),
    (pipe_register(PIPE, RX_MEM_HIGH), HIGH): ([stored(PIPE, high=1)], [], []),
    (pipe_register(PIPE, RX_TAIL), BOTH): ([stored(PIPE, head=1)], [TAIL_WRITE, HEAD_CHECK], []),
    (pipe_register(PIPE, RX_MEM_LOW), BOTH): ([stored(PIPE, low=1, high=1)], [], []),
    **{(pipe_register(PIPE, offset), BOTH): ([], [], []) for offset in range(TX_TAIL, 64, 8)},
    (notification_buffer_register(BUFFER, RX_TAIL), LOW): ([], [TAIL_WRITE], []),
    (notification_buffer_register(BUFFER, RX_HEAD), HIGH): ([stored(BUFFER_PAGE, head=1)], [], []),
    (notification_buffer_register(BUFFER, RX_MEM_LOW), LOW): ([stored(BUFFER_PAGE, low=1)], [], []),
    (notification_buffer_register(BUFFER, RX_MEM_HIGH), HIGH): ([stored(BUFFER_PAGE, high=1)], [], []),
    (notification_buffer_register(BUFFER, RX_TAIL), BOTH): ([stored(BUFFER_PAGE, head=1)], [TAIL_WRITE], []),
    (notification_buffer_register(BUFFER, RX_MEM_LOW), BOTH): ([stored(BUFFER_PAGE, low=1, high=1)], [], []),
    (notification_buffer_register(BUFFER, TX_TAIL), LOW): ([], [], [tx_access(BUFFER, 0, write=1, enables=1)]),
    (notification_buffer_register(BUFFER, TX_HEAD), HIGH): ([], [], [tx_access(BUFFER, 0, write=1, enables=2)]),
    (notification_buffer_register(BUFFER, TX_MEM_LOW), LOW): ([], [], [tx_access(BUFFER, 1, write=1, enables=1)]),
    (notification_buffer_register(BUFFER, TX_MEM_HIGH), HIGH): ([], [], [tx_access(BUFFER, 1, write=1, enables=2)]),
    (notification_buffer_register(BUFFER, TX_TAIL), BOTH): ([], [], [tx_access(BUFFER, 0, write=1)]),
    (notification_buffer_register(BUFFER, TX_MEM_LOW), BOTH): ([], [], [tx_access(BUFFER, 1, write=1)]),
    **{(notification_buffer_register(BUFFER, offset), BOTH): ([], [], []) for offset in range(32, 64, 8)},
    (extension_register("magic"), BOTH): ([], [], []),
    **{(pipe_mode_register(pipe), LOW): ([stored(pipe, mode=1)], [], []) for pipe in (0, 511, 512, 4096, PIPE)},
    (pipe_mode_register(PIPE), BOTH): ([stored(PIPE, mode=1)], [], []),
    (pipe_mode_register(PIPE), HIGH): ([], [], []),
    (pipe_drops_register(PIPE), BOTH): ([], [], []),
    (pipe_mode_register(0) - 8, BOTH): ([], [], []),
    (pipe_mode_register(PIPE) + 8, BOTH): ([], [], []),
    ((FIRST_EXTENSION_PAGE + 1) * PAGE_BYTES, BOTH): ([], [], []),
    ((1 << 27) - PAGE_BYTES, BOTH): ([], [], []),
}


@pytest.mark.parametrize(("address", "enables"), WRITES, ids=hex)
@covers("C-002", "C-003", "C-008", "C-033", "C-037", "C-159")
def test_writes(address: int, enables: int) -> None:
    expected, kinds, accesses = WRITES[address, enables]
    decoding = Decoding([write(address, enables=enables)]).run()
    assert decoding.stored() == expected
    page = address // PAGE_BYTES
    assert decoding.told("data") == [operation(kind, page, data=DATA) for kind in kinds]
    assert decoding.accessed() == accesses
    frees = page == BUFFER_PAGE and address % 64 < RX_MEM_LOW and enables & HIGH == HIGH
    assert decoding.freed.got == [BUFFER] * frees
    is_setting = page == FIRST_EXTENSION_PAGE
    assert [fields(each) for each in decoding.settings.got] == [{"word": address // 8 % 512, "data": DATA}] * is_setting


@covers("C-007", "C-037")
def test_a_register_is_written_only_with_all_four_byte_enables() -> None:
    """Whatever the enables of the other register of its word."""
    addresses = [
        pipe_register(1, RX_TAIL),
        pipe_register(1, RX_MEM_LOW),
        pipe_mode_register(1),
        notification_buffer_register(1, TX_TAIL),
        notification_buffer_register(1, TX_MEM_LOW),
    ]
    decoding = Decoding([write(address, enables=enables) for enables in range(256) for address in addresses]).run()
    low = [enables & LOW == LOW for enables in range(256)]
    high = [enables & HIGH == HIGH for enables in range(256)]
    assert decoding.stored() == [
        each
        for lower, upper in zip(low, high, strict=True)
        for each in (stored(1, head=upper), stored(1, low=lower, high=upper), stored(1, mode=lower))
        if each["head"] or each["low"] or each["high"] or each["mode"]
    ]
    assert [each["kind"] for each in decoding.told()] == [
        kind
        for lower, upper in zip(low, high, strict=True)
        for kind, is_told in ((TAIL_WRITE, lower), (HEAD_CHECK, upper))
        if is_told
    ]
    assert [each["enables"] for each in decoding.accessed()] == [
        lower + 2 * upper for lower, upper in zip(low, high, strict=True) for _ in range(2) if lower or upper
    ]


def test_a_word_of_the_extension_page_is_written_with_its_lower_half_and_the_upper_half_may_be_missing() -> None:
    """Then that counts as 0; alone it is ignored."""
    addresses = [extension_register("modes"), LAST_WORD]
    decoding = Decoding([write(address, enables=enables) for enables in range(256) for address in addresses]).run()
    assert [fields(each) for each in decoding.settings.got] == [
        {"word": address // 8 % 512, "data": DATA if enables == BOTH else DATA & 0xFFFFFFFF}
        for enables in range(256)
        for address in addresses
        if enables & LOW == LOW
    ]
    assert (decoding.stored(), decoding.told(), decoding.accessed()) == ([], [], [])


def test_the_tables_of_modes_and_drops_name_each_pipe_once() -> None:
    """Pipe by pipe, 8 bytes each, with nothing of other pages in between."""
    pipes = [*range(0, 8192, 97), 511, 512, PIPE]
    tables = {PipeWord.MODE: pipe_mode_register, PipeWord.DROPS: pipe_drops_register}
    decoding = Decoding([read(register(pipe)) for register in tables.values() for pipe in pipes]).run()
    assert decoding.told("word") == [operation(REGISTER_READ, pipe, word=word) for word in tables for pipe in pipes]
    writing = Decoding([write(pipe_mode_register(pipe)) for pipe in pipes]).run()
    assert writing.stored() == [stored(pipe, mode=1) for pipe in pipes]


INDICES, MEMORY, MODE, DROPS, OTHER = tuple(PipeWord)

READS = {
    # register: (page, what is asked of the blocks behind, data)
    pipe_register(PIPE, RX_TAIL): (PIPE, INDICES, 0),
    pipe_register(PIPE, RX_MEM_LOW): (PIPE, MEMORY, 0),
    **{pipe_register(PIPE, offset): (PIPE, OTHER, 0) for offset in range(TX_TAIL, 64, 8)},
    notification_buffer_register(BUFFER, RX_TAIL): (BUFFER_PAGE, INDICES, 0),
    notification_buffer_register(BUFFER, RX_MEM_LOW): (BUFFER_PAGE, MEMORY, 0),
    notification_buffer_register(BUFFER, TX_TAIL): (BUFFER_PAGE, OTHER, 7000 + 10 * BUFFER),
    notification_buffer_register(BUFFER, TX_MEM_LOW): (BUFFER_PAGE, OTHER, 7000 + 10 * BUFFER + 1),
    **{notification_buffer_register(BUFFER, offset): (BUFFER_PAGE, OTHER, 0) for offset in range(32, 64, 8)},
    pipe_mode_register(PIPE): (PIPE, MODE, 0),
    pipe_mode_register(0): (0, MODE, 0),
    pipe_drops_register(PIPE): (PIPE, DROPS, 0),
    pipe_drops_register(0): (0, DROPS, 0),
    extension_register("magic"): (FIRST_EXTENSION_PAGE, OTHER, EXTENSION_DATA),
    extension_register("tx_error"): (FIRST_EXTENSION_PAGE, OTHER, EXTENSION_DATA + TX_ERROR),
    LAST_WORD: (FIRST_EXTENSION_PAGE, OTHER, EXTENSION_DATA + 511),
}


@pytest.mark.parametrize("address", READS, ids=hex)
@covers("C-011")
def test_a_read_takes_its_answer_along_where_the_rx_blocks_do_not_have_it(address: int) -> None:
    """The pipe manager and the notifier replace the 0 of their own words."""
    page, word, data = READS[address]
    decoding = Decoding([read(address, tag=99)]).run()
    assert decoding.told("word", "tag", "data") == [operation(REGISTER_READ, page, word=word, tag=99, data=data)]
    assert (decoding.stored(), decoding.settings.got) == ([], [])


@pytest.mark.parametrize(
    "page",
    [
        *(FIRST_EXTENSION_PAGE + 1, FIRST_PIPE_MODE_PAGE - 1, FIRST_PIPE_DROPS_PAGE + 16),
        *(FIRST_PIPE_MODE_PAGE + 16384, FIRST_PIPE_DROPS_PAGE + 16384),
        *(FIRST_EXTENSION_PAGE + 16384, 16384, 16384 + PIPE, 24576, 32767),
    ],
)
@covers("C-005")
def test_pages_beyond_the_map_read_as_0_and_do_not_alias(page: int) -> None:
    decoding = Decoding([read(page * PAGE_BYTES), write(page * PAGE_BYTES), write(page * PAGE_BYTES + 8)]).run()
    assert decoding.told("word", "data") == [operation(REGISTER_READ, FIRST_EXTENSION_PAGE, word=OTHER, data=0)]
    assert (decoding.stored(), decoding.accessed(), decoding.settings.got) == ([], [], [])


@pytest.mark.parametrize("alias", [64, 2048, 4032])
@covers("C-004")
def test_the_registers_of_a_page_repeat_every_64_bytes(alias: int) -> None:
    addresses = [address for address, _ in WRITES if address // PAGE_BYTES < FIRST_EXTENSION_PAGE]
    requests = [each for address in addresses for each in (write(address), read(address))]
    aliases = [request | {"address": request["address"] + alias // 8} for request in requests]
    first, second = Decoding(requests).run(), Decoding(aliases).run()
    assert second.stored() == first.stored()
    assert second.accessed() == first.accessed()
    assert second.told("word", "data") == first.told("word", "data")


def test_a_word_of_the_extension_page_does_not_change_while_its_answer_waits() -> None:
    decoding = Decoding([read(extension_register("rx_frames"))])
    decoding.operations.rate = 0

    async def story() -> None:
        await decoding.bench.cycles(5)
        decoding.extension_data += 1
        await decoding.bench.cycles(5)
        decoding.operations.rate = 1
        await decoding.done()

    decoding.bench.simulate(story)
    assert len(decoding.operations.got) == 1


@covers("C-155")
def test_accesses_wait_until_the_tables_are_clear() -> None:
    decoding = Decoding([write(pipe_register(1, RX_MEM_LOW)), read(pipe_register(1, 0))], is_open=0)

    async def story() -> None:
        await decoding.bench.cycles(20)
        assert not decoding.requests.taken_at
        decoding.is_open = 1
        await decoding.done()

    decoding.bench.simulate(story)
    assert len(decoding.stored()) == len(decoding.operations.got) == 1


def test_an_operation_leaves_as_its_access_comes() -> None:
    decoding = Decoding([write(pipe_register(i, RX_HEAD), enables=HIGH) for i in range(20)]).run()
    assert decoding.operations.got_at == decoding.requests.taken_at == list(range(20))


@pytest.mark.parametrize(("seed", "rate"), [(1, 1.0), (2, 0.5), (3, 0.2)])
@covers("C-010", "C-147")
def test_any_accesses_stay_in_order_under_any_stalls(seed: int, rate: float) -> None:
    """Also across the streams: what was stored before an operation was asked for is stored when it leaves."""
    draw = random.Random(seed)
    writes, reads = list(WRITES), list(READS)
    requests: list[Request] = []
    settings: list[dict[str, int]] = []
    words: list[Any] = []
    expected_stored: list[tuple[int, Any]] = []
    expected_operations: list[tuple[int, Any]] = []
    accesses: list[Any] = []
    for i in range(300):
        if draw.random() < 0.5:
            address, enables = draw.choice(writes)
            data = draw.getrandbits(64)
            requests.append(write(address, data, enables))
            store, kinds, tx = WRITES[address, enables]
            expected_stored += [(i, each | {"data": data}) for each in store]
            expected_operations += [(i, operation(kind, address // PAGE_BYTES, data=data)) for kind in kinds]
            accesses += [each | {"data": data} for each in tx]
            if address // PAGE_BYTES == FIRST_EXTENSION_PAGE:
                settings.append({"word": address // 8 % 512, "data": data})
        else:
            address = draw.choice(reads)
            page, word, data = READS[address]
            requests.append(read(address))
            expected_operations.append((i, operation(REGISTER_READ, page, data=data)))
            words.append(word)
            if page == BUFFER_PAGE and TX_TAIL <= address % 64 < 32:
                accesses.append(tx_access(BUFFER, address % 64 // 8 - 2, write=0))

    decoding = Decoding(requests, rate=rate, seed=seed).run()
    assert decoding.stored() == [each for _, each in expected_stored], f"seed {seed}"
    assert decoding.told("data") == [each for _, each in expected_operations]
    assert [each.word for each in decoding.operations.got if each.kind == REGISTER_READ] == words
    assert decoding.accessed() == accesses
    assert [fields(each) for each in decoding.settings.got] == settings

    effective = [cycle for each, cycle in zip(decoding.writes.got, decoding.writes.got_at, strict=True) if stores(each)]
    stored_at = deque(zip((i for i, _ in expected_stored), effective, strict=True))
    for (i, _), left in zip(expected_operations, decoding.operations.got_at, strict=True):
        while stored_at and stored_at[0][0] < i:
            assert stored_at.popleft()[1] < left, f"access {i} of seed {seed} overtook a write"
