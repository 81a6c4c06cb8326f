"""PipeManager: the reactive rule, on rings that never overflow, exact however close operations follow each other."""

import random
from typing import Any

import pytest

from enso_nic.layouts import DropCause, PipeWord, RxCommandKind
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
    mode_write,
    register_read,
    retry,
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
        await manager.writes_all(mode_write(1, 1))
        await manager.does(frame(1, miss=1), frame(2), frame(PIPES + 1), frame(8191))
        await manager.writes_all(mode_write(1, 0))
        # that of pipe 1 found it armed by none of them
        assert told(await manager.does(frame(1))) == [("PACKET", 1)]

    assert run(story).causes == [DropCause.NO_FLOW] + [DropCause.PIPE_DISABLED] * 3


def test_a_pipe_keeps_an_ip_packet_up_to_its_end() -> None:
    async def story(manager: Manager) -> None:
        await manager.enable(1)
        for end, flits in ((1, 1), (63, 1), (64, 1), (65, 2), (128, 2), (129, 3)):
            (command,) = await manager.does(frame(1, length=1514, end=end))
            assert (command.flits, command.read.kept, command.read.length) == (flits, end, 1514)
            assert not command.read.header

    run(story)


def test_a_pipe_in_header_mode_takes_any_frame_whole_behind_a_line() -> None:
    async def story(manager: Manager) -> None:
        await manager.enable(1)
        await manager.writes_all(mode_write(1, 1))
        for length, flits in ((1, 2), (64, 2), (65, 3), (600, 11)):
            for refusal in (DropCause.NONE, DropCause.NOT_IP, DropCause.BAD_IP_LENGTH):
                (command,) = await manager.does(frame(1, length=length, end=60, refusal=refusal))
                assert (command.flits, command.read.kept, command.read.length) == (flits, length, length)
                assert command.read.header
        await manager.writes_all(head_write(1, manager.model.pipes[1].tail))
        assert [each.kind.name for each in await manager.does(frame(1, 63), frame(1, 62))] == ["DROP", "PACKET"]

    assert run(story).causes == [DropCause.PIPE_FULL]


def test_a_frame_is_dropped_for_the_first_reason_that_there_is() -> None:
    """What it is counts before where it goes, and header mode takes whatever it is."""
    not_ip = {"refusal": DropCause.NOT_IP}

    async def story(manager: Manager) -> None:
        await manager.writes_all(mode_write(3, 1))
        await manager.does(frame(1, miss=1, **not_ip), frame(3, miss=1, **not_ip), frame(3, miss=1))
        await manager.does(frame(1, 99, **not_ip), frame(1, 99), frame(3, 99, **not_ip))
        await manager.enable(1)
        await manager.enable(3)
        await manager.does(frame(1, 99, refusal=DropCause.BAD_IP_LENGTH), frame(1, 99), frame(3, 99, **not_ip))
        await manager.does(frame(PIPES, **not_ip), frame(8191))

    assert [cause.name for cause in run(story).causes] == [
        *("NOT_IP", "NOT_IP", "NO_FLOW"),
        *("NOT_IP", "PIPE_DISABLED", "PIPE_DISABLED"),
        *("BAD_IP_LENGTH", "PIPE_FULL", "PIPE_FULL"),
        *("NOT_IP", "PIPE_DISABLED"),
    ]


def test_the_mode_of_a_pipe_is_bit_0_and_reads_back() -> None:
    async def story(manager: Manager) -> None:
        for pipe, mode in ((1, 1), (2, 0xFFFF_FFFF_FFFF_FFFE), (PIPES + 1, 1), (BUFFER_PAGE, 1), (PIPES - 1, 3)):
            await manager.writes_all(mode_write(pipe, mode))
        reads = [register_read(pipe, PipeWord.MODE) for pipe in range(PIPES)]
        assert [each.data for each in await manager.does(*reads)] == [0, 1, *[0] * (PIPES - 3), 1]
        await manager.writes_all(head_write(1, 0), address_write(1, ADDRESS), mode_write(PIPES - 1, 0))
        assert [each.data for each in await manager.does(*reads)] == [0, 1, *[0] * (PIPES - 2)]

    run(story)


def test_drops_are_counted_for_the_pipe_that_the_frame_was_for() -> None:
    """Whatever the reason; closing the pipe forgets none, and the line before a frame tells of those before it."""

    async def story(manager: Manager) -> None:
        async def drops() -> list[int]:
            reads = [register_read(pipe, PipeWord.DROPS) for pipe in (0, 1, 2, PIPES)]
            return [each.data for each in await manager.does(*reads)]

        await manager.does(frame(1), frame(2), frame(1, miss=1), frame(1, refusal=DropCause.NOT_IP), frame(PIPES + 1))
        assert await drops() == [0, 2, 1, 0]
        await manager.enable(1)
        await manager.writes_all(mode_write(1, 1))
        commands = await manager.does(frame(1, RING), frame(1), frame(1), check(1), frame(1, RING), frame(1))
        assert [each.read.drops for each in commands if each.kind == RxCommandKind.PACKET] == [3, 3, 4]
        await manager.does(tail_write(1, 9), check(1), retry(1))
        await manager.enable(1)
        assert await drops() == [0, 4, 1, 0]

    run(story)


def test_a_ring_has_the_size_that_was_set_when_it_was_enabled() -> None:
    async def story(manager: Manager) -> None:
        settings = manager.model.settings
        for pipe, ring in ((1, 3), (2, 20), (3, 6)):
            settings["pipe_ring"] = ring
            await manager.enable(pipe, position=2**ring - 2)
        settings["pipe_ring"] = 4
        for pipe, ring in ((1, 3), (2, 20), (3, 6)):
            (packet,) = await manager.does(frame(pipe, 3))
            assert (packet.size, packet.offset, packet.tail) == (ring, 2**ring - 2, 1)
            flits = min(2**ring - 4, 100)
            drop, packet = await manager.does(frame(pipe, flits + 1), frame(pipe, flits))
            assert (drop.kind.name, packet.kind.name) == ("DROP" if ring < 20 else "PACKET", "PACKET")
            assert told(await manager.does(check(pipe))) == [("CHECK", packet.tail)]
        # the high word enables: what is set when the low one is written, or later, does not count
        await manager.writes_all(address_write(1, ADDRESS, high=0))
        settings["pipe_ring"] = 5
        await manager.writes_all(address_write(1, ADDRESS, low=0))
        settings["pipe_ring"] = 7
        await manager.writes_all(head_write(1, 31))
        (packet,) = await manager.does(tail_write(1, 31), frame(1, 2))
        assert (packet.size, packet.offset, packet.tail) == (5, 31, 1)

    run(story)


def test_packets_can_be_made_to_notify_each() -> None:
    """One that finds its pipe armed does not yet, but disarms it."""

    async def story(manager: Manager) -> None:
        settings = manager.model.settings
        await manager.enable(1)
        assert told(await manager.does(frame(1))) == [("PACKET", 1)]
        settings["notify_per_packet"] = 1
        assert told(await manager.does(frame(1), frame(1), frame(1))) == ["PACKET", ("PACKET", 3), ("PACKET", 4)]
        assert told(await manager.does(check(1), frame(1), frame(1))) == [("CHECK", 4), "PACKET", ("PACKET", 6)]
        settings["notify_per_packet"] = 0
        assert told(await manager.does(frame(1), frame(1))) == [("PACKET", 7), "PACKET"]

    run(story)


def test_a_retry_is_a_head_check() -> None:
    async def story(manager: Manager) -> None:
        await manager.enable(1)
        assert told(await manager.does(frame(1), retry(1))) == [("PACKET", 1), ("CHECK", 1)]
        await manager.writes_all(head_write(1, 1))
        assert told(await manager.does(retry(1), frame(1))) == [("PACKET", 2)]

    run(story)


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
        assert (command.buffer, command.base, command.offset) == (1023, 0xFFFF_FFFF_FFF0_0000 // 64, 60)

    run(story)


@covers("C-009")
def test_registers_read_as_they_were_written() -> None:
    """All 32 bits, whatever of them takes part in the ring's arithmetic."""

    async def story(manager: Manager) -> None:
        await manager.writes_all(head_write(1, 0xDEADBEEF), address_write(1, 0x0123456789ABCDEF))
        commands = await manager.does(
            tail_write(1, 0xCAFEBABE),
            register_read(1, PipeWord.INDICES, tag=3),
            register_read(1, PipeWord.MEMORY, tag=4),
            register_read(2, PipeWord.INDICES, tag=5),
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
        for word in tuple(PipeWord):
            number = word.value
            (command,) = await manager.does(register_read(page, word, tag=number, data=77 + number))
            assert (command.index, command.word, command.tag, command.data) == (page, word, number, 77 + number)
        (command,) = await manager.does(register_read(1, PipeWord.OTHER, data=99))
        assert command.data == 99

    run(story)


def test_only_tail_writes_of_notification_buffers_pass() -> None:
    async def story(manager: Manager) -> None:
        commands = await manager.does(tail_write(1, 5), tail_write(PIPES + 1, 6), tail_write(BUFFER_PAGE, 7))
        assert [(each.kind, each.index, each.data) for each in commands] == [(RxCommandKind.TAIL_WRITE, BUFFER_PAGE, 7)]
        (read,) = await manager.does(register_read(1, PipeWord.INDICES))
        assert read.data == 5

    run(story)


@covers("C-038")
def test_operations_and_packets_take_turns_while_both_wait() -> None:
    """So that a flood of head writes cannot stop packets, nor packets a head write."""

    async def story(manager: Manager) -> None:
        manager.frames.items.extend([frame(1)] * 8)
        manager.operations.items.extend([register_read(1, PipeWord.INDICES)] * 5)
        await manager.done()
        kinds = [each.kind for each in manager.out.got]
        assert kinds == [RxCommandKind.READ, RxCommandKind.DROP] * 5 + [RxCommandKind.DROP] * 3

    run(story)


@covers("C-171")
def test_four_cycles_to_the_command_and_one_operation_per_cycle() -> None:
    async def story(manager: Manager) -> None:
        await manager.enable(1)
        manager.frames.items.extend([frame(1)] * 60)
        manager.operations.items.extend([register_read(0, PipeWord.INDICES), check(1)] * 30)
        await manager.done()

    manager = run(story)
    frames, operations = manager.frames.taken_at, manager.operations.taken_at[-60:]
    taken = sorted(frames + operations)
    assert taken == list(range(taken[0], taken[0] + 120))
    assert set(manager.out.got_at) >= {cycle + LATENCY for cycle in frames}


def test_back_pressure_stops_both_inputs_and_loses_nothing() -> None:
    async def story(manager: Manager) -> None:
        await manager.enable(1)
        taken = len(manager.operations.taken_at)
        manager.out.rate = 0
        manager.frames.items.extend([frame(1)] * 20)
        manager.operations.items.extend([register_read(1, PipeWord.INDICES)] * 10)
        await manager.bench.cycles(60)
        assert len(manager.frames.taken_at) + len(manager.operations.taken_at) - taken == QUEUE_DEPTH
        manager.out.rate = 1

    run(story)


@covers("C-154")
def test_reset_clears_the_tables_and_takes_nothing_meanwhile() -> None:
    manager = Manager()

    async def story(manager: Manager) -> None:
        for pipe in range(PIPES):
            await manager.writes_all(head_write(pipe, 7), address_write(pipe, ADDRESS), mode_write(pipe, 1))
        await manager.does(*(tail_write(pipe, 9) for pipe in range(PIPES)), *(frame(pipe) for pipe in range(PIPES)))
        await manager.does(*(frame(pipe, 64) for pipe in range(PIPES)))
        manager.bench.context.set(manager.reset, 1)
        await manager.bench.cycles(1)
        manager.bench.context.set(manager.reset, 0)
        manager.model.pipes = [Pipe() for _ in range(PIPES)]
        manager.operations.items.append(register_read(0, PipeWord.INDICES))
        manager.frames.items.append(frame(0))
        await manager.bench.cycles(1)
        assert not manager.is_ready
        await manager.opened()
        assert manager.operations.taken_at[PIPES] >= manager.bench.cycle - 1, "taken before its table was clear"
        await manager.bench.cycles(3)
        await manager.does(*(register_read(pipe, word) for pipe in range(PIPES) for word in tuple(PipeWord)))
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
        if draw.random() < 0.85:
            tail = manager.model.pipe(pipe).tail
            return head_write(pipe, draw.choice([tail, tail, tail + RING - 3, draw.getrandbits(32)]) % 2**32)
        return draw.choice(
            [
                address_write(pipe, ADDRESS + draw.randrange(4)),
                address_write(pipe, ADDRESS, low=0),
                address_write(pipe, draw.choice([0, ADDRESS]), high=0),
                mode_write(pipe, draw.getrandbits(64)),
            ]
        )

    def random_operation() -> Operation:
        pipe = draw.choice([*pipes, PIPES])
        word = draw.choice(tuple(PipeWord))
        return draw.choice(
            [
                *[check(pipe)] * 6,
                *[retry(pipe)] * 2,
                tail_write(pipe, draw.choice([draw.randrange(RING), draw.getrandbits(32)])),
                *[register_read(draw.choice([pipe, BUFFER_PAGE]), word, draw.getrandbits(8), draw.getrandbits(64))] * 2,
            ]
        )

    def random_frame() -> Operation:
        size = 64 * draw.choice([1, 1, 1, 1, 1, 2, 2, 5, 24, 63, 64, 253]) - draw.randrange(64)
        refusal = draw.choice([DropCause.NONE] * 6 + [DropCause.NOT_IP, DropCause.BAD_IP_LENGTH])
        miss = draw.random() < 0.1
        return frame(
            draw.choice([*pipes, 8191]), length=size, end=draw.randrange(1, size + 1), refusal=refusal, miss=miss
        )

    async def story(manager: Manager) -> None:
        for pipe in pipes[2:]:
            await manager.enable(pipe, ADDRESS + pipe)
        for _ in range(2500):
            if len(manager.frames.items) < 4:
                manager.frames.items.append(random_frame())
            if len(manager.operations.items) < 2 and draw.random() < 0.3:
                manager.operations.items.append(random_operation())
            if not manager.writes and draw.random() < 0.4:
                manager.writes.append(random_write())
            if draw.random() < 0.02:
                manager.model.settings["pipe_ring"] = draw.choice([4, 6, 6, 8])
                manager.model.settings["notify_per_packet"] = draw.getrandbits(1)
            await manager.bench.cycles(1)

    run(story, manager)
    packets = [each for each in manager.expected if each["kind"] == RxCommandKind.PACKET]
    print(f"seed {seed}: {len(manager.expected)} commands, {len(packets)} packets, {len(manager.causes)} dropped")
    assert len(packets) > 100
    assert {each["read.header"] for each in packets} == {False, True}
    assert {each["size"] for each in packets} == {4, 6, 8}
    assert {each.name for each in manager.causes} == {
        *("PIPE_FULL", "PIPE_DISABLED", "NO_FLOW", "NOT_IP", "BAD_IP_LENGTH")
    }
    if taps:
        got = [
            {name: getattr(tap, name) for name in expected}
            for tap, expected in zip(manager.taps, manager.expected_taps, strict=True)
        ]
        assert got == manager.expected_taps
