"""Packetiser: the frames that lie in the data of TX requests; docs/design.md, "What becomes of a TX request"."""

import random
from collections import deque
from typing import Any

import pytest
from amaranth.hdl import ResetInserter, Signal

from enso_nic.config import TINY
from enso_nic.layouts import ReadKind
from enso_nic.packetiser import Packetiser
from tests.rtl.contract import covers
from tests.rtl.golden.transmit import Packetiser as GoldenPacketiser
from tests.rtl.golden.transmit import Request
from tests.rtl.stream_bench import Bench, Sink, Source
from tests.rtl.tx_frames import in_flits, ip_frame, ipv6_frame, other_frame, with_headers

OK, READ_ERROR, UNFINISHED = 0, 2, 6


class Lines:
    """Gives the block the lines of requests, and again what it rewinds to, as the blocks before it do.

    Attributes
    ----------
    requests
        Lines of each, without their epoch.
    memory
        Line address -> (data, error).
    """

    def __init__(self, block: Packetiser, rate: float) -> None:
        self._block, self._rate = block, rate
        self.requests: list[list[dict[str, int]]] = []
        self.memory: dict[int, tuple[int, bool]] = {}
        self.rewinds = 0
        self._lines: deque[dict[str, int]] = deque()
        self._issued = self._finished = self._epoch = 0
        self._shows = False

    def drive(self, context: Any, draw: random.Random) -> None:
        if not self._lines and self._issued < len(self.requests):
            self._lines += ({**line, "epoch": self._epoch} for line in self.requests[self._issued])
            self._issued += 1
        if not self._shows and self._lines and (self._rate == 1 or draw.random() < self._rate):
            context.set(self._block.line.payload, self._lines[0])
            self._shows = True
        context.set(self._block.line.valid, self._shows)

    def observe(self, context: Any, cycle: int) -> None:
        if self._shows and context.get(self._block.line.ready):
            self._lines.popleft()
            self._shows = False
        self._finished += context.get(self._block.done.valid)
        if context.get(self._block.rewind.valid):
            again = context.get(self._block.rewind.payload)
            shown = [self._lines[0]] if self._shows else []
            self._epoch ^= 1
            self.rewinds += 1
            self._issued = self._finished
            buffer = self.requests[self._issued][0]["buffer"]
            self._lines = deque(shown)
            assert 1 <= again.count <= 4
            for fragment in list(again.fragments)[: again.count]:
                for index in range(fragment.flits):
                    data, error = self.memory[fragment.address + index]
                    self._lines.append(
                        {
                            "kind": ReadKind.FRAGMENT,
                            "epoch": self._epoch,
                            "data": data,
                            "error": error,
                            "address": fragment.address + index,
                            "buffer": buffer,
                            "length": 64 * fragment.flits,
                            "framed": again.framed,
                            "first": index == 0,
                            "last": index == fragment.flits - 1,
                        }
                    )


class Cutting:
    """The block, the requests it is given, the frames that come out, and what the golden model makes of them."""

    def __init__(self, rate: float = 1.0, seed: int = 1) -> None:
        self.block = Packetiser(TINY)
        self.lines, self.flits = Lines(self.block, rate), Sink(self.block.flit, rate)
        self.done = Sink(self.block.done)
        self.bench = Bench(self.block, [self.lines, self.flits, self.done], seed, self.each_cycle)
        self.errors = 0
        self.requests: list[Request] = []
        """All of them, as the golden model sees them; slot numbers tell them apart."""
        self.golden = GoldenPacketiser(TINY.maximum_frame)
        self.idle = 0
        self._address = 1000

    def each_cycle(self, context: Any, cycle: int) -> None:
        self.errors += context.get(self.block.tx_error)
        self.idle = context.get(self.block.idle)

    def request(
        self,
        data: bytes,
        buffer: int = 0,
        length: int | None = None,
        bad_lines: tuple[int, ...] = (),
        *,
        framed: bool = False,
    ) -> None:
        """Queue a request; ``length`` bytes of ``data`` count."""
        length = len(data) if length is None else length
        data += b"\xdd" * (-len(data) % 64)
        flits = -(-length // 64)
        contents = [None if i in bad_lines else data[64 * i : 64 * i + 64] for i in range(flits)]
        lines = []
        for index, content in enumerate(contents):
            value = int.from_bytes(data[64 * index : 64 * index + 64], "little")
            self.lines.memory[self._address + index] = (value, content is None)
            lines.append(
                {
                    "kind": ReadKind.REQUEST,
                    "data": value,
                    "address": self._address + index,
                    "buffer": buffer,
                    "length": length,
                    "framed": framed,
                    "first": index == 0,
                    "last": index == flits - 1,
                    "error": content is None,
                }
            )
        self._address += flits + 5
        self.lines.requests.append(lines)
        request = Request(len(self.requests), buffer, length=length, framed=framed, flits=flits)
        self.requests.append(request)
        self.golden.data(request, contents)

    def mark(self, kind: int, buffer: int = 0) -> None:
        """Queue a request without data, or a mark that the buffer was closed."""
        self.lines.requests.append([{"kind": kind, "buffer": buffer, "first": 1, "last": 1}])
        request = Request(len(self.requests), buffer)
        self.requests.append(request)
        if kind == ReadKind.CLOSE:
            self.golden.close(buffer)
        else:
            self.golden.nothing(request)

    def completions(self) -> list[tuple[int, int]]:
        """(request, code) in the order in which the results let them complete; closings aside."""
        held: dict[tuple[int, int], int] = {}
        completions = []
        for number, result in enumerate(self.done.got):
            request, (line, *_) = self.requests[number], self.lines.requests[number]
            for place in range(result.released):
                other = held.pop((request.buffer, place))
                completions.append((other, result.released_code.value if self.requests[other].flits else OK))
            if result.held:
                assert (request.buffer, result.place) not in held, "a place is taken twice"
                held[request.buffer, result.place] = number
            elif line["kind"] != ReadKind.CLOSE:
                completions.append((number, result.code.value if request.flits else OK))
        return completions

    @property
    def codes(self) -> list[int]:
        return [code for _, code in sorted(self.completions())]

    def run(self) -> list[bytes]:
        """Let all of it through, compare with the golden model, and return the frames."""

        async def story() -> None:
            await self.bench.until(lambda: len(self.done.got) == len(self.requests), 20000)
            await self.bench.cycles(5)
            assert self.idle

        self.bench.simulate(story)
        frames, frame = [], b""
        for flit in self.flits.got:
            frame = b"" if flit.first else frame
            data = flit.data.to_bytes(64, "little")
            assert flit.bytes == 64 or (flit.last and 0 < flit.bytes < 64)
            assert data[flit.bytes :] == bytes(64 - flit.bytes), "zeros beyond the frame"
            frame += data[: flit.bytes]
            assert len(frame) <= TINY.maximum_frame
            if flit.last:
                frames.append(frame)
                frame = b""
        assert frames == list(self.golden.frames)
        assert self.errors == self.golden.errors
        completions = self.completions()
        assert sorted(completions) == [(each.slot, each.code) for each in self.requests if each.is_due]
        for buffer in range(4):
            own = [number for number, _ in completions if self.requests[number].buffer == buffer]
            assert own == sorted(own), f"completions of buffer {buffer} out of order"
        return frames


def padded(frame: bytes) -> bytes:
    return frame.ljust(60, b"\0")


@pytest.mark.parametrize("length", [34, 59, 60, 63, 64, 65, 128, 129, 1513, 1514])
@covers("C-114", "C-118")
def test_an_ip_frame_is_as_long_as_it_says_and_the_next_begins_in_the_next_flit(length: int) -> None:
    it = Cutting()
    frames = [ip_frame(length, 1), ip_frame(100, 2), ip_frame(length, 3)]
    it.request(in_flits(*frames))
    assert it.run() == [padded(frame) for frame in frames]
    assert it.codes == [OK]


@pytest.mark.parametrize("length", [54, 60, 64, 65, 1514])
@covers("C-115")
def test_an_ipv6_frame_is_as_long_as_it_says(length: int) -> None:
    it = Cutting()
    it.request(in_flits(ipv6_frame(length), ip_frame(100, 2)))
    it.request(in_flits(ipv6_frame(1515), ip_frame(100, 3)))
    assert it.run() == [padded(ipv6_frame(length)), ip_frame(100, 2)]
    assert it.errors == 1


@pytest.mark.parametrize("length", [1, 59, 60, 64, 65, 1514])
@covers("C-118", "C-119")
def test_frames_behind_header_lines_are_as_long_as_these_say(length: int) -> None:
    it = Cutting()
    frames = [other_frame(length, 1), ip_frame(max(length, 40), 2, ip_length=20), other_frame(64, 3)]
    it.request(with_headers(*frames), framed=True)
    it.request(in_flits(ip_frame(70)))
    assert it.run() == [*(padded(frame) for frame in frames), ip_frame(70)]
    assert it.codes == [OK, OK]


@pytest.mark.parametrize("length", [0, 1515, 1 << 14, 1 << 31])
@covers("C-119", "C-127")
def test_a_header_line_with_a_length_that_cannot_be_drops_the_rest_of_its_request(length: int) -> None:
    it = Cutting()
    header = length.to_bytes(4, "little").ljust(64, b"\0")
    it.request(with_headers(other_frame(80)) + header + with_headers(other_frame(90)), framed=True)
    it.request(with_headers(other_frame(100)), framed=True)
    assert it.run() == [other_frame(80), other_frame(100)]
    assert it.errors == 1


@pytest.mark.parametrize("length", [3, 63, 64, 65, 128, 191])
def test_a_framed_request_may_end_behind_whole_flits_of_a_frame_only(length: int) -> None:
    it = Cutting()
    data = with_headers(other_frame(300))
    it.request(data, length=length, framed=True)
    it.request(data[length - length % 64 :])
    frames = it.run()
    assert (other_frame(300) in frames) == (length % 64 == 0)
    assert it.errors == (length % 64 != 0)


@pytest.mark.parametrize("length", [1, 13, 14, 17, 59, 60, 64, 100, 1514])
@covers("C-116", "C-118")
def test_anything_else_is_one_frame_up_to_the_end_of_its_request(length: int) -> None:
    it = Cutting()
    it.request(in_flits(ip_frame(80)) + other_frame(length))
    it.request(other_frame(length, 5))
    assert it.run() == [padded(ip_frame(80)), padded(other_frame(length)), padded(other_frame(length, 5))]


@pytest.mark.parametrize("cut", [1, 2, 23])
@covers("C-120")
def test_a_frame_goes_on_in_the_next_request_of_its_buffer(cut: int) -> None:
    it = Cutting()
    data = in_flits(ip_frame(90), ip_frame(1500, 1), ip_frame(70, 2))
    cut = 64 * (2 + cut)
    it.request(data[:cut], buffer=3)
    it.request(data[cut:], buffer=3)
    assert it.run() == [ip_frame(90), ip_frame(1500, 1), ip_frame(70, 2)]
    assert it.codes == [OK, OK]


@covers("C-121", "C-122", "C-129")
def test_a_frame_goes_on_behind_requests_of_other_buffers_and_is_read_again() -> None:
    it = Cutting()
    frame, other = in_flits(ip_frame(100), ip_frame(1000)), in_flits(ip_frame(400, 5))
    it.request(frame[: 64 * 5], buffer=0)
    it.request(in_flits(ip_frame(200)), buffer=1)
    it.request(other[:64], buffer=2)
    it.request(frame[64 * 5 :], buffer=0)
    it.request(in_flits(ip_frame(300)), buffer=0)
    it.request(other[64:], buffer=2)
    assert it.run() == [ip_frame(100), ip_frame(200), ip_frame(1000), ip_frame(300), ip_frame(400, 5)]
    assert it.errors == 0
    assert it.lines.rewinds == 2
    assert it.completions() == [(1, OK), (0, OK), (3, OK), (4, OK), (2, OK), (5, OK)]


def test_a_framed_frame_goes_on_behind_other_buffers_from_its_header_line() -> None:
    it = Cutting()
    data = with_headers(other_frame(90), other_frame(1000))
    for cut in (192, 256, 320):
        it.request(data[:cut], buffer=0, framed=True)
        it.request(in_flits(ip_frame(200)), buffer=1)
        it.request(data[cut:], buffer=0, framed=True)
    assert it.run() == [other_frame(90), ip_frame(200), other_frame(1000)] * 3
    assert it.errors == 0


@covers("C-123")
def test_requests_without_data_wait_for_the_frame_that_is_unfinished_before_them() -> None:
    it = Cutting()
    data = in_flits(ip_frame(1000))
    it.mark(ReadKind.NOTHING)
    it.request(data[:128])
    it.mark(ReadKind.NOTHING)
    it.mark(ReadKind.NOTHING, buffer=1)
    it.request(in_flits(ip_frame(200)), buffer=1)
    it.mark(ReadKind.NOTHING)
    it.request(data[128:])
    it.mark(ReadKind.NOTHING)
    assert it.run() == [ip_frame(200), ip_frame(1000)]
    assert [number for number, _ in it.completions()] == [0, 3, 4, 1, 2, 5, 6, 7]


@pytest.mark.parametrize("interrupted", [False, True])
@pytest.mark.parametrize("fragments", [4, 5])
@covers("C-120", "C-123", "C-124")
def test_a_frame_may_hold_back_four_completions(fragments: int, interrupted: bool) -> None:
    it = Cutting()
    data = in_flits(ip_frame(1000))
    for index in range(fragments):
        it.request(data[64 * index : 64 * index + 64])
        if interrupted:
            it.request(in_flits(ip_frame(70)), buffer=1)
    it.request(data[64 * fragments :])
    frames = it.run()
    assert (ip_frame(1000) in frames) == (fragments == 4)
    own = [code for number, code in sorted(it.completions()) if it.requests[number].buffer == 0]
    assert own == ([OK] * 5 if fragments == 4 else [UNFINISHED] * 5 + [OK])


@covers("C-124")
def test_a_fifth_completion_drops_the_frame_also_if_it_is_of_no_data() -> None:
    for interrupted in (False, True):
        it = Cutting()
        it.request(in_flits(ip_frame(1000))[:64])
        if interrupted:
            it.request(in_flits(ip_frame(70)), buffer=1)
        for _ in range(4):
            it.mark(ReadKind.NOTHING)
        it.request(in_flits(ip_frame(80)))
        assert it.run()[-1] == ip_frame(80)
        assert it.errors == 1
        assert it.codes[0] == UNFINISHED


@pytest.mark.parametrize("interrupted", [False, True])
@covers("C-125")
def test_closing_a_buffer_drops_its_unfinished_frame(interrupted: bool) -> None:
    it = Cutting()
    it.mark(ReadKind.CLOSE)
    it.request(in_flits(ip_frame(1000))[:128])
    if interrupted:
        it.request(in_flits(ip_frame(70)), buffer=1)
    it.mark(ReadKind.CLOSE, buffer=1)
    it.mark(ReadKind.NOTHING)
    it.mark(ReadKind.CLOSE)
    it.request(in_flits(ip_frame(80)))
    assert it.run()[-1] == ip_frame(80)
    assert it.errors == 1
    assert it.codes[0] == UNFINISHED


@covers("C-107", "C-122")
def test_a_read_error_in_what_is_read_again_shows_in_the_completions_that_waited() -> None:
    it = Cutting()
    data = in_flits(ip_frame(1000))
    it.request(data[:128])
    it.request(in_flits(ip_frame(70)), buffer=1)
    it.request(data[128:] + in_flits(ip_frame(90)))

    async def story() -> None:
        await it.bench.until(lambda: len(it.done.got) == 1)
        it.lines.memory = {address: (data, True) for address, (data, _) in it.lines.memory.items()}
        await it.bench.until(lambda: len(it.done.got) == 3)

    it.bench.simulate(story)
    assert sum(flit.last for flit in it.flits.got) == 1, "the rest of the request is dropped too"
    assert sorted(it.completions()) == [(0, READ_ERROR), (1, OK), (2, OK)]
    assert it.errors == 1


@pytest.mark.parametrize(
    "bad",
    [
        ip_frame(60, ip_length=19),
        ip_frame(60, ip_length=0),
        ip_frame(1515),
        ip_frame(200, ip_length=65535),
        other_frame(1515),
    ],
)
@covers("C-127")
def test_what_cannot_be_sent_drops_the_rest_of_its_request(bad: bytes) -> None:
    it = Cutting()
    it.request(in_flits(ip_frame(100), bad, *[ip_frame(80)] * 20))
    it.request(in_flits(ip_frame(200)))
    assert it.run() == [ip_frame(100), ip_frame(200)]
    assert it.errors == 1
    assert it.codes == [OK, OK]


@pytest.mark.parametrize("length", [100, 16, 127])
@covers("C-126")
def test_a_request_that_ends_inside_a_flit_of_a_frame_drops_the_frame(length: int) -> None:
    it = Cutting()
    it.request(ip_frame(1000), length=length)
    it.request(in_flits(ip_frame(200)))
    assert it.run() == [ip_frame(200)]
    assert it.errors == 1


@pytest.mark.parametrize("length", [1, 12, 13, 14])
@covers("C-117")
def test_bytes_beyond_the_end_of_a_request_do_not_make_an_ip_header(length: int) -> None:
    it = Cutting()
    it.request(ip_frame(100), length=length)
    assert it.run() == [padded(ip_frame(100)[:length])]


@covers("C-107")
def test_a_host_read_error_drops_the_rest_and_shows_in_the_completion() -> None:
    it = Cutting()
    it.request(in_flits(*[ip_frame(100, seed) for seed in range(5)]), bad_lines=(3,))
    it.request(in_flits(ip_frame(200)), bad_lines=(3,))
    it.request(in_flits(ip_frame(1000))[:128])
    it.request(in_flits(ip_frame(300)), bad_lines=(0, 2))
    it.request(in_flits(ip_frame(400)))
    assert it.run() == [ip_frame(100, 0), ip_frame(400)]
    assert it.codes == [READ_ERROR, READ_ERROR, OK, READ_ERROR, OK]
    assert it.errors == 3


def test_an_error_behind_what_was_dropped_still_shows_in_the_completion() -> None:
    it = Cutting()
    it.request(in_flits(ip_frame(60, ip_length=3), ip_frame(1000)), bad_lines=(9,))
    assert it.run() == []
    assert it.codes == [READ_ERROR]
    assert it.errors == 1


@pytest.mark.parametrize("seed", range(4))
@covers("C-114", "C-116", "C-120", "C-121")
def test_whatever_bytes_come_the_frames_are_those_of_the_golden_model(seed: int) -> None:
    draw = random.Random(seed)
    it = Cutting(draw.choice([1.0, 0.6]), seed)
    rests: dict[int, bytes] = {}  # of frames that requests left unfinished
    for _ in range(90):
        buffer = draw.choice([0, 0, 1, 2])
        if draw.random() < 0.2:
            it.mark(draw.choice([ReadKind.NOTHING] * 3 + [ReadKind.CLOSE]), buffer)
            continue
        kinds, sizes = [ip_frame, ip_frame, other_frame, ipv6_frame], [54, 60, 64, 65, 200, 700, 1514]
        pieces = [draw.choice(kinds)(draw.choice(sizes), draw.randrange(99)) for _ in range(draw.randrange(1, 5))]
        if draw.random() < 0.2:
            pieces.insert(0, ip_frame(100, ip_length=draw.choice([0, 19, 20, 21, 46, 900, 1500, 1501, 1 << 14])))
        framed = draw.random() < 0.3
        data = (with_headers if framed else in_flits)(*pieces)
        if draw.random() < 0.8:
            data = rests.pop(buffer, b"") or data
        any_flit = 64 * draw.randrange(1, len(data) // 64 + 1)
        end = draw.choice([len(data), draw.randrange(1, len(data) + 1), any_flit, any_flit])
        rests[buffer] = data[end:] if end % 64 == 0 else b""
        bad = tuple(draw.sample(range(20), 1)) if draw.random() < 0.1 else ()
        it.request(data[:end], buffer, bad_lines=bad, framed=framed)
    frames = it.run()
    print(f"seed {seed}: {len(frames)} frames, {it.errors} errors, {it.lines.rewinds} rewinds")
    assert frames
    assert it.lines.rewinds
    assert it.errors


def test_a_flit_leaves_in_every_cycle_two_cycles_late() -> None:
    it = Cutting()
    for _ in range(4):
        it.request(in_flits(*[ip_frame(60, seed) for seed in range(64)]))
    it.run()
    first = it.flits.got_at[0]
    assert first == TINY.notification_buffers + 2
    assert it.flits.got_at == list(range(first, first + 256))


def test_a_reset_forgets_unfinished_frames() -> None:
    """One of the last buffer, that of another had come in between."""
    block, reset = Packetiser(TINY), Signal()
    lines, flits, rewinds = Source(block.line), Sink(block.flit), Sink(block.rewind)
    bench = Bench(ResetInserter(reset)(block), [lines, flits, rewinds])
    last = TINY.notification_buffers - 1

    def put(buffer: int, frame: bytes) -> None:
        data = int.from_bytes(frame[:64], "little")
        lines.items.append(
            {"kind": ReadKind.REQUEST, "data": data, "buffer": buffer, "length": 64, "first": 1, "last": 1}
        )

    async def story() -> None:
        put(last, ip_frame(100))
        put(0, ip_frame(60))
        await bench.until(lambda: len(flits.got) == 2)
        bench.context.set(reset, 1)
        await bench.cycles(1)
        bench.context.set(reset, 0)
        put(last, ip_frame(60))
        await bench.until(lambda: len(flits.got) == 3)

    bench.simulate(story)
    assert not rewinds.got
