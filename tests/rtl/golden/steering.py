"""What becomes of a frame by its bytes alone: admission, steering key, flow rules, fallback."""

from dataclasses import dataclass, field, replace
from typing import NamedTuple, Self

from enso_nic.config import FLIT_BYTES, NicConfig

ETHERNET_HEADER, IPV6_HEADER = 14, 40
IPV4, IPV6 = b"\x08\x00", b"\x86\xdd"
TCP, UDP = 6, 17
SYN = 0x02
WORD = 0xFFFFFFFF
STAMP_BYTES = 4
CANDIDATES = 64
"""Rules that an insert tries to move, the new one included."""


class Key(NamedTuple):
    """What a frame is steered by; fields that its kind does not use are 0."""

    destination_port: int = 0
    source_port: int = 0
    destination_address: int = 0
    source_address: int = 0


def is_ipv4(frame: bytes) -> bool:
    """Bytes beyond the end of the frame read as 0, so a frame shorter than 15 bytes is none."""
    return frame[12:14] == IPV4 and len(frame) > ETHERNET_HEADER and frame[14] >> 4 == 4


def is_ipv6(frame: bytes) -> bool:
    """Likewise."""
    return frame[12:14] == IPV6 and len(frame) > ETHERNET_HEADER and frame[14] >> 4 == 6


def ip_end(frame: bytes) -> int:
    """Bytes of the frame up to the end of its IP packet."""
    padded = frame.ljust(FLIT_BYTES, b"\0")
    if is_ipv6(frame):
        return ETHERNET_HEADER + IPV6_HEADER + int.from_bytes(padded[18:20], "big")
    return ETHERNET_HEADER + int.from_bytes(padded[16:18], "big")


def drop_cause(frame: bytes, *, bad: bool, maximum_frame: int) -> str:
    """Why the door drops this frame, room and reset aside; "none" if it does not."""
    if bad:
        return "bad_frame"
    if len(frame) > maximum_frame:
        return "too_long"
    return "none"


def refusal(frame: bytes, *, accept_ipv6: bool = False) -> str:
    """Why a pipe without header mode does not take this frame; "none" if it does."""
    if is_ipv6(frame) and accept_ipv6:
        return "none" if ip_end(frame) <= len(frame) else "bad_ip_length"
    if not is_ipv4(frame):
        return "not_ip"
    header, total = 4 * (frame[14] & 0xF), ip_end(frame) - ETHERNET_HEADER
    if header < 20 or total < header or ip_end(frame) > len(frame):
        return "bad_ip_length"
    return "none"


def steering_key(frame: bytes, stamped_at: int | None = None, *, full_tuple: bool = False) -> Key:
    """Key of an admitted frame. One without a sound IPv4 packet has none: zeros.

    UDP and TCP SYN go by destination address and port, other TCP by the 4-tuple, all else by destination address. So
    do later fragments, and headers of which the ports (TCP: and the flags) are not all within the packet and the first
    64 bytes of the frame. A time stamp from byte ``stamped_at`` on may hide the fragment offset: then that is 0.
    With ``full_tuple`` the key has the source, too: its address, and its port where it has the destination's.
    """
    if refusal(frame) != "none":
        return Key()
    visible = frame[: min(ip_end(frame), FLIT_BYTES)]
    destination = int.from_bytes(frame[30:34], "big")
    source = int.from_bytes(frame[26:30], "big")
    address_only = Key(destination_address=destination, source_address=source if full_tuple else 0)
    hides_fragments = stamped_at is not None and stamped_at <= 21 and stamped_at + STAMP_BYTES > 20
    protocol, is_later_fragment = frame[23], int.from_bytes(frame[20:22], "big") & 0x1FFF != 0 and not hides_fragments
    transport = visible[ETHERNET_HEADER + 4 * (frame[14] & 0xF) :]
    if is_later_fragment or protocol not in (TCP, UDP) or len(transport) < (4 if protocol == UDP else 14):
        return address_only
    port = int.from_bytes(transport[2:4], "big")
    if not full_tuple and (protocol == UDP or transport[13] & SYN):
        return Key(destination_port=port, destination_address=destination)
    return Key(port, int.from_bytes(transport[0:2], "big"), destination, source)


def flits(content: bytes) -> list[bytes]:
    """Its 64-byte lines; zeros fill the last one."""
    padded_length = -(-len(content) // FLIT_BYTES) * FLIT_BYTES
    padded = content.ljust(padded_length, b"\0")
    return [padded[start : start + FLIT_BYTES] for start in range(0, padded_length, FLIT_BYTES)]


def pipe_flits(frame: bytes) -> list[bytes]:
    """A frame as it stands in a pipe without header mode: cut at its IP length."""
    return flits(frame[: ip_end(frame)])


def header_line(frame: bytes, key: Key, *, arrival: int, drops: int) -> bytes:
    """The line before a frame in a pipe in header mode."""
    words = ((len(frame), 4), (lookup3(key, 0), 4), (arrival, 8), (drops, 4))
    return b"".join(value.to_bytes(size, "little") for value, size in words).ljust(FLIT_BYTES, b"\0")


@dataclass(frozen=True)
class Timestamp:
    """Frames carry a time stamp of 4 bytes at byte ``offset`` of their first flit."""

    enabled: bool = False
    offset: int = 0


def stamped(frame: bytes, offset: int, tick: int) -> bytes:
    """A frame that came while time stamps were on: its 4 bytes at ``offset`` tell how long it was under way."""
    sent = int.from_bytes(frame[offset : offset + STAMP_BYTES].ljust(STAMP_BYTES, b"\0"), "big")
    passed = ((tick - sent) & WORD).to_bytes(STAMP_BYTES, "big")
    return (frame[:offset] + passed + frame[offset + STAMP_BYTES :])[: len(frame)]


def lookup3(key: Key, table: int) -> int:
    """Hash of a key for sub-table 0..3: the final mix of Jenkins's lookup3 over three words."""
    start = 0xDEADBEEF + 12 + table
    a = (start + ((key.destination_address & 0xFFFF) << 16 | key.destination_port)) & WORD
    b = (start + (key.source_port << 16 | key.destination_address >> 16)) & WORD
    c = (start + key.source_address) & WORD

    def mixed(word: int, other: int, rotation: int) -> int:
        rotated = (other << rotation | other >> (32 - rotation)) & WORD
        return ((word ^ other) - rotated) & WORD

    c = mixed(c, b, 14)
    a = mixed(a, c, 11)
    b = mixed(b, a, 25)
    c = mixed(c, b, 16)
    a = mixed(a, c, 4)
    b = mixed(b, a, 14)
    return mixed(c, b, 24)


class Candidate(NamedTuple):
    """A rule that may move from its place, so that another can have that; the rule to be inserted has no place yet."""

    key: Key
    pipe: int
    place: tuple[int, int] | None = None
    needed_by: "Candidate | None" = None


@dataclass(frozen=True)
class Steering:
    """Flow rules and fallback between two config requests. Changes give a new one: a frame may have met either.

    Attributes
    ----------
    rules
        (sub-table, index) -> (key, pipe).
    fallback_mask
        Of the hash or the count, where frames go that match no rule; None: nowhere.
    round_robin
        Such frames go by count.
    """

    entries: int
    rules: dict[tuple[int, int], tuple[Key, int]] = field(default_factory=dict)
    fallback_mask: int | None = None
    round_robin: bool = False

    @classmethod
    def after_reset(cls, config: NicConfig) -> Self:
        return cls(config.flow_entries)

    def places(self, key: Key) -> list[tuple[int, int]]:
        """Where a rule for this key may stand, in the order in which they are tried."""
        return [(table, lookup3(key, table) % self.entries) for table in range(4)]

    def place_of(self, key: Key) -> tuple[int, int] | None:
        """Where the rule with this key stands; None: there is none."""
        return next((place for place in self.places(key) if place in self.rules and self.rules[place][0] == key), None)

    def with_rule(self, key: Key, pipe: int) -> Self | None:
        """Insert, or overwrite the rule of the same key; None if no place was found.

        Without an empty place, the rules that stand in the way are tried in turn: the first that has an empty place
        moves there, and its own goes to the one in whose way it stood, up to the new rule. The rules in the way of
        those that are tried are tried later, and no more than CANDIDATES in all, the new one included.
        """
        place = self.place_of(key)
        if place is not None:
            return replace(self, rules={**self.rules, place: (key, pipe)})
        candidates = [Candidate(key, pipe)]
        for candidate in candidates:  # which grow meanwhile
            places = self.places(candidate.key)
            empty = [place for place in places if place not in self.rules]
            if empty:
                return self._moved(candidate, empty[0])
            in_its_way = [place for place in places if place != candidate.place]
            candidates += [Candidate(*self.rules[place], place, candidate) for place in in_its_way]
            del candidates[CANDIDATES:]
        return None

    def _moved(self, last: Candidate, empty: tuple[int, int]) -> Self:
        """The chain that begins with the new rule and ends with ``last`` moves on by one place."""
        rules = dict(self.rules)
        candidate: Candidate | None = last
        target: tuple[int, int] | None = empty
        while candidate is not None and target is not None:
            rules[target] = (candidate.key, candidate.pipe)
            target = candidate.place
            candidate = candidate.needed_by
        return replace(self, rules=rules)

    def without_rule(self, key: Key) -> Self | None:
        """Delete the rule with this key; None: there is none."""
        gone = self.place_of(key)
        if gone is None:
            return None
        return replace(self, rules={place: rule for place, rule in self.rules.items() if place != gone})

    def with_fallback(self, pipes: int, mask: int, *, round_robin: bool) -> Self:
        """Frames without a rule go to pipe ``hash & mask`` or ``count & mask``, or nowhere if there are 0 pipes."""
        return replace(self, fallback_mask=mask if pipes else None, round_robin=round_robin)

    def goes_by_count(self, key: Key) -> bool:
        """Whether a frame with this key is one of those that are counted to find their pipe."""
        return self.fallback_mask is not None and self.round_robin and self.place_of(key) is None

    def pipe(self, key: Key, count: int) -> int | None:
        """Where a frame with this key goes, when ``count`` went by count since reset; None: nowhere."""
        place = self.place_of(key)
        if place is not None:
            return self.rules[place][1]
        if self.fallback_mask is None:
            return None
        return (count if self.round_robin else lookup3(key, 0)) & self.fallback_mask
