"""What the notifier asks of the blocks behind it, for their benches: packets, drops, notifications and answers."""

from typing import Any

from enso_nic.config import FLIT_BYTES, TINY
from enso_nic.layouts import RxCommandKind

RING = TINY.pipe_flits
BASE = 0x40_0000_0400 // FLIT_BYTES
"""Line at which the rings of these benches begin, unless they say otherwise."""
Item = dict[str, Any]


def packet(offset: int, flits: int, *, notify: int = 0, **fields: Any) -> Item:
    """A frame of whole flits for a ring of RING lines, but for ``fields`` of RxWrite that say otherwise."""
    size = FLIT_BYTES * flits
    item = {
        "kind": RxCommandKind.PACKET,
        "flits": flits,
        "base": BASE,
        "offset": offset,
        "size": RING.bit_length() - 1,
        "read": {"drop": 0, "header": 0, "length": size, "kept": size, "drops": 0x9ABCDEF0},
        "notify": notify,
        "slot": 7,
        "pipe": 3,
        "tail": (offset + flits) % RING,
    }
    return item | fields


def drop(flits: int) -> Item:
    return {"kind": RxCommandKind.DROP, "read": {"drop": 1, "length": FLIT_BYTES * flits}}


def check(slot: int, pipe: int, tail: int) -> Item:
    return {"kind": RxCommandKind.CHECK, "notify": 1, "slot": slot, "pipe": pipe, "tail": tail}


def answer(tag: int, data: int) -> Item:
    return {"kind": RxCommandKind.READ, "tag": tag, "data": data}


def lines_of(item: Item) -> list[int]:
    """Where its flits go, around the end of the ring."""
    if item["kind"] != RxCommandKind.PACKET:
        return []
    return [item["base"] + (item["offset"] + number) % 2 ** item["size"] for number in range(item["flits"])]
