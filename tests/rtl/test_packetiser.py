"""Packetiser: the frames that lie in the data of TX requests; docs/design.md, "What becomes of a TX request"."""

import random
from typing import Any

import pytest

from enso_nic.config import TINY
from enso_nic.layouts import TxCompletionCode
from enso_nic.packetiser import Packetiser
from tests.rtl.golden.transmit import Packetiser as GoldenPacketiser
from tests.rtl.stream_bench import Bench, Sink, Source
from tests.rtl.tx_frames import in_flits, ip_frame, ipv6_frame, other_frame, with_headers

OK, READ_ERROR = TxCompletionCode.OK, TxCompletionCode.READ_ERROR


class Cutting:
    """The block, the requests it is given, the frames that come out, and what the golden model makes of them."""

    def __init__(self, rate: float = 1.0, seed: int = 1) -> None:
        self.block = Packetiser(TINY)
        self.lines, self.flits = Source(self.block.line, rate=rate), Sink(self.block.flit, rate)
        self.done = Sink(self.block.done)
        self.bench = Bench(self.block, [self.lines, self.flits, self.done], seed, self.each_cycle)
        self.errors = 0
        self.requests = 0
        self.golden = GoldenPacketiser(TINY.maximum_frame)
        self.idle = 0

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
        for index in range(flits):
            line, error = data[64 * index : 64 * index + 64], index in bad_lines
            self.golden.line(buffer, None if error else line, length - 64 * index, first=index == 0, framed=framed)
            self.lines.items.append(
                {
                    "data": int.from_bytes(line, "little"),
                    "address": index,
                    "buffer": buffer,
                    "length": length,
                    "framed": framed,
                    "first": index == 0,
                    "last": index == flits - 1,
                    "error": error,
                }
            )
        self.requests += 1

    def run(self) -> list[bytes]:
        """Let all of it through, compare with the golden model, and return the frames."""

        async def story() -> None:
            await self.bench.until(lambda: len(self.done.got) == self.requests, 20000)
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
        return frames


def padded(frame: bytes) -> bytes:
    return frame.ljust(60, b"\0")


@pytest.mark.parametrize("length", [34, 59, 60, 63, 64, 65, 128, 129, 1513, 1514])
def test_an_ip_frame_is_as_long_as_it_says_and_the_next_begins_in_the_next_flit(length: int) -> None:
    it = Cutting()
    frames = [ip_frame(length, 1), ip_frame(100, 2), ip_frame(length, 3)]
    it.request(in_flits(*frames))
    assert it.run() == [padded(frame) for frame in frames]
    assert it.done.got == [OK]


@pytest.mark.parametrize("length", [54, 60, 64, 65, 1514])
def test_an_ipv6_frame_is_as_long_as_it_says(length: int) -> None:
    it = Cutting()
    it.request(in_flits(ipv6_frame(length), ip_frame(100, 2)))
    it.request(in_flits(ipv6_frame(1515), ip_frame(100, 3)))
    assert it.run() == [padded(ipv6_frame(length)), ip_frame(100, 2)]
    assert it.errors == 1


@pytest.mark.parametrize("length", [1, 59, 60, 64, 65, 1514])
def test_frames_behind_header_lines_are_as_long_as_these_say(length: int) -> None:
    it = Cutting()
    frames = [other_frame(length, 1), ip_frame(max(length, 40), 2, ip_length=20), other_frame(64, 3)]
    it.request(with_headers(*frames), framed=True)
    it.request(in_flits(ip_frame(70)))
    assert it.run() == [*(padded(frame) for frame in frames), ip_frame(70)]
    assert it.done.got == [OK, OK]


@pytest.mark.parametrize("length", [0, 1515, 1 << 14, 1 << 31])
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
def test_anything_else_is_one_frame_up_to_the_end_of_its_request(length: int) -> None:
    it = Cutting()
    it.request(in_flits(ip_frame(80)) + other_frame(length))
    it.request(other_frame(length, 5))
    assert it.run() == [padded(ip_frame(80)), padded(other_frame(length)), padded(other_frame(length, 5))]


@pytest.mark.parametrize("cut", [1, 2, 23])
def test_a_frame_goes_on_in_the_next_request_of_its_buffer(cut: int) -> None:
    it = Cutting()
    data = in_flits(ip_frame(90), ip_frame(1500, 1), ip_frame(70, 2))
    cut = 64 * (2 + cut)
    it.request(data[:cut], buffer=3)
    it.request(data[cut:], buffer=3)
    assert it.run() == [ip_frame(90), ip_frame(1500, 1), ip_frame(70, 2)]
    assert it.done.got == [OK, OK]


def test_a_frame_may_span_many_requests() -> None:
    it = Cutting()
    data = in_flits(ip_frame(1500))
    for start in range(0, len(data), 64):
        it.request(data[start : start + 64])
    assert it.run() == [ip_frame(1500)]


def test_a_request_of_another_buffer_drops_the_unfinished_frame() -> None:
    it = Cutting()
    it.request(in_flits(ip_frame(100), ip_frame(1000))[: 64 * 5], buffer=0)
    it.request(in_flits(ip_frame(200)), buffer=1)
    it.request(in_flits(ip_frame(300)), buffer=0)
    assert it.run() == [ip_frame(100), ip_frame(200), ip_frame(300)]
    assert it.errors == 1
    assert it.done.got == [OK] * 3


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
def test_what_cannot_be_sent_drops_the_rest_of_its_request(bad: bytes) -> None:
    it = Cutting()
    it.request(in_flits(ip_frame(100), bad, *[ip_frame(80)] * 20))
    it.request(in_flits(ip_frame(200)))
    assert it.run() == [ip_frame(100), ip_frame(200)]
    assert it.errors == 1
    assert it.done.got == [OK, OK]


@pytest.mark.parametrize("length", [100, 16, 127])
def test_a_request_that_ends_inside_a_flit_of_a_frame_drops_the_frame(length: int) -> None:
    it = Cutting()
    it.request(ip_frame(1000), length=length)
    it.request(in_flits(ip_frame(200)))
    assert it.run() == [ip_frame(200)]
    assert it.errors == 1


@pytest.mark.parametrize("length", [1, 12, 13, 14])
def test_bytes_beyond_the_end_of_a_request_do_not_make_an_ip_header(length: int) -> None:
    it = Cutting()
    it.request(ip_frame(100), length=length)
    assert it.run() == [padded(ip_frame(100)[:length])]


def test_a_host_read_error_drops_the_rest_and_shows_in_the_completion() -> None:
    it = Cutting()
    it.request(in_flits(*[ip_frame(100, seed) for seed in range(5)]), bad_lines=(3,))
    it.request(in_flits(ip_frame(200)), bad_lines=(3,))
    it.request(in_flits(ip_frame(1000))[:128])
    it.request(in_flits(ip_frame(300)), bad_lines=(0, 2))
    it.request(in_flits(ip_frame(400)))
    assert it.run() == [ip_frame(100, 0), ip_frame(400)]
    assert it.done.got == [READ_ERROR, READ_ERROR, OK, READ_ERROR, OK]
    assert it.errors == 3


def test_an_error_behind_what_was_dropped_still_shows_in_the_completion() -> None:
    it = Cutting()
    it.request(in_flits(ip_frame(60, ip_length=3), ip_frame(1000)), bad_lines=(9,))
    assert it.run() == []
    assert it.done.got == [READ_ERROR]
    assert it.errors == 1


@pytest.mark.parametrize("seed", range(4))
def test_whatever_bytes_come_the_frames_are_those_of_the_golden_model(seed: int) -> None:
    draw = random.Random(seed)
    it = Cutting(draw.choice([1.0, 0.6]), seed)
    for _ in range(60):
        kinds, sizes = [ip_frame, ip_frame, other_frame, ipv6_frame], [54, 60, 64, 65, 200, 700]
        pieces = [draw.choice(kinds)(draw.choice(sizes), draw.randrange(99)) for _ in range(draw.randrange(1, 5))]
        if draw.random() < 0.2:
            pieces.insert(0, ip_frame(100, ip_length=draw.choice([0, 19, 20, 21, 46, 900, 1500, 1501, 1 << 14])))
        framed = draw.random() < 0.3
        data = (with_headers if framed else in_flits)(*pieces)
        end = draw.choice([len(data), draw.randrange(1, len(data) + 1), 64 * draw.randrange(1, len(data) // 64 + 1)])
        bad = tuple(draw.sample(range(20), 1)) if draw.random() < 0.1 else ()
        it.request(data[:end], draw.choice([0, 0, 0, 1]), bad_lines=bad, framed=framed)
    frames = it.run()
    print(f"seed {seed}: {len(frames)} frames, {it.errors} errors")
    assert frames
    assert it.errors


def test_a_flit_leaves_in_every_cycle_two_cycles_late() -> None:
    it = Cutting()
    for _ in range(4):
        it.request(in_flits(*[ip_frame(60, seed) for seed in range(64)]))
    it.run()
    assert it.flits.got_at == list(range(2, 258))
