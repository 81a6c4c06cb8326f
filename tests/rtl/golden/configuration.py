"""Config requests: what each id means, and how it ends."""

from collections import Counter
from dataclasses import dataclass

from tests.rtl.contract import hit
from tests.rtl.golden.receive import Receive
from tests.rtl.golden.steering import Key, Steering, Timestamp

FLOW_INSERT, TIMESTAMP, RATE_LIMIT, FALLBACK = range(1, 5)
FLOW_DELETE, FLOW_STATUS = 0x100, 0x101
OK, UNKNOWN, TABLE_FULL, NOT_FOUND = 0, 3, 4, 5
"""How a request ends: the code of its completion."""
PIPE_MASK = 0x1FFF
LAST_TIMESTAMP_OFFSET = 60


@dataclass(frozen=True)
class RateLimit:
    """TX sends at most numerator / denominator of 200 M flits per second."""

    enabled: bool = False
    numerator: int = 0
    denominator: int = 0


class Configuration:
    """What config requests have set, up to the newest that was fetched; ``receive`` has flow rules and fallback."""

    def __init__(self, receive: Receive, counters: Counter[str]) -> None:
        self._receive = receive
        self._counters = counters
        self.timestamp = Timestamp()
        self.rate_limit = RateLimit()

    def request(self, line: bytes) -> int:
        """The config request in this slot takes effect; its code."""

        def word(start: int, end: int) -> int:
            return int.from_bytes(line[start:end], "little")

        def top_bit(end: int) -> bool:
            return line[end - 1] >= 0x80

        number, steering = word(8, 16), self._receive.steerings[-1]
        key, pipe = Key(word(16, 18), word(18, 20), word(20, 24), word(24, 28)), word(32, 36) & PIPE_MASK
        changed: Steering | None = steering
        code = OK
        if number == FLOW_INSERT:
            changed = steering.with_rule(key, pipe)
            if changed is None:
                hit("C-081")
            elif steering.place_of(key):
                hit("C-077")
            code = TABLE_FULL if changed is None else OK
            self._counters["flow_inserts_failed"] += changed is None
        elif number == FLOW_DELETE:
            hit("C-082")
            changed = steering.without_rule(key)
            code = NOT_FOUND if changed is None else OK
        elif number == FLOW_STATUS:
            hit("C-083")
            code = OK if steering.place_of(key) else NOT_FOUND
        elif number == TIMESTAMP:
            hit("C-134")
            self.timestamp = Timestamp(top_bit(24), min(word(24, 32), LAST_TIMESTAMP_OFFSET))
        elif number == RATE_LIMIT:
            hit("C-134")
            self.rate_limit = RateLimit(top_bit(24), numerator=word(18, 20), denominator=word(16, 18))
        elif number == FALLBACK:
            changed = steering.with_fallback(word(16, 20), word(20, 24) & PIPE_MASK, round_robin=top_bit(32))
        else:
            hit("C-133")
            code = UNKNOWN
        self._receive.steerings.append(changed or steering)
        self._receive.timestamps.append(self.timestamp)
        return code
