"""OperationQueue: operations in order; head checks that find it full are merged, per pipe, and never lost."""

import random
from collections import Counter
from typing import Any

import pytest

from enso_nic.config import TINY
from enso_nic.layouts import PipeOperationKind
from enso_nic.operation_queue import OperationQueue
from tests.rtl.contract import covers
from tests.rtl.stream_bench import Bench, Sink, Source

CHECK, TAIL, READ, RETRY = (
    PipeOperationKind.HEAD_CHECK,
    PipeOperationKind.TAIL_WRITE,
    PipeOperationKind.REGISTER_READ,
    PipeOperationKind.RETRY,
)
Operation = tuple[Any, int, int]  # kind, page, data


def play(
    operations: list[Operation], retries: list[int], *, rate_in: float = 1.0, rate_out: float = 1.0, seed: int = 1
) -> tuple[Source, Sink, list[int]]:
    """The operations and what became of them; the cycles in which a check went to the set.

    The tap tells what went there: exactly those that left as retries, each once unless it came again meanwhile, and
    after it went there.
    """
    block = OperationQueue(TINY)
    offered = [{"kind": kind, "index": page, "data": data} for kind, page, data in operations]
    source, retry, sink = Source(block.i, offered, rate_in), Source(block.retry, retries, 0.2), Sink(block.o, rate_out)
    tap = Sink(block.tap)
    bench = Bench(block, [source, retry, sink, tap], seed)

    async def story() -> None:
        done = bench.until(lambda: not source.items and not retry.items and bool(bench.context.get(block.idle)), 20_000)
        await done

    bench.simulate(story)
    told = list(zip(tap.got, tap.got_at, strict=True))
    assert Counter(each.index for each in sink.got if each.kind == RETRY) == Counter(
        each.pipe for each in tap.got if each.is_new
    )
    left = {each.index: at for each, at in zip(sink.got, sink.got_at, strict=True) if each.kind == RETRY}
    assert all(left[each.pipe] > cycle for each, cycle in told)
    return source, sink, [cycle for each, cycle in told if each.is_check]


def kinds(sink: Sink) -> list[Operation]:
    return [(operation.kind, operation.index, operation.data) for operation in sink.got]


@covers("C-041")
def test_operations_leave_in_order() -> None:
    operations = [(TAIL, 3, 7), (CHECK, 3, 0), (READ, 9000, 1), (CHECK, 8191, 0)]
    assert kinds(play(operations, [])[1]) == operations


def test_a_retry_leaves_as_one() -> None:
    _, sink, merged = play([], [4, 9])
    assert kinds(sink) == [(RETRY, 4, 0), (RETRY, 9, 0)]
    assert not merged, "it is no head check"


@pytest.mark.parametrize("seed", range(6))
@covers("C-042", "C-043", "C-147")
def test_nothing_but_head_checks_is_merged_and_each_pipe_is_checked_after_its_last(seed: int) -> None:
    print(f"seed {seed}")
    draw = random.Random(seed)
    operations = [
        (draw.choice([CHECK, CHECK, CHECK, TAIL, READ]), draw.choice([*range(5), 8000]), number)
        for number in range(300)
    ]
    retries = [draw.randrange(TINY.pipes) for _ in range(60)]
    source, sink, merged = play(operations, retries, rate_out=draw.choice([0.05, 0.3, 1.0]), seed=seed)
    got = kinds(sink)
    in_order = [operation for operation in got if operation[0] != RETRY]
    gone = {each[2] for each in operations} - {each[2] for each in in_order}
    assert merged == [at for at, each in zip(source.taken_at, operations, strict=True) if each[2] in gone]
    assert [each for each in in_order if each[0] != CHECK] == [each for each in operations if each[0] != CHECK]
    assert [each[2] for each in in_order] == sorted(each[2] for each in in_order)
    for page in {page for kind, page, _ in operations if kind == CHECK}:
        last = max(at for at, each in zip(source.taken_at, operations, strict=True) if each[:2] == (CHECK, page))
        left = [at for at, each in zip(sink.got_at, got, strict=True) if each[0] in (CHECK, RETRY) and each[1] == page]
        assert left[-1] > last
    checks = [each for each in operations if each[0] == CHECK and each[1] == 8000]
    assert [each for each in in_order if each[0] == CHECK and each[1] == 8000] == checks, "pipes that do not exist"


@covers("C-042")
def test_a_full_queue_merges() -> None:
    operations = [(CHECK, number % 4, number) for number in range(100)]
    _, sink, merged = play(operations, [], rate_out=0.02)
    got = kinds(sink)
    assert len(got) < 60
    assert len(merged) == len(operations) - sum(kind == CHECK for kind, _, _ in got)
    assert {page for kind, page, _ in got if kind == RETRY} == {0, 1, 2, 3}


def test_retries_take_turns_with_operations_that_never_pause() -> None:
    _, sink, _ = play([(TAIL, 3, number) for number in range(200)], [4, 9, 1])
    assert all(kind == TAIL for kind, _, _ in kinds(sink)[-150:]), "the retries waited for the end"
