"""RxParser: one verdict per frame, the right key, and nothing beyond the IP length."""

import random
from typing import Any

import pytest
from amaranth.hdl import ResetInserter, Signal

from enso_nic.config import FLIT_BYTES, TINY
from enso_nic.layouts import DropCause
from enso_nic.rx_parser import RxParser
from tests.rtl.contract import covers
from tests.rtl.ethernet_beats import beats
from tests.rtl.golden.steering import TCP, UDP, Key, drop_cause, pipe_flits, steering_key
from tests.rtl.stream_bench import Bench, Port, Sink, Source, fields

LATENCY = 2
SYN, ACK = 0x02, 0x10
SOURCE, DESTINATION = 0xC0A80102, 0x0A000001
ICMP = 1


def ip_frame(
    *,
    size: int | None = None,
    total: int | None = None,
    words: int = 5,
    protocol: int = UDP,
    fragment: int = 0,
    flags: int = ACK,
    ethertype: int = 0x0800,
    version: int = 4,
) -> bytes:
    """A frame of ``size`` bytes that holds an IP packet of ``total``; one of the two follows from the other.

    Ports are 0x1234 and 0x5678; the rest counts bytes, so that each flit differs.
    """
    if total is None:
        total = 46 if size is None else size - 14
    size = 14 + total if size is None else size
    header = bytes([version << 4 | words, 0]) + total.to_bytes(2, "big") + bytes(2) + fragment.to_bytes(2, "big")
    header += bytes([64, protocol, 0, 0]) + SOURCE.to_bytes(4, "big") + DESTINATION.to_bytes(4, "big")
    header = header.ljust(4 * words, b"\1")[: max(20, 4 * words)]
    layer4 = bytes.fromhex("12345678") + bytes(9) + bytes([flags])
    frame = bytes(12) + ethertype.to_bytes(2, "big") + header + layer4
    return (frame + bytes(i % 251 for i in range(len(frame), size)))[:size]


class Door:
    """A parser, and what it makes of frames."""

    def __init__(self, *, rate: float = 1.0, seed: int = 1) -> None:
        self.block = RxParser(TINY)
        self.reset = Signal()
        self.beats = Source(self.block.i, rate=rate)
        self.flits, self.frames, self.verdicts = (
            Sink(port) for port in (self.block.flit, self.block.frame, self.block.verdict)
        )
        self.has_room, self.is_open, self.was_reset = 1, 1, 0
        ports: list[Port] = [self.beats, self.flits, self.frames, self.verdicts]
        self.bench = Bench(ResetInserter(self.reset)(self.block), ports, seed, self.each_cycle)

    def each_cycle(self, context: Any, cycle: int) -> None:
        context.set(self.block.has_room, self.has_room)
        context.set(self.block.is_open, self.is_open)
        self.was_reset |= context.get(self.reset)
        if context.get(self.block.idle) and not self.was_reset:
            assert len(self.flits.got) == len(self.beats.taken_at), "idle with a beat inside"

    async def drained(self) -> None:
        await self.bench.until(lambda: not self.beats.items)
        await self.bench.cycles(LATENCY + 1)

    def enter(self, frames: list[bytes]) -> None:
        """Frames back to back."""
        for frame in frames:
            self.beats.items.extend(beats(frame))
        self.bench.simulate(self.drained)

    @property
    def causes(self) -> list[str]:
        return [verdict.cause.name.lower() for verdict in self.verdicts.got]

    def admitted(self) -> list[bytes]:
        """The frames as the packet buffer would keep them."""
        kept: list[bytes] = []
        frame = b""
        for flit in self.flits.got:
            assert not (flit.commit and flit.rollback)
            if flit.write:
                frame += flit.data.to_bytes(FLIT_BYTES, "little")
            assert len(frame) <= TINY.maximum_frame_flits * FLIT_BYTES, "more than has_room promises"
            if flit.commit:
                kept.append(frame)
            if flit.commit or flit.rollback:
                frame = b""
        assert frame == b"", "a frame without an end"
        return kept


VERDICTS = {
    "the smallest": (ip_frame(), "none"),
    "nothing but an IP header": (ip_frame(size=34), "none"),
    "the longest": (ip_frame(size=1514), "none"),
    "a byte too long": (ip_frame(size=1515), "too_long"),
    "a byte too long, in a trailer": (ip_frame(size=1515, total=100), "too_long"),
    "a flit too long": (ip_frame(size=1537), "too_long"),
    "255 flits": (ip_frame(size=255 * 64), "too_long"),
    "as many as an 8-bit count comes round to 0 with": (ip_frame(size=256 * 64), "too_long"),
    "and to 1": (ip_frame(size=256 * 64 + 60), "too_long"),
    "a giant that says it is small": (ip_frame(size=20000, total=46), "too_long"),
    "ARP": (ip_frame(ethertype=0x0806), "not_ip"),
    "IPv6": (ip_frame(ethertype=0x86DD, version=6), "not_ip"),
    "a VLAN tag": (ip_frame(ethertype=0x8100), "not_ip"),
    "version 6 as EtherType IPv4": (ip_frame(version=6), "not_ip"),
    **{f"a runt of {size} bytes": (ip_frame()[:size], "not_ip") for size in range(1, 15)},
    **{f"a cut header, {size} bytes": (ip_frame(total=20)[:size], "bad_ip_length") for size in range(15, 34)},
    "a header of 4 words": (ip_frame(words=4), "bad_ip_length"),
    "a header of 0 words": (ip_frame(words=0), "bad_ip_length"),
    **{f"a header of {words} words": (ip_frame(words=words, size=100), "none") for words in range(5, 16)},
    **{f"an IP length of {words} words": (ip_frame(words=words, total=4 * words), "none") for words in range(5, 16)},
    **{
        f"an IP length below {words} words": (ip_frame(words=words, size=100, total=4 * words - 1), "bad_ip_length")
        for words in range(5, 16)
    },
    "an IP length up to the end": (ip_frame(size=200, total=186), "none"),
    "an IP length beyond the end": (ip_frame(size=200, total=187), "bad_ip_length"),
    "the greatest IP length": (ip_frame(size=200, total=65535), "bad_ip_length"),
    "a trailer": (ip_frame(size=60, total=30), "none"),
    "a trailer of flits": (ip_frame(size=1000, total=50), "none"),
    "a trailer that begins with a flit": (ip_frame(size=129, total=50), "none"),
    "a last flit of one byte": (ip_frame(size=65), "none"),
}


@covers("C-059", "C-061", "C-062")
def test_verdicts() -> None:
    door = Door()
    door.enter([frame for frame, _ in VERDICTS.values()])
    assert dict(zip(VERDICTS, door.causes, strict=True)) == {name: cause for name, (_, cause) in VERDICTS.items()}
    kept = [b"".join(pipe_flits(frame)) for frame, cause in VERDICTS.values() if cause == "none"]
    assert door.admitted() == kept


@covers("C-025", "C-026")
def test_bytes_beyond_the_ip_length_are_zeros() -> None:
    door = Door()
    door.enter([ip_frame(size=150, total=70)])
    assert door.admitted() == [ip_frame(size=150, total=70)[:84].ljust(128, b"\0")]
    assert [frame.flits for frame in door.frames.got] == [2]


ADDRESS_ONLY = Key(destination_address=DESTINATION)
WITH_PORT = Key(0x5678, 0, DESTINATION, 0)
FOUR_TUPLE = Key(0x5678, 0x1234, DESTINATION, SOURCE)
FIRST_FRAGMENT, LATER_FRAGMENT, DO_NOT_FRAGMENT = 0x2000, 0x2001, 0x4000

KEYS = {
    "UDP": (ip_frame(), WITH_PORT),
    "TCP": (ip_frame(protocol=TCP), FOUR_TUPLE),
    "TCP SYN": (ip_frame(protocol=TCP, flags=SYN), WITH_PORT),
    "TCP SYN and ACK": (ip_frame(protocol=TCP, flags=SYN | ACK), WITH_PORT),
    "TCP with all other flags": (ip_frame(protocol=TCP, flags=0xFF - SYN), FOUR_TUPLE),
    "anything else": (ip_frame(protocol=ICMP), ADDRESS_ONLY),
    "UDP, may not be fragmented": (ip_frame(fragment=DO_NOT_FRAGMENT), WITH_PORT),
    "UDP, first fragment": (ip_frame(fragment=FIRST_FRAGMENT), WITH_PORT),
    "UDP, later fragment": (ip_frame(fragment=LATER_FRAGMENT), ADDRESS_ONLY),
    "UDP, last fragment": (ip_frame(fragment=0x1000), ADDRESS_ONLY),
    "TCP, first fragment": (ip_frame(protocol=TCP, fragment=FIRST_FRAGMENT), FOUR_TUPLE),
    "TCP, later fragment": (ip_frame(protocol=TCP, fragment=LATER_FRAGMENT), ADDRESS_ONLY),
    "UDP, ports cut off by the IP length": (ip_frame(size=60, total=23), ADDRESS_ONLY),
    "UDP, nothing but ports": (ip_frame(size=60, total=24), WITH_PORT),
    "TCP, flags cut off by the IP length": (ip_frame(protocol=TCP, size=60, total=33), ADDRESS_ONLY),
    "TCP, nothing behind the flags": (ip_frame(protocol=TCP, size=60, total=34), FOUR_TUPLE),
    # ports up to byte 64: 14 + 4 x words + 4; flags: 14 + 4 x words + 14
    **{f"UDP behind {words} words": (ip_frame(words=words, size=100), WITH_PORT) for words in range(5, 12)},
    **{f"UDP behind {words} words": (ip_frame(words=words, size=100), ADDRESS_ONLY) for words in range(12, 16)},
    **{f"TCP behind {words}": (ip_frame(words=words, protocol=TCP, size=100), FOUR_TUPLE) for words in range(5, 10)},
    **{f"TCP behind {words}": (ip_frame(words=words, protocol=TCP, size=100), ADDRESS_ONLY) for words in range(10, 16)},
    **{
        f"SYN behind {words}": (ip_frame(words=words, protocol=TCP, flags=SYN, size=100), WITH_PORT)
        for words in range(5, 10)
    },
}


@covers("C-066", "C-067", "C-068", "C-069", "C-070")
def test_keys() -> None:
    door = Door()
    door.enter([frame for frame, _ in KEYS.values()])
    keys = {name: Key(**fields(frame.key)) for name, frame in zip(KEYS, door.frames.got, strict=True)}
    assert keys == {name: key for name, (_, key) in KEYS.items()}


ALL_FAULTS = [DropCause.IN_RESET, DropCause.BAD_FRAME, DropCause.TOO_LONG, DropCause.NOT_IP, DropCause.BAD_IP_LENGTH]


@pytest.mark.parametrize("first", range(len(ALL_FAULTS) + 2))
@covers("C-057")
def test_of_several_causes_the_first_counts(first: int) -> None:
    """A frame with all faults but the ``first`` ones."""
    order = ["in_reset", "bad_frame", "too_long", "not_ip", "bad_ip_length", "packet_buffer_full", "none"]
    faults = order[first:-1]
    frame = ip_frame(
        size=1515 if "too_long" in faults else 60,
        ethertype=0x0806 if "not_ip" in faults else 0x0800,
        words=4 if "bad_ip_length" in faults else 5,
    )
    door = Door()
    door.is_open = "in_reset" not in faults
    door.has_room = "packet_buffer_full" not in faults
    door.beats.items.extend(beats(frame, error="bad_frame" in faults))
    door.bench.simulate(door.drained)
    assert door.causes == [order[first]]
    assert len(door.admitted()) == (order[first] == "none")


@covers("C-063", "C-065")
def test_room_and_reset_are_decided_at_the_first_beat() -> None:
    door = Door()
    frame = beats(ip_frame(size=300))

    async def story() -> None:
        for name in ("has_room", "is_open"):
            for at_first in (0, 1):
                setattr(door, name, at_first)
                door.beats.items.append(frame[0])
                await door.drained()
                setattr(door, name, 1 - at_first)
                door.beats.items.extend(frame[1:])
                await door.drained()
                setattr(door, name, 1)

    door.bench.simulate(story)
    assert door.causes == ["packet_buffer_full", "none", "in_reset", "none"]


def test_a_frame_without_room_writes_nothing() -> None:
    door = Door()
    door.has_room = 0
    door.enter([ip_frame(size=300)])
    assert not any(flit.write for flit in door.flits.got)


@covers("C-065")
def test_a_frame_cut_by_a_reset_is_dropped_to_its_end() -> None:
    """Even if what is left of it looks like a frame."""
    door = Door()
    frame = ip_frame(size=128) + ip_frame(size=128)

    async def story() -> None:
        door.beats.items.extend(beats(frame)[:2])
        await door.bench.until(lambda: not door.beats.items)
        door.bench.context.set(door.reset, 1)
        await door.bench.cycles(2)
        door.bench.context.set(door.reset, 0)
        door.beats.items.extend(beats(frame)[2:])
        door.beats.items.extend(beats(ip_frame(size=70)))
        await door.drained()

    door.bench.simulate(story)
    assert door.causes == ["in_reset", "none"]
    assert door.admitted() == [b"".join(pipe_flits(ip_frame(size=70)))]


def random_frame(draw: random.Random) -> bytes:
    """Mostly sound, sometimes with any byte of the first 48 changed, sometimes short."""
    frame = bytearray(
        ip_frame(
            size=draw.choice([60, 64, 65, 100, 128, 129, 500]),
            total=draw.choice([20, 28, 33, 34, 46, 46, 46]),
            words=draw.choice([5, 5, 5, 6, 9, 10, 11, 12, 15]),
            protocol=draw.choice([TCP, UDP, ICMP]),
            fragment=draw.choice([0, 0, 0, FIRST_FRAGMENT, LATER_FRAGMENT, DO_NOT_FRAGMENT]),
            flags=draw.getrandbits(8),
        )
    )
    if draw.random() < 0.4:
        frame[draw.randrange(12, 48)] = draw.getrandbits(8)
    if draw.random() < 0.3:
        total = len(frame) - 14 - draw.choice([-1, 0, 0, 1])
        frame[16:18] = total.to_bytes(2, "big")
    return bytes(frame) if draw.random() < 0.9 else bytes(frame[: draw.randint(1, len(frame))])


@pytest.mark.parametrize(("seed", "rate"), [(1, 1.0), (2, 0.6)])
@covers("C-025", "C-056", "C-070")
def test_random_frames_as_the_golden_model_has_them(seed: int, rate: float) -> None:
    draw = random.Random(seed)
    door = Door(rate=rate, seed=seed)
    frames = [random_frame(draw) for _ in range(400)]
    bad = [draw.random() < 0.1 for _ in frames]
    for frame, is_bad in zip(frames, bad, strict=True):
        door.beats.items.extend(beats(frame, error=is_bad))
    door.bench.simulate(door.drained)

    expected = [
        drop_cause(frame, bad=is_bad, maximum_frame=TINY.maximum_frame)
        for frame, is_bad in zip(frames, bad, strict=True)
    ]
    assert door.causes == expected, f"seed {seed}"
    good = [frame for frame, cause in zip(frames, expected, strict=True) if cause == "none"]
    assert len(good) > 100
    assert door.admitted() == [b"".join(pipe_flits(frame)) for frame in good]
    assert [Key(**fields(frame.key)) for frame in door.frames.got] == [steering_key(frame) for frame in good]
    assert [frame.flits for frame in door.frames.got] == [len(pipe_flits(frame)) for frame in good]

    # a flit 2 cycles behind its beat; the frame beside its commit, the verdict beside its end
    assert door.flits.got_at == [cycle + LATENCY for cycle in door.beats.taken_at]
    timed = list(zip(door.flits.got, door.flits.got_at, strict=True))
    assert door.frames.got_at == [cycle for flit, cycle in timed if flit.commit]
    assert door.verdicts.got_at == [cycle for flit, cycle in timed if flit.commit or flit.rollback]
