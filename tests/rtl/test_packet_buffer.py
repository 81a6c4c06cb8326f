"""PacketBuffer: of what was committed comes out what was asked for, once, in order."""

import random
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from enso_nic.config import FLIT_BYTES, TINY
from enso_nic.packet_buffer import PacketBuffer
from tests.rtl.contract import covers
from tests.rtl.golden.steering import flits
from tests.rtl.stream_bench import Bench, Port, Sink, Source

DEPTH, MAXIMUM = TINY.packet_buffer_flits, TINY.maximum_frame_flits
GARBAGE = bytes([0x45]) * FLIT_BYTES
"""What the parser has in a last flit beyond the frame."""


@dataclass(frozen=True)
class Frame:
    """What the writer does with a frame, and what its reader asks for; ``unkept``: flits at its end not to be kept."""

    content: bytes
    stays: bool = True
    unkept: int = 0
    kept: int | None = None  # bytes; None: all
    header: bool = False
    drop: bool = False
    drops: int = 0
    arrival: int = 0
    hash: int = 0

    def flits(self) -> list[int]:
        """As the parser writes them."""
        pieces = [self.content[start : start + FLIT_BYTES] for start in range(0, len(self.content), FLIT_BYTES)]
        return [int.from_bytes(piece + GARBAGE[len(piece) :], "little") for piece in pieces]

    @property
    def read(self) -> dict[str, int]:
        kept = len(self.content) if self.kept is None else self.kept
        others = {"drop": self.drop, "header": self.header, "drops": self.drops}
        return {"length": len(self.content), "kept": kept} | others

    @property
    def details(self) -> dict[str, int]:
        return {"arrival": self.arrival, "hash": self.hash}

    def shown(self) -> list[int]:
        """What comes out."""
        if self.drop:
            return []
        words = ((len(self.content), 4), (self.hash, 4), (self.arrival, 8), (self.drops, 4))
        header = b"".join(value.to_bytes(size, "little") for value, size in words).ljust(FLIT_BYTES, b"\0")
        lines = [header] * self.header + flits(self.content[: self.kept])
        return [int.from_bytes(line, "little") for line in lines]

    def freed(self) -> list[int]:
        """How many flits leave the memory with each that comes out: those that are not shown go with the last."""
        shown, stored = len(flits(self.content[: self.kept])), len(self.flits())
        return [] if self.drop else [0] * self.header + [1] * (shown - 1) + [stored - shown + 1]


class Buffer:
    """A buffer whose writer asks for room as each frame begins, and whose reader knows what was committed.

    ``has_room`` is compared in each cycle with what it must be.
    """

    def __init__(
        self, *, write_rate: float = 1.0, read_rate: float = 1.0, out_rate: float = 1.0, seed: int = 1
    ) -> None:
        self.block = PacketBuffer(TINY)
        self.flits = Source(self.block.flit, rate=write_rate)
        self.reads, self.details = Source(self.block.read, rate=read_rate), Source(self.block.details, rate=read_rate)
        self.out = Sink(self.block.o, out_rate)
        self.frames: deque[Frame] = deque()
        self.reads_at_once = True
        self.expected: list[int] = []
        self.valid: list[int] = []
        self.waited_for_room = False
        ports: list[Port] = [self.flits, self.reads, self.details, self.out]
        self.bench = Bench(self.block, ports, seed, self.each_cycle)
        self._begun: deque[Frame] = deque()
        self._freed: list[int] = []  # beside each of ``expected``
        self._committed: deque[Frame] = deque()  # not asked for yet
        self._asked: deque[Frame] = deque()
        self._under_way = self._kept = self._dropped = 0  # flits

    def each_cycle(self, context: Any, cycle: int) -> None:
        self.valid.append(context.get(self.block.o.valid))
        if context.get(self.block.idle):
            assert not self.valid[-1]
            assert not self.reads.shows, "idle with a read"
        while len(self._asked) > len(self.reads.items):
            taken = self._asked.popleft()
            self._dropped += len(taken.flits()) if taken.drop else 0

        if context.get(self.block.flit.valid):
            self._flit(context.get(self.block.flit.payload))
        # flits that left the memory before this cycle: those with what was taken, and with what is shown
        left = sum(self._freed[: len(self.out.got) + self.valid[-1]]) + self._dropped
        has_room = context.get(self.block.has_room)
        used = self._kept + self._under_way - left
        assert has_room == (DEPTH - used >= MAXIMUM), f"{used} flits are in use"
        if self.reads_at_once:
            self.ask()
        if self.frames and len(self.flits.items) <= context.get(self.block.flit.valid):
            self.waited_for_room |= not has_room
            if has_room:
                self._begin(self.frames.popleft())

    def _flit(self, flit: Any) -> None:
        self._under_way += flit.write
        if flit.commit:
            self._kept += self._under_way
            self._committed.append(self._begun[0])
        if flit.commit or flit.rollback:
            self._under_way = 0
            self._begun.popleft()

    def _begin(self, frame: Frame) -> None:
        self._begun.append(frame)
        all_flits = frame.flits()
        for i, flit in enumerate(all_flits):
            ends = i == len(all_flits) - 1
            write = i < len(all_flits) - frame.unkept
            self.flits.items.append(
                {"data": flit, "write": write, "commit": ends and frame.stays, "rollback": ends and not frame.stays}
            )

    def ask(self) -> None:
        """Read or drop each frame that was committed."""
        while self._committed:
            frame = self._committed.popleft()
            self.expected += frame.shown()
            self._freed += frame.freed()
            self.reads.items.append(frame.read)
            self.details.items.append(frame.details)
            self._asked.append(frame)

    async def written(self) -> None:
        await self.bench.until(lambda: not self.frames and not self.flits.items)

    async def drained(self) -> None:
        await self.written()
        await self.bench.until(lambda: not self.reads.items)
        await self.bench.until(lambda: len(self.out.got) == len(self.expected))

    def check(self) -> None:
        assert self.out.got == self.expected
        assert self.details.taken_at == self.reads.taken_at, "each read takes the details of its frame"


def frames_of(lengths: Iterable[int], **others: Any) -> list[Frame]:
    """Frames of so many flits, all of them different."""
    return [
        Frame(b"".join((i << 16 | flit).to_bytes(FLIT_BYTES, "big") for flit in range(length)), **others)
        for i, length in enumerate(lengths)
    ]


def random_frame(draw: random.Random) -> Frame:
    length = draw.choice([draw.randint(1, 200), draw.randint(1, TINY.maximum_frame), 64, 128, TINY.maximum_frame])
    stays = draw.random() < 0.8
    return Frame(
        draw.randbytes(length),
        stays=stays,
        unkept=0 if stays else draw.choice([0, 0, 1, 3]),
        kept=draw.choice([length, draw.randint(1, length), min(length, 64)]),
        header=draw.random() < 0.5,
        drop=draw.random() < 0.2,
        drops=draw.getrandbits(32),
        arrival=draw.getrandbits(64),
        hash=draw.getrandbits(32),
    )


@pytest.mark.parametrize(("write_rate", "read_rate", "out_rate"), [(1.0, 1.0, 1.0), (1.0, 0.8, 0.3), (0.5, 1.0, 0.9)])
@pytest.mark.parametrize("seed", [1, 2])
@covers("C-044", "C-147")
def test_what_was_committed_comes_out_in_order(seed: int, write_rate: float, read_rate: float, out_rate: float) -> None:
    """Over many laps of the ring, with rollbacks, headers, bytes and flits that are not kept, drops and stalls."""
    draw = random.Random(seed)
    buffer = Buffer(write_rate=write_rate, read_rate=read_rate, out_rate=out_rate, seed=seed)
    buffer.frames.extend(random_frame(draw) for _ in range(300))

    async def story() -> None:
        await buffer.bench.until(lambda: not buffer.frames, 12000)
        await buffer.drained()

    buffer.bench.simulate(story)
    buffer.check()
    assert len(buffer.expected) > 4 * DEPTH, f"seed {seed}"
    assert buffer.waited_for_room == (out_rate == 0.3)


@pytest.mark.parametrize(("flits", "unkept"), [(3, 0), (1, 0), (2, 1), (1, 1)])
@covers("C-058")
def test_a_rolled_back_frame_leaves_nothing(flits: int, unkept: int) -> None:
    """Whether or not its last flit was to be kept."""
    buffer = Buffer()
    bad = Frame(bytes([9]) * FLIT_BYTES * flits, stays=False, unkept=unkept)
    first, second, third = frames_of([2, 1, 3])
    buffer.frames.extend([first, bad, second, bad, bad, third])
    buffer.bench.simulate(buffer.drained)
    buffer.check()
    assert buffer.expected == [*first.flits(), *second.flits(), *third.flits()]


def test_flits_that_are_not_kept_overwrite_nothing() -> None:
    """As of a giant that comes when there is just room for a longest frame."""
    buffer = Buffer()
    buffer.reads_at_once = False

    async def story() -> None:
        buffer.frames.extend(frames_of([1] * (DEPTH - MAXIMUM)))
        buffer.frames.append(Frame(bytes(FLIT_BYTES * (MAXIMUM + DEPTH)), stays=False, unkept=DEPTH))
        await buffer.written()
        buffer.reads_at_once = True
        await buffer.drained()

    buffer.bench.simulate(story)
    buffer.check()


@covers("C-063")
def test_there_is_room_exactly_while_a_longest_frame_fits() -> None:
    """``each_cycle`` compares; this makes the buffer full to the last flit, and frees it by a rollback."""
    buffer = Buffer()
    buffer.reads_at_once = False
    singles = DEPTH - 2 * MAXIMUM
    assert singles > MAXIMUM

    async def story() -> None:
        buffer.frames.extend(frames_of([1] * singles))
        (longest,) = frames_of([MAXIMUM])
        buffer.frames.extend([replace(longest, stays=False), longest, longest])
        await buffer.written()
        assert not buffer.bench.context.get(buffer.block.has_room)
        assert len(buffer.flits.taken_at) == DEPTH + MAXIMUM
        buffer.frames.extend(frames_of([1]))
        await buffer.bench.cycles(20)
        assert buffer.frames, "a full buffer takes no frame"
        buffer.reads_at_once = True
        await buffer.drained()

    buffer.bench.simulate(story)
    buffer.check()


# --- what is shown of a frame -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kept", [1, 63, 64, 65, 127, 128, 129, 130, 300])
@covers("C-025", "C-026")
def test_bytes_that_are_not_kept_are_zeros_up_to_the_end_of_a_flit_and_then_nothing(kept: int) -> None:
    """Neither the rest of the frame nor what lies behind it shows; the next frame does."""
    buffer = Buffer()
    content = random.Random(kept).randbytes(300)
    (other,) = frames_of([2])
    buffer.frames.extend([Frame(content, kept=kept), other])
    buffer.bench.simulate(buffer.drained)
    size = -(-kept // FLIT_BYTES) * FLIT_BYTES
    got = b"".join(flit.to_bytes(FLIT_BYTES, "little") for flit in buffer.out.got)
    assert got[:size] == content[:kept] + bytes(size - kept)
    assert buffer.out.got[size // FLIT_BYTES :] == other.flits()


def test_a_header_tells_of_its_frame_and_comes_before_it() -> None:
    buffer = Buffer()
    content = bytes(range(1, 101))
    buffer.frames.append(Frame(content, header=True, drops=0x89ABCDEF, arrival=0x0102030405060708, hash=0xFEDCBA98))
    buffer.frames.append(Frame(content))
    buffer.bench.simulate(buffer.drained)
    header, *rest = (flit.to_bytes(FLIT_BYTES, "little") for flit in buffer.out.got)
    words = [int.from_bytes(header[start:end], "little") for start, end in ((0, 4), (4, 8), (8, 16), (16, 20))]
    assert words == [100, 0xFEDCBA98, 0x0102030405060708, 0x89ABCDEF]
    assert header[20:] == bytes(44)
    assert rest == [content[:64], content[64:].ljust(64, b"\0")] * 2


def test_each_read_takes_the_details_of_its_frame_also_if_it_shows_or_keeps_none() -> None:
    buffer = Buffer()
    kinds: list[dict[str, Any]] = [{"drop": True}, {"header": True}, {}, {"drop": True, "header": True}]
    (frame,) = frames_of([2])
    frames = [replace(frame, arrival=i, **kinds[i % 4]) for i in range(40)]
    buffer.frames.extend(frames)
    buffer.bench.simulate(buffer.drained)
    buffer.check()
    arrivals = [flit >> 64 & 0xFFFF for flit in buffer.out.got[::5]]
    assert arrivals == list(range(1, 40, 4))


@pytest.mark.parametrize("drop", [False, True])
def test_nothing_happens_before_the_details_are_there(drop: bool) -> None:
    buffer = Buffer()
    buffer.details.rate = 0
    buffer.frames.extend(frames_of([1], drop=drop))

    async def story() -> None:
        await buffer.bench.cycles(20)
        assert buffer.reads.shows
        assert not buffer.reads.taken_at
        assert not buffer.out.got
        buffer.details.rate = 1
        await buffer.drained()

    buffer.bench.simulate(story)
    buffer.check()


# --- timing -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", [False, True])
@pytest.mark.parametrize(("length", "kept"), [(1, 1), (2, 2), (MAXIMUM, MAXIMUM), (MAXIMUM, 1), (MAXIMUM, 5)])
@pytest.mark.parametrize("out_rate", [1.0, 0.5])
def test_a_flit_per_cycle_across_frames(length: int, kept: int, header: bool, out_rate: float) -> None:
    """While frames wait, whoever is ready gets a flit: also of those of which not all flits are kept."""
    buffer = Buffer(out_rate=out_rate)
    buffer.reads_at_once = False

    async def story() -> None:
        buffer.frames.extend(frames_of([length] * (96 // length), kept=FLIT_BYTES * kept, header=header))
        await buffer.written()
        buffer.ask()
        await buffer.drained()

    buffer.bench.simulate(story)
    buffer.check()
    first, last = buffer.valid.index(1), buffer.out.got_at[-1]
    assert all(buffer.valid[first : last + 1])
    assert len(buffer.out.got) == 96 // length * (kept + header)


@pytest.mark.parametrize("header", [False, True])
def test_a_read_shows_its_first_flit_in_the_next_cycle(header: bool) -> None:
    buffer = Buffer()
    buffer.frames.extend(frames_of([1], header=header))
    buffer.bench.simulate(buffer.drained)
    shown_at = buffer.out.got_at[0]
    assert buffer.reads.taken_at == [shown_at - 1 + header], "it ends with its last flit"
    assert shown_at == buffer.flits.taken_at[0] + 2, "asked for when it was committed"


def test_a_drop_takes_one_cycle_whatever_the_length_even_if_the_output_stalls() -> None:
    buffer = Buffer(out_rate=0)
    buffer.reads_at_once = False

    async def story() -> None:
        frames = frames_of([1, MAXIMUM, 1, MAXIMUM, 5, 2])
        buffer.frames.extend([frames[0], *(replace(frame, drop=True) for frame in frames[1:5]), frames[5]])
        await buffer.written()
        buffer.ask()
        await buffer.bench.cycles(6)
        assert buffer.reads.taken_at == list(range(buffer.reads.taken_at[0], buffer.reads.taken_at[0] + 5))
        buffer.out.rate = 1
        await buffer.drained()

    buffer.bench.simulate(story)
    buffer.check()
    assert len(buffer.expected) == 3
