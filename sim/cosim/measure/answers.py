"""Which frame that left the NIC answers which request."""

from collections import deque
from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cosim.mapped import let_go
from cosim.measure.errors import AccountingError
from cosim.measure.latency import order_of_arrival
from cosim.traffic.frames import Frames

Integers = NDArray[np.int64]

_WORD = 8
_BLOCK_BYTES = 1 << 22  # of frames that are looked at together
_PART = 1 << 12  # frames of any length, likewise
_MIX = np.uint64(0x9E3779B97F4A7C15)  # odd, with no pattern
_HALF = np.uint64(32)


class Answers(Protocol):
    """The answer of each request; frames are."""

    @property
    def lengths(self) -> NDArray[np.int32]:
        """Bytes of each, or more or less."""

    def __len__(self) -> int:
        """How many."""

    def taken(self, indices: Integers) -> Frames:
        """These, in this order."""


def match_answers(
    expected: Answers,
    has_answer: NDArray[np.bool_],
    arrivals_ps: Integers,
    returned: Frames,
    returned_ps: Integers,
) -> Integers:
    """When the answer of each request left the NIC: ps of its last beat, -1 where there is none.

    Requests of the same answer are served in the order of their arrival.

    Parameters
    ----------
    expected
        The answer of each request; of one that must have none anything.
    has_answer
        Which may be answered.
    arrivals_ps
        When each request entered the NIC (its last beat); -1 where it did not.
    returned, returned_ps
        The frames that left the NIC, in order, and when.

    Raises
    ------
    AccountingError
        A frame left that answers no request that had arrived by then.
    """
    arrived = order_of_arrival(arrivals_ps)
    arrived = arrived[has_answer[arrived]]
    answered = _by_hash(expected, arrived, returned)
    if answered is None or (arrivals_ps[answered] >= returned_ps).any():
        answered = _one_by_one(expected, arrived, arrivals_ps, returned, returned_ps)
    answers_ps = np.full(len(expected), -1, dtype=np.int64)
    answers_ps[answered] = returned_ps
    return answers_ps


def _by_hash(expected: Answers, arrived: Integers, returned: Frames) -> Integers | None:
    """The request that each returned frame answers; None if a frame answers none, or two frames share a hash."""
    hashes, order = _sorted(_hashes(expected, arrived))
    returned_hashes, returned_order = _sorted(_hashes(returned, np.arange(len(returned))))
    places = np.searchsorted(hashes, returned_hashes)
    places += np.arange(len(returned)) - np.searchsorted(returned_hashes, returned_hashes)  # those before it, and equal
    if (places >= len(hashes)).any():
        return None
    del hashes, returned_hashes
    answered = np.empty(len(returned), dtype=np.int64)
    answered[returned_order] = arrived[order[places]]
    del places, order, returned_order
    # a frame without a request is now taken for another one, whose bytes differ
    return answered if _are_equal(expected, answered, returned) else None


def _one_by_one(
    expected: Answers, arrived: Integers, arrivals_ps: Integers, returned: Frames, returned_ps: Integers
) -> Integers:
    """The same, slower, whatever the hashes; tells the first frame that answers none."""
    waiting: dict[bytes, deque[int]] = {}
    for start in range(0, len(arrived), _PART):
        some = arrived[start : start + _PART]
        for index, frame in zip(some.tolist(), expected.taken(some), strict=True):
            waiting.setdefault(frame, deque()).append(index)
    answered = np.empty(len(returned), dtype=np.int64)
    for number, (frame, time) in enumerate(zip(returned, returned_ps.tolist(), strict=True)):
        candidates = waiting.get(frame)
        if not candidates or arrivals_ps[candidates[0]] >= time:
            raise AccountingError(
                f"frame {number + 1} that left the NIC, of {len(frame)} bytes at {time} ps, answers no request"
            )
        answered[number] = candidates.popleft()
    return answered


def _sorted(hashes: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], Integers]:
    """Ascending, and where each stands."""
    order = np.argsort(hashes, kind="stable")
    return hashes[order], order


def _hashes(frames: Answers, indices: Integers) -> NDArray[np.uint64]:
    """64 bits for each frame at ``indices``: a sum, so that zeros behind a frame change nothing."""
    hashes = np.empty(len(indices), dtype=np.uint64)
    for places in _blocks(frames.lengths[indices]):
        some = frames.taken(indices[places])
        words = _words(some)
        weights = np.arange(1, 2 * words.shape[1], 2, dtype=np.uint64) * _MIX
        mixed = words * _MIX
        mixed ^= mixed >> _HALF
        mixed *= weights ^ (weights >> _HALF) | np.uint64(1)
        hashes[places] = mixed.sum(axis=1) + some.lengths.astype(np.uint64)
        let_go(some.blob)
    return hashes


def _are_equal(expected: Answers, answered: Integers, returned: Frames) -> bool:
    """Whether each returned frame has the bytes that it is taken for."""
    for places in _blocks(returned.lengths):
        frames, others = expected.taken(answered[places]), returned.taken(places)
        if (frames.lengths != others.lengths).any() or not np.array_equal(_words(frames), _words(others)):
            return False
        let_go(frames.blob)
        let_go(others.blob)
    return True


def _blocks(lengths: NDArray[np.int32]) -> Iterator[Integers]:
    """The places of frames of these lengths, a block of the like at a time; the longest ones first."""
    by_length = np.argsort(-lengths.astype(np.int64), kind="stable")
    start = 0
    while start < len(lengths):
        count = max(1, _BLOCK_BYTES // max(1, int(lengths[by_length[start]])))
        yield by_length[start : start + count]
        start += count


def _words(frames: Frames) -> NDArray[np.uint64]:
    """The frames, a row of words each, with zeros behind it."""
    width = -(-int(frames.lengths.max(initial=1)) // _WORD) * _WORD
    blob = frames.blob
    if int(frames.offsets.max(initial=0)) + width > len(blob):
        start = int(frames.offsets.min(initial=0))
        frames = Frames(np.pad(blob[start:], (0, width)), frames.offsets - start, frames.lengths)
    rows: NDArray[np.uint8] = np.lib.stride_tricks.sliding_window_view(frames.blob, width)[frames.offsets]
    shortest = int(frames.lengths.min(initial=width))
    rows[:, shortest:][np.arange(shortest, width) >= frames.lengths[:, np.newaxis]] = 0
    return rows.view(np.uint64)
