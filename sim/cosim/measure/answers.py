"""Which frame that left the NIC answers which request."""

from collections import deque
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cosim.measure.errors import AccountingError
from cosim.measure.latency import order_of_arrival
from cosim.traffic.frames import Frames

Integers = NDArray[np.int64]

_WORD = 8
_BLOCK_BYTES = 1 << 22  # of frames that are looked at together
_MIX = np.uint64(0x9E3779B97F4A7C15)  # odd, with no pattern
_HALF = np.uint64(32)


def match_answers(
    expected: Frames,
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


def _by_hash(expected: Frames, arrived: Integers, returned: Frames) -> Integers | None:
    """The request that each returned frame answers; None if a frame answers none, or two frames share a hash."""
    hashes, returned_hashes = _hashes(expected, arrived), _hashes(returned, np.arange(len(returned)))
    order, returned_order = np.argsort(hashes, kind="stable"), np.argsort(returned_hashes, kind="stable")
    returned_hashes = returned_hashes[returned_order]
    before_it = np.arange(len(returned)) - np.searchsorted(returned_hashes, returned_hashes)  # and equal
    places = np.searchsorted(hashes[order], returned_hashes) + before_it
    if (places >= len(hashes)).any():
        return None
    answered = np.empty(len(returned), dtype=np.int64)
    answered[returned_order] = arrived[order[places]]
    # a frame without a request is now taken for another one, whose bytes differ
    return answered if _are_equal(expected, answered, returned) else None


def _one_by_one(
    expected: Frames, arrived: Integers, arrivals_ps: Integers, returned: Frames, returned_ps: Integers
) -> Integers:
    """The same, slower, whatever the hashes; tells the first frame that answers none."""
    waiting: dict[bytes, deque[int]] = {}
    for index in arrived.tolist():
        waiting.setdefault(_frame(expected, index), deque()).append(index)
    answered = np.empty(len(returned), dtype=np.int64)
    for number, (frame, time) in enumerate(zip(returned, returned_ps.tolist(), strict=True)):
        candidates = waiting.get(frame)
        if not candidates or arrivals_ps[candidates[0]] >= time:
            raise AccountingError(
                f"frame {number + 1} that left the NIC, of {len(frame)} bytes at {time} ps, answers no request"
            )
        answered[number] = candidates.popleft()
    return answered


def _frame(frames: Frames, index: int) -> bytes:
    offset = int(frames.offsets[index])
    return frames.blob[offset : offset + int(frames.lengths[index])].tobytes()


def _hashes(frames: Frames, indices: Integers) -> NDArray[np.uint64]:
    """64 bits for each frame at ``indices``: a sum, so that zeros behind a frame change nothing."""
    hashes = np.empty(len(indices), dtype=np.uint64)
    for places, words in _blocks(frames, indices):
        weights = np.arange(1, 2 * words.shape[1], 2, dtype=np.uint64) * _MIX
        mixed = words * _MIX
        mixed ^= mixed >> _HALF
        mixed *= weights ^ (weights >> _HALF) | np.uint64(1)
        hashes[places] = mixed.sum(axis=1) + frames.lengths[indices[places]].astype(np.uint64)
    return hashes


def _are_equal(expected: Frames, answered: Integers, returned: Frames) -> bool:
    """Whether each returned frame has the bytes that it is taken for."""
    if (expected.lengths[answered] != returned.lengths).any():
        return False
    pairs = zip(_blocks(expected, answered), _blocks(returned, np.arange(len(returned))), strict=True)
    return all(np.array_equal(words, other_words) for (_, words), (_, other_words) in pairs)


def _blocks(frames: Frames, indices: Integers) -> Iterator[tuple[Integers, NDArray[np.uint64]]]:
    """The frames at ``indices``, a block at a time: places in ``indices``, and a row of words each, zeros behind it."""
    lengths, offsets = frames.lengths[indices].astype(np.int64), frames.offsets[indices]
    by_length = np.argsort(-lengths, kind="stable")
    blob = frames.blob
    longest = max(1, int(lengths.max(initial=0)))
    if int(offsets.max(initial=0)) + longest > len(blob):
        blob = np.concatenate([blob, np.zeros(longest, dtype=np.uint8)])
    start = 0
    while start < len(indices):
        width = max(1, int(lengths[by_length[start]]))
        places = by_length[start : start + max(1, _BLOCK_BYTES // width)]
        rows = np.zeros((len(places), -(-width // _WORD) * _WORD), dtype=np.uint8)
        rows[:, :width] = np.lib.stride_tricks.sliding_window_view(blob, width)[offsets[places]]
        if lengths[places[-1]] < width:
            rows[np.arange(rows.shape[1]) >= lengths[places, np.newaxis]] = 0
        yield places, rows.view(np.uint64)
        start += len(places)
