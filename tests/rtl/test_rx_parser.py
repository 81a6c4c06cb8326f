"""RxParser: one verdict per frame, the right key, and what a pipe may make of it."""

import random
from typing import Any

import pytest
from amaranth.hdl import ResetInserter, Signal

from enso_nic.config import FLIT_BYTES, TINY
from enso_nic.rx_parser import RxParser
from tests.rtl.contract import covers
from tests.rtl.ethernet_beats import GARBAGE, beats
from tests.rtl.golden.steering import TCP, UDP, Key, drop_cause, ip_end, refusal, stamped, steering_key
from tests.rtl.stream_bench import Bench, Port, Sink, Source, fields

LATENCY = 2
SYN, ACK = 0x02, 0x10
SOURCE, DESTINATION = 0xC0A80102, 0x0A000001
ICMP = 1
NO_TIMESTAMP = {"offset": 0, "enable": 0}


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


def ipv6_frame(*, size: int, payload: int, ethertype: int = 0x86DD, version: int = 6) -> bytes:
    """A frame of ``size`` bytes that holds an IPv6 packet with so many bytes behind its header."""
    frame = bytes(12) + ethertype.to_bytes(2, "big") + bytes([version << 4 | 5, 0, 0, 0]) + payload.to_bytes(2, "big")
    return (frame + bytes(i % 251 for i in range(len(frame), size)))[:size]


def stamp_at(offset: int) -> dict[str, int]:
    return {"offset": offset, "enable": 1}


class Door:
    """A parser, and what it makes of frames. ``tick``, ``timestamp`` and ``full_tuple`` are kept, cycle by cycle."""

    def __init__(self, *, rate: float = 1.0, seed: int = 1) -> None:
        self.block = RxParser(TINY)
        self.reset = Signal()
        self.beats = Source(self.block.i, rate=rate)
        self.flits, self.frames, self.verdicts = (
            Sink(port) for port in (self.block.flit, self.block.frame, self.block.verdict)
        )
        self.has_room, self.is_open, self.accept_ipv6, self.full_tuple, self.was_reset = 1, 1, 0, 0, 0
        self.timestamp = NO_TIMESTAMP
        self.tick = 0
        self.ticks: list[int] = []
        self.timestamps: list[dict[str, int]] = []
        self.full_tuples: list[int] = []
        ports: list[Port] = [self.beats, self.flits, self.frames, self.verdicts]
        self.bench = Bench(ResetInserter(self.reset)(self.block), ports, seed, self.each_cycle)

    def each_cycle(self, context: Any, cycle: int) -> None:
        for name in ("has_room", "is_open", "accept_ipv6", "full_tuple", "timestamp", "tick"):
            context.set(getattr(self.block, name), getattr(self, name))
        self.ticks.append(self.tick)
        self.timestamps.append(self.timestamp)
        self.full_tuples.append(self.full_tuple)
        self.was_reset |= context.get(self.reset)
        if context.get(self.block.idle) and not self.was_reset:
            assert len(self.flits.got) == len(self.beats.taken_at), "idle with a beat inside"

    async def drained(self) -> None:
        await self.bench.until(lambda: not self.beats.items)
        await self.bench.cycles(LATENCY + 1)

    def enter(self, frames: list[bytes], garbage: bytes = GARBAGE) -> None:
        """Frames back to back."""
        for frame in frames:
            self.beats.items.extend(beats(frame, garbage=garbage))
        self.bench.simulate(self.drained)

    @property
    def causes(self) -> list[str]:
        return [verdict.cause.name.lower() for verdict in self.verdicts.got]

    @property
    def refusals(self) -> list[str]:
        """Of the frames that come in; the verdicts say the same."""
        refusals = [frame.refusal.name.lower() for frame in self.frames.got]
        told = [verdict.refusal.name.lower() for verdict in self.verdicts.got if verdict.cause.name == "NONE"]
        assert told == refusals
        return refusals

    @property
    def keys(self) -> list[Key]:
        return [Key(**fields(frame.key)) for frame in self.frames.got]

    def admitted(self) -> list[bytes]:
        """The frames as the packet buffer would keep them, up to their lengths."""
        lengths = [frame.length for frame in self.frames.got]
        kept: list[bytes] = []
        frame = b""
        for flit in self.flits.got:
            assert not (flit.commit and flit.rollback)
            if flit.write:
                frame += flit.data.to_bytes(FLIT_BYTES, "little")
            assert len(frame) <= TINY.maximum_frame_flits * FLIT_BYTES, "more than has_room promises"
            if flit.commit:
                length = lengths[len(kept)]
                assert len(frame) == -(-length // FLIT_BYTES) * FLIT_BYTES, "flits and length differ"
                kept.append(frame[:length])
            if flit.commit or flit.rollback:
                frame = b""
        assert frame == b"", "a frame without an end"
        assert len(kept) == len(lengths)
        return kept


VERDICTS = {
    "the smallest": (ip_frame(), "none"),
    "a byte": (b"\x45", "none"),
    "ARP": (ip_frame(ethertype=0x0806), "none"),
    "the longest": (ip_frame(size=1514), "none"),
    "the longest, not IP": (ip_frame(size=1514, ethertype=0x0806), "none"),
    "a byte too long": (ip_frame(size=1515), "too_long"),
    "a byte too long, in a trailer": (ip_frame(size=1515, total=100), "too_long"),
    "a flit too long": (ip_frame(size=1537), "too_long"),
    "255 flits": (ip_frame(size=255 * 64), "too_long"),
    "as many as an 8-bit count comes round to 0 with": (ip_frame(size=256 * 64), "too_long"),
    "and to 1": (ip_frame(size=256 * 64 + 60), "too_long"),
    "a giant that says it is small": (ip_frame(size=20000, total=46), "too_long"),
    "a last flit of one byte": (ip_frame(size=65), "none"),
    "a last flit of all but one": (ip_frame(size=127), "none"),
    "flits that are full": (ip_frame(size=128), "none"),
}


@covers("C-059", "C-061", "C-062")
def test_verdicts() -> None:
    door = Door()
    door.enter([frame for frame, _ in VERDICTS.values()])
    assert dict(zip(VERDICTS, door.causes, strict=True)) == {name: cause for name, (_, cause) in VERDICTS.items()}
    assert door.admitted() == [frame for frame, cause in VERDICTS.values() if cause == "none"]


REFUSALS = {
    "the smallest": (ip_frame(), "none"),
    "nothing but an IP header": (ip_frame(size=34), "none"),
    "the longest": (ip_frame(size=1514), "none"),
    "ARP": (ip_frame(ethertype=0x0806), "not_ip"),
    "a VLAN tag": (ip_frame(ethertype=0x8100), "not_ip"),
    "version 6 as EtherType IPv4": (ip_frame(version=6), "not_ip"),
    "not IP, and a bad header": (ip_frame(ethertype=0x0806, words=4), "not_ip"),
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
}
IPV6_REFUSALS = {
    # while pipes take it
    "nothing but an IPv6 header": (ipv6_frame(size=54, payload=0), "none"),
    "IPv6 up to the end": (ipv6_frame(size=200, payload=146), "none"),
    "IPv6 beyond the end": (ipv6_frame(size=200, payload=147), "bad_ip_length"),
    "the greatest IPv6 length": (ipv6_frame(size=200, payload=65535), "bad_ip_length"),
    "the longest IPv6": (ipv6_frame(size=1514, payload=1460), "none"),
    "IPv6 with a trailer": (ipv6_frame(size=60, payload=0), "none"),
    "IPv6 with a trailer of flits": (ipv6_frame(size=500, payload=11), "none"),
    **{f"IPv6, cut to {size} bytes": (ipv6_frame(size=size, payload=0), "bad_ip_length") for size in range(15, 54)},
}
NEVER_IPV6 = {
    "version 4 as EtherType IPv6": (ipv6_frame(size=100, payload=0, version=4), "not_ip"),
    "version 6 as EtherType IPv4": (ipv6_frame(size=100, payload=0, ethertype=0x0800), "not_ip"),
    "a runt of 14 bytes": (ipv6_frame(size=14, payload=0), "not_ip"),
}
NOT_ACCEPTED = {name: (frame, "not_ip") for name, (frame, _) in IPV6_REFUSALS.items()}


@pytest.mark.parametrize("accept_ipv6", [0, 1])
@covers("C-025", "C-061", "C-062")
def test_every_frame_comes_in_whole_and_says_what_a_pipe_without_header_mode_makes_of_it(accept_ipv6: int) -> None:
    """Why it refuses it, or how much of it it keeps. One that is refused, or IPv6, has no key."""
    cases = REFUSALS | NEVER_IPV6 | (IPV6_REFUSALS if accept_ipv6 else NOT_ACCEPTED)
    door = Door()
    door.accept_ipv6 = accept_ipv6
    door.enter([frame for frame, _ in cases.values()])
    assert set(door.causes) == {"none"}
    assert dict(zip(cases, door.refusals, strict=True)) == {name: refusal for name, (_, refusal) in cases.items()}
    assert door.admitted() == [frame for frame, _ in cases.values()]
    for frame, told in zip((frame for frame, _ in cases.values()), door.frames.got, strict=True):
        if told.refusal.name == "NONE":
            assert told.end == ip_end(frame)
        assert (Key(**fields(told.key)) == Key()) == (told.refusal.name != "NONE" or frame[12] == 0x86)


@pytest.mark.parametrize(
    "garbage",
    [bytes(64), bytes([0xFF]) * 64, ip_frame(size=64), ipv6_frame(size=64, payload=0)],
    ids=["zeros", "ones", "IPv4", "IPv6"],
)
def test_what_the_mac_has_on_its_wires_beyond_the_end_of_a_frame_is_not_looked_at(garbage: bytes) -> None:
    """Also if it looks like what is missing."""
    cases = REFUSALS | IPV6_REFUSALS | NEVER_IPV6
    sizes = [*range(1, 65), 65, 127, 128]
    frames = [frame for frame, _ in cases.values()] + [ip_frame(size=100, protocol=TCP)[:size] for size in sizes]
    door = Door()
    door.accept_ipv6 = 1
    door.enter(frames, garbage)
    assert door.refusals == [refusal(frame, accept_ipv6=True) for frame in frames]
    assert door.keys == [steering_key(frame) for frame in frames]
    assert door.admitted() == frames


ADDRESS_ONLY = Key(destination_address=DESTINATION)
BOTH_ADDRESSES = Key(destination_address=DESTINATION, source_address=SOURCE)
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
    assert dict(zip(KEYS, door.keys, strict=True)) == {name: key for name, (_, key) in KEYS.items()}


ORDER = ["in_reset", "bad_frame", "too_long", "packet_buffer_full", "none"]


@pytest.mark.parametrize("first", range(len(ORDER)))
@covers("C-057")
def test_of_several_causes_the_first_counts(first: int) -> None:
    """A frame with all faults but the ``first`` ones; that no pipe takes it is none."""
    faults = ORDER[first:-1]
    frame = ip_frame(size=1515 if "too_long" in faults else 60, ethertype=0x0806)
    door = Door()
    door.is_open = "in_reset" not in faults
    door.has_room = "packet_buffer_full" not in faults
    door.beats.items.extend(beats(frame, error="bad_frame" in faults))
    door.bench.simulate(door.drained)
    assert door.causes == [ORDER[first]]
    assert len(door.admitted()) == (ORDER[first] == "none")


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


@pytest.mark.parametrize(("frame", "key"), KEYS.values(), ids=KEYS)
@covers("C-181")
def test_a_full_tuple_has_the_source_too(frame: bytes, key: Key) -> None:
    door = Door()
    door.full_tuple = 1
    door.enter([frame])
    assert door.keys == [BOTH_ADDRESSES if key == ADDRESS_ONLY else FOUR_TUPLE]
    assert door.keys == [steering_key(frame, full_tuple=True)]
    assert [verdict.full_tuple for verdict in door.verdicts.got] == [1]


def test_in_full_tuples_what_is_no_sound_ipv4_has_no_key() -> None:
    door = Door()
    door.full_tuple = door.accept_ipv6 = 1
    cases = REFUSALS | IPV6_REFUSALS
    door.enter([frame for frame, _ in cases.values()])
    for told in door.frames.got:
        if told.refusal.name != "NONE":
            assert Key(**fields(told.key)) == Key()
    assert door.keys == [steering_key(frame, full_tuple=True) for frame, _ in cases.values()]


def test_whether_pipes_take_ipv6_is_decided_at_the_first_beat() -> None:
    door = Door()
    frame = beats(ipv6_frame(size=300, payload=246))

    async def story() -> None:
        for at_first in (0, 1):
            door.accept_ipv6 = at_first
            door.beats.items.append(frame[0])
            await door.drained()
            door.accept_ipv6 = 1 - at_first
            door.beats.items.extend(frame[1:])
            await door.drained()

    door.bench.simulate(story)
    assert door.refusals == ["not_ip", "none"]


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
    assert door.admitted() == [ip_frame(size=70)]


# --- time -------------------------------------------------------------------------------------------------------------


def test_the_arrival_is_the_tick_of_the_first_beat() -> None:
    """All 64 bits of it, whatever the pauses in the frame."""
    door = Door(rate=0.4, seed=3)
    door.tick = (1 << 64) - 100
    sizes = [60, 300, 64, 1514, 65]
    for size in sizes:
        door.beats.items.extend(beats(ip_frame(size=size)))

    async def story() -> None:
        while door.beats.items or not door.frames.got_at or len(door.frames.got) < len(sizes):
            door.tick = (door.tick + 3) % (1 << 64)
            await door.bench.cycles(1)

    door.bench.simulate(story)
    firsts = [sum(-(-each // FLIT_BYTES) for each in sizes[:i]) for i in range(len(sizes))]
    arrivals = [door.ticks[door.beats.taken_at[first]] for first in firsts]
    assert [frame.arrival for frame in door.frames.got] == arrivals
    assert arrivals[0] > 1 << 63 > arrivals[-1]


@pytest.mark.parametrize("tick", [5, 0x12345678_9ABCDEF0, (1 << 64) - 1])
def test_a_time_stamp_becomes_the_tick_minus_what_it_was(tick: int) -> None:
    """At every offset, in the first flit only."""
    door = Door()
    door.tick = tick
    frame = bytes(i * 37 % 256 for i in range(200))

    async def story() -> None:
        for offset in range(61):
            door.timestamp = stamp_at(offset)
            door.beats.items.extend(beats(frame))
            await door.drained()
        door.timestamp = {"offset": 7, "enable": 0}
        door.beats.items.extend(beats(frame))
        await door.drained()

    door.bench.simulate(story)
    assert door.admitted() == [*(stamped(frame, offset, tick) for offset in range(61)), frame]
    settings = [*(stamp_at(offset) for offset in range(61)), {"offset": 7, "enable": 0}]
    assert [fields(verdict.timestamp) for verdict in door.verdicts.got] == settings


def test_the_setting_and_the_tick_of_the_first_beat_count() -> None:
    door = Door()
    frame = ip_frame(size=200)

    async def story() -> None:
        for first, second in ((stamp_at(50), NO_TIMESTAMP), (NO_TIMESTAMP, stamp_at(50)), (stamp_at(42), stamp_at(50))):
            for setting, tick, piece in ((first, 1000, beats(frame)[:1]), (second, 2000, beats(frame)[1:])):
                door.timestamp, door.tick = setting, tick
                door.beats.items.extend(piece)
                await door.bench.until(lambda: not door.beats.items)
        await door.drained()

    door.bench.simulate(story)
    assert door.admitted() == [stamped(frame, 50, 1000), frame, stamped(frame, 42, 1000)]
    assert [fields(verdict.timestamp) for verdict in door.verdicts.got] == [stamp_at(50), NO_TIMESTAMP, stamp_at(42)]


def test_what_is_stamped_is_looked_at_as_it_is_then() -> None:
    """A stamp over the EtherType or the length decides what the frame is, one over the port which its key is."""
    door, tick = Door(), 0x0800_4500
    original = ip_frame(size=100)
    arp = original[:12] + bytes(4) + original[16:]
    cases = [(original, 12, "not_ip"), (arp, 12, "none"), (original, 16, "bad_ip_length"), (original, 34, "none")]

    async def story() -> None:
        door.tick = tick
        for frame, offset, _ in cases:
            door.timestamp = stamp_at(offset)
            door.beats.items.extend(beats(frame))
            await door.drained()

    door.bench.simulate(story)
    assert door.refusals == [refusal for *_, refusal in cases]
    assert door.keys == [steering_key(stamped(frame, offset, tick), offset) for frame, offset, _ in cases]
    assert door.keys[3].destination_port == (tick - 0x12345678) & 0xFFFF


@pytest.mark.parametrize("garbage", [bytes(64), bytes([0xFF]) * 64], ids=["zeros", "ones"])
@pytest.mark.parametrize("size", [1, 18, 60, 63, 65])
def test_of_a_stamp_beyond_the_end_of_the_frame_only_what_lies_in_it_counts(size: int, garbage: bytes) -> None:
    """The bytes that are not there are zeros before the subtraction."""
    door, frame = Door(), bytes(range(100, 100 + size))
    door.tick = 0x01020304

    async def story() -> None:
        for offset in range(61):
            door.timestamp = stamp_at(offset)
            door.beats.items.extend(beats(frame, garbage=garbage))
            await door.drained()

    door.bench.simulate(story)
    assert door.admitted() == [stamped(frame, offset, door.tick) for offset in range(61)]


@pytest.mark.parametrize("protocol", [UDP, TCP])
def test_a_fragment_offset_under_a_time_stamp_does_not_count(protocol: int) -> None:
    """The stamps leave the frame as it is: the tick is twice what stood there."""
    frame = ip_frame(size=100, protocol=protocol, fragment=LATER_FRAGMENT)
    door = Door()

    async def story() -> None:
        for offset in range(14, 25):
            door.timestamp = stamp_at(offset)
            door.tick = 2 * int.from_bytes(frame[offset : offset + 4], "big")
            door.beats.items.extend(beats(frame))
            await door.drained()
        door.timestamp = {"offset": 18, "enable": 0}
        door.beats.items.extend(beats(frame))
        await door.drained()

    door.bench.simulate(story)
    assert set(door.admitted()) == {frame}
    whole = WITH_PORT if protocol == UDP else FOUR_TUPLE
    assert door.keys == [whole if 17 <= offset <= 21 else ADDRESS_ONLY for offset in range(14, 25)] + [ADDRESS_ONLY]


# --- all together -----------------------------------------------------------------------------------------------------


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
    if draw.random() < 0.2:
        frame[12:15] = b"\x86\xdd\x60"
        frame[18:20] = (len(frame) - 54 + draw.choice([-1, 0, 0, 1])).to_bytes(2, "big", signed=True)
    if draw.random() < 0.4:
        frame[draw.randrange(12, 48)] = draw.getrandbits(8)
    if draw.random() < 0.3:
        total = len(frame) - 14 - draw.choice([-1, 0, 0, 1])
        frame[16:18] = total.to_bytes(2, "big")
    return bytes(frame) if draw.random() < 0.9 else bytes(frame[: draw.randint(1, len(frame))])


@pytest.mark.parametrize(("seed", "rate", "stamps"), [(1, 1.0, 0.0), (2, 0.6, 0.0), (3, 1.0, 0.5), (4, 0.6, 0.5)])
@covers("C-025", "C-056", "C-070")
def test_random_frames_as_the_golden_model_has_them(seed: int, rate: float, stamps: float) -> None:
    """``stamps``: the share of cycles in which time stamps are on."""
    draw = random.Random(seed)
    door = Door(rate=rate, seed=seed)
    door.accept_ipv6 = seed % 2
    frames = [random_frame(draw) for _ in range(400)]
    bad = [draw.random() < 0.1 for _ in frames]
    firsts: list[int] = []
    for frame, is_bad in zip(frames, bad, strict=True):
        firsts.append(len(door.beats.items))
        door.beats.items.extend(beats(frame, error=is_bad, garbage=draw.randbytes(FLIT_BYTES)))

    async def story() -> None:
        while door.beats.items:
            door.tick = draw.getrandbits(64)
            door.timestamp = {"offset": draw.randrange(61), "enable": draw.random() < stamps}
            door.full_tuple = draw.getrandbits(1)
            await door.bench.cycles(1)
        await door.drained()

    door.bench.simulate(story)

    expected = [
        drop_cause(frame, bad=is_bad, maximum_frame=TINY.maximum_frame)
        for frame, is_bad in zip(frames, bad, strict=True)
    ]
    assert door.causes == expected, f"seed {seed}"
    began = [door.beats.taken_at[first] for first in firsts]
    assert [fields(verdict.timestamp) for verdict in door.verdicts.got] == [door.timestamps[cycle] for cycle in began]
    full_tuples = [bool(door.full_tuples[cycle + 1]) for cycle in began]
    assert [bool(verdict.full_tuple) for verdict in door.verdicts.got] == full_tuples
    good: list[tuple[bytes, int | None, bool]] = []
    arrivals: list[int] = []
    for frame, cause, cycle, full_tuple in zip(frames, expected, began, full_tuples, strict=True):
        if cause == "none":
            tick, setting = door.ticks[cycle], door.timestamps[cycle]
            offset = setting["offset"] if setting["enable"] else None
            good.append((frame if offset is None else stamped(frame, offset, tick), offset, full_tuple))
            arrivals.append(tick)
    assert door.admitted() == [frame for frame, *_ in good], f"seed {seed}"
    assert door.keys == [steering_key(frame, offset, full_tuple=is_full) for frame, offset, is_full in good]
    assert door.refusals == [refusal(frame, accept_ipv6=bool(door.accept_ipv6)) for frame, *_ in good]
    assert set(door.refusals) == {"none", "not_ip", "bad_ip_length"}
    assert [frame.arrival for frame in door.frames.got] == arrivals
    ends = [frame.end for frame in door.frames.got if frame.refusal.name == "NONE"]
    assert ends == [ip_end(frame) for frame, *_ in good if refusal(frame, accept_ipv6=bool(door.accept_ipv6)) == "none"]
    assert len(ends) > 100

    # a flit 2 cycles behind its beat; the frame beside its commit, the verdict beside its end
    assert door.flits.got_at == [cycle + LATENCY for cycle in door.beats.taken_at]
    timed = list(zip(door.flits.got, door.flits.got_at, strict=True))
    assert door.frames.got_at == [cycle for flit, cycle in timed if flit.commit]
    assert door.verdicts.got_at == [cycle for flit, cycle in timed if flit.commit or flit.rollback]
