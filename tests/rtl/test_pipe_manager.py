"""PipeManager: the reactive rule, on rings that never overflow, exact however close operations follow each other."""

import random
from typing import Any

import pytest

from enso_nic.layouts import DropCause, RxCommandKind
from enso_nic.pipe_manager import QUEUE_DEPTH
from enso_nic.registers import FIRST_EXTENSION_PAGE, FIRST_NOTIFICATION_BUFFER_PAGE
from tests.rtl.contract import covers
from tests.rtl.pipe_manager_bench import (
    ADDRESS,
    LATENCY,
    PIPES,
    RING,
    Manager,
    Operation,
    Pipe,
    address_write,
    check,
    frame,
    head_write,
    register_read,
    run,
    tail_write,
)

BUFFER_PAGE = FIRST_NOTIFICATION_BUFFER_PAGE + 3


def told(commands: list[Any]) -> list[tuple[str, int] | str]:
    """(kind, tail) of commands that notify, the kind alone of others."""
    return [(each.kind.name, each.tail) if each.notify else each.kind.name for each in commands]


@covers("C-022", "C-028", "C-031", "C-032", "C-033", "C-034", "C-035", "C-040")
def test_the_reactive_rule() -> None:
    """The sequence that upstream's hardware showed for one pipe."""

    async def story(manager: Manager) -> None:
        async def head_is(head: int) -> list[Any]:
            await manager.writes_all(head_write(5, head))
            return told(await manager.does(check(5)))

        await manager.enable(5)
        assert told(await manager.does(frame(5))) == [("PACKET", 1)]
        assert told(await manager.does(frame(5, 2))) == ["PACKET"]
        assert await head_is(0) == [("CHECK", 3)]
        assert await head_is(0) == [("CHECK", 3)], "even of the same value"
        assert await head_is(3) == []
        assert told(await manager.does(frame(5, 4))) == [("PACKET", 7)]
        assert told(await manager.does(frame(5, RING))) == ["DROP"]
        assert await head_is(4) == [("CHECK", 7)]
        assert told(await manager.does(frame(5))) == ["PACKET"], "still armed"

    assert run(story).causes == [DropCause.PIPE_FULL]


@pytest.mark.parametrize("position", [0, 40, RING - 1])
@covers("C-023")
def test_a_ring_keeps_one_flit_free(position: int) -> None:
    async def story(manager: Manager) -> None:
        await manager.enable(1, position=position)
        kinds = [each.kind.name for each in await manager.does(frame(1, 64), frame(1, 60), frame(1, 3), frame(1, 1))]
        assert kinds == ["DROP", "PACKET", "PACKET", "DROP"]
        await manager.writes_all(head_write(1, (position + 2) % RING))
        assert [each.kind.name for each in await manager.does(frame(1, 3), frame(1, 2))] == ["DROP", "PACKET"]

    assert run(story).causes == [DropCause.PIPE_FULL] * 3


@covers("C-028")
def test_a_drop_leaves_the_armed_status_alone() -> None:
    async def story(manager: Manager) -> None:
        await manager.enable(1)
        assert told(await manager.does(frame(1, 64), frame(1, 63))) == ["DROP", ("PACKET", 63)]
        assert told(await manager.does(frame(1, 1))) == ["DROP"]
        await manager.writes_all(head_write(1, 63))
        assert told(await manager.does(frame(1, 1))) == ["PACKET"]

    run(story)


@covers("C-028", "C-030")
def test_packets_without_a_pipe_are_dropped() -> None:
    async def story(manager: Manager) -> None:
        await manager.enable(1)
        await manager.does(frame(1, miss=1), frame(2), frame(PIPES + 1), frame(8191))
        # that of pipe 1 found it armed by none of them
        assert told(await manager.does(frame(1))) == [("PACKET", 1)]

    assert run(story).causes == [DropCause.NO_FLOW] + [DropCause.PIPE_DISABLED] * 3


@pytest.mark.parametrize(
    ("writes", "is_enabled"),
    [
        ([address_write(1, ADDRESS)], True),
        ([address_write(1, ADDRESS, high=0)], False),
        ([address_write(1, ADDRESS, high=0), address_write(1, ADDRESS, low=0)], True),
        ([address_write(1, ADDRESS, low=0), address_write(1, ADDRESS, high=0)], False),
        ([address_write(1, ADDRESS), address_write(1, ADDRESS, high=0)], False),
        ([address_write(1, ADDRESS), address_write(1, 0, high=0)], False),
        ([address_write(1, ADDRESS), address_write(1, 0, low=0)], True),
        ([address_write(1, 0)], False),
        ([address_write(1, 0, high=0), address_write(1, 0, low=0)], False),
        ([address_write(1, 1)], True),
        ([address_write(1, 1 << 63)], True),
        ([address_write(1, ADDRESS), head_write(1, 0)], True),
    ],
)
@covers("C-017")
def test_the_low_word_disables_and_the_high_word_enables_an_address_that_is_not_0(
    writes: list[dict[str, int]], is_enabled: bool
) -> None:
    async def story(manager: Manager) -> None:
        await manager.writes_all(*writes)
        assert [each.kind.name for each in await manager.does(frame(1))] == ["PACKET" if is_enabled else "DROP"]

    run(story)


@covers("C-036")
def test_a_check_of_a_disabled_pipe_tells_nobody_and_disarms() -> None:
    async def story(manager: Manager) -> None:
        await manager.enable(1)
        assert told(await manager.does(frame(1), frame(1))) == [("PACKET", 1), "PACKET"]
        await manager.writes_all(address_write(1, 0))
        assert await manager.does(check(1)) == []
        await manager.writes_all(address_write(1, ADDRESS))
        assert told(await manager.does(frame(1))) == [("PACKET", 3)]

    run(story)


@covers("C-020")
def test_the_low_ten_bits_of_an_address_name_the_notification_buffer() -> None:
    async def story(manager: Manager) -> None:
        await manager.enable(1, 0xFFFF_FFFF_FFF0_0000 + 1023, position=60)
        (command,) = await manager.does(frame(1))
        assert (command.buffer, command.offset) == (1023, 60)
        assert command.address == 0xFFFF_FFFF_FFF0_0000 // 64 + 60

    manager = Manager()
    run(story, manager)


@covers("C-009")
def test_registers_read_as_they_were_written() -> None:
    """All 32 bits, whatever of them takes part in the ring's arithmetic."""

    async def story(manager: Manager) -> None:
        await manager.writes_all(head_write(1, 0xDEADBEEF), address_write(1, 0x0123456789ABCDEF))
        commands = await manager.does(
            tail_write(1, 0xCAFEBABE),
            register_read(1, 0, tag=3),
            register_read(1, 1, tag=4),
            register_read(2, 0, tag=5),
        )
        assert [(each.tag, each.data) for each in commands] == [
            (3, 0xDEADBEEFCAFEBABE),
            (4, 0x0123456789ABCDEF),
            (5, 0),
        ]

    run(story)


@pytest.mark.parametrize("page", [BUFFER_PAGE, FIRST_EXTENSION_PAGE, PIPES + 1])
def test_a_read_of_what_it_does_not_own_passes_with_its_answer(page: int) -> None:
    async def story(manager: Manager) -> None:
        for word in range(8):
            (command,) = await manager.does(register_read(page, word, tag=word, data=77 + word))
            assert (command.index, command.word, command.tag, command.data) == (page, word, word, 77 + word)
        (command,) = await manager.does(register_read(1, 2, data=99))
        assert command.data == 99

    run(story)


def test_only_tail_writes_of_notification_buffers_pass() -> None:
    async def story(manager: Manager) -> None:
        commands = await manager.does(tail_write(1, 5), tail_write(PIPES + 1, 6), tail_write(BUFFER_PAGE, 7))
        assert [(each.kind, each.index, each.data) for each in commands] == [(RxCommandKind.TAIL_WRITE, BUFFER_PAGE, 7)]
        (read,) = await manager.does(register_read(1, 0))
        assert read.data == 5

    run(story)


@covers("C-038")
def test_operations_go_before_packets() -> None:
    async def story(manager: Manager) -> None:
        manager.frames.items.extend([frame(1)] * 5)
        manager.operations.items.extend([register_read(1, 0)] * 5)
        await manager.done()
        kinds = [each.kind for each in manager.out.got]
        assert kinds == [RxCommandKind.READ] * 5 + [RxCommandKind.DROP] * 5

    run(story)


@covers("C-171")
def test_four_cycles_to_the_command_and_one_operation_per_cycle() -> None:
    async def story(manager: Manager) -> None:
        await manager.enable(1)
        manager.frames.items.extend([frame(1)] * 60)
        manager.operations.items.extend([register_read(0, 0), check(1)] * 30)
        await manager.done()

    manager = run(story)
    frames = manager.frames.taken_at
    assert frames == list(range(frames[0], frames[0] + 60))
    assert manager.out.got_at[-60:] == [cycle + LATENCY for cycle in frames]


def test_back_pressure_stops_both_inputs_and_loses_nothing() -> None:
    async def story(manager: Manager) -> None:
        await manager.enable(1)
        taken = len(manager.operations.taken_at)
        manager.out.rate = 0
        manager.frames.items.extend([frame(1)] * 20)
        manager.operations.items.extend([register_read(1, 0)] * 10)
        await manager.bench.cycles(60)
        assert len(manager.frames.taken_at) + len(manager.operations.taken_at) - taken == QUEUE_DEPTH
        manager.out.rate = 1

    run(story)


@covers("C-154")
def test_reset_clears_the_tables_and_takes_nothing_meanwhile() -> None:
    manager = Manager()

    async def story(manager: Manager) -> None:
        for pipe in range(PIPES):
            await manager.writes_all(head_write(pipe, 7), address_write(pipe, ADDRESS))
        await manager.does(*(tail_write(pipe, 9) for pipe in range(PIPES)), *(frame(pipe) for pipe in range(PIPES)))
        manager.bench.context.set(manager.reset, 1)
        await manager.bench.cycles(1)
        manager.bench.context.set(manager.reset, 0)
        manager.model.pipes = [Pipe() for _ in range(PIPES)]
        manager.operations.items.append(register_read(0, 0))
        manager.frames.items.append(frame(0))
        await manager.bench.cycles(1)
        assert not manager.is_ready
        await manager.opened()
        assert manager.operations.taken_at[PIPES] >= manager.bench.cycle - 1, "taken before its table was clear"
        await manager.bench.cycles(3)
        await manager.does(*(register_read(pipe, word) for pipe in range(PIPES) for word in range(2)))
        for pipe in range(PIPES):
            await manager.enable(pipe)
            assert told(await manager.does(frame(pipe))) == [("PACKET", 1)], "armed"

    run(story, manager)


@pytest.mark.parametrize(
    ("seed", "rate", "out_rate", "taps"),
    [(1, 1.0, 1.0, False), (2, 0.5, 1.0, True), (3, 0.4, 0.9, False), (4, 0.8, 0.3, True)],
)
@covers("C-029", "C-038", "C-039", "C-147")
def test_any_operations_at_any_distance_are_those_of_the_model(
    seed: int, rate: float, out_rate: float, taps: bool
) -> None:
    """On few pipes, so that most follow an operation on the same pipe by 1 to 5 cycles."""
    draw = random.Random(seed)
    manager = Manager(rate=rate, out_rate=out_rate, seed=seed, taps=taps)
    pipes = [0, 0, 0, 1, PIPES - 1]

    def random_write() -> dict[str, int]:
        pipe = draw.choice([*pipes, PIPES])
        if draw.random() < 0.9:
            tail = manager.model.pipe(pipe).tail
            return head_write(pipe, draw.choice([tail, tail, tail + RING - 3, draw.getrandbits(32)]) % 2**32)
        return draw.choice(
            [
                address_write(pipe, ADDRESS + draw.randrange(4)),
                address_write(pipe, ADDRESS, low=0),
                address_write(pipe, draw.choice([0, ADDRESS]), high=0),
            ]
        )

    def random_operation() -> Operation:
        pipe = draw.choice([*pipes, PIPES])
        return draw.choice(
            [
                *[check(pipe)] * 8,
                tail_write(pipe, draw.choice([draw.randrange(RING), draw.getrandbits(32)])),
                register_read(
                    draw.choice([pipe, BUFFER_PAGE]), draw.randrange(8), draw.getrandbits(8), draw.getrandbits(64)
                ),
            ]
        )

    async def story(manager: Manager) -> None:
        for pipe in pipes[2:]:
            await manager.enable(pipe, ADDRESS + pipe)
        for _ in range(2500):
            if len(manager.frames.items) < 4:
                manager.frames.items.append(
                    frame(
                        draw.choice([*pipes, 8191]),
                        draw.choice([1, 1, 1, 1, 1, 2, 2, 5, 24, 63, 64, 255]),
                        draw.random() < 0.1,
                    )
                )
            if len(manager.operations.items) < 2 and draw.random() < 0.3:
                manager.operations.items.append(random_operation())
            if not manager.writes and draw.random() < 0.4:
                manager.writes.append(random_write())
            await manager.bench.cycles(1)

    run(story, manager)
    packets = [each for each in manager.expected if each["kind"] == RxCommandKind.PACKET]
    print(f"seed {seed}: {len(manager.expected)} commands, {len(packets)} packets, {len(manager.causes)} dropped")
    assert len(packets) > 100
    assert {DropCause.PIPE_FULL, DropCause.PIPE_DISABLED, DropCause.NO_FLOW} == set(manager.causes)
    if taps:
        got = [
            {name: getattr(tap, name) for name in expected}
            for tap, expected in zip(manager.taps, manager.expected_taps, strict=True)
        ]
        assert got == manager.expected_taps
