"""A whole simulation on a NIC: what comes back, that nothing but the configuration decides it, and what goes wrong."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from cosim.nic.base import NEVER
from cosim.simulation import DeadlockError, Options, Report, Simulation, memory_bytes
from cosim.traffic.echo import expected_echo
from cosim.traffic.frames import Frames
from cosim.traffic.generate import generate_requests, poisson_arrivals_ps
from cosim.traffic.steering import steer
from hermes.enso.registers import RX_MEM_LOW, RingSizes, pipe_register
from hermes.errors import ContractError
from tests.tools.host import SMALL
from tests.tools.reference_nic import ReferenceNic

US = 1_000_000
WIDE = RingSizes(pipe_flits=256, notification_slots=64)


class Run:
    """Requests through a simulation on the reference NIC."""

    def __init__(
        self,
        count: int,
        rate: int,
        *,
        seed: int = 1,
        connections: int = 8,
        lookahead_ps: int = NEVER,
        drain_ps: int = 100 * US,
        pieces: int = 1,
        rings: RingSizes = WIDE,
        fault: str = "",
        frames: Frames | None = None,
        **options: object,
    ) -> None:
        self.frames = frames or generate_requests(count, connections, seed).padded()
        steering = steer(self.frames, 1514)
        uthreads = int(str(options.get("uthreads", 4)))
        flows = tuple((tuple(key), index % uthreads) for index, key in enumerate(steering.flows))
        settings = replace(Options(uthreads=uthreads, flows=flows, rings=rings), **options)  # type: ignore[arg-type]
        self.nic = ReferenceNic(memory_bytes(settings), rings, lookahead_ps=lookahead_ps)
        self.nic.fault = fault
        self.simulation = Simulation(self.nic, settings)
        self.flow = steering.flow
        asyncio.run(self._run(poisson_arrivals_ps(count, rate, seed), drain_ps, pieces))
        self.report = self.simulation.report()

    async def _run(self, arrivals: np.ndarray[tuple[int], np.dtype[np.int64]], drain_ps: int, pieces: int) -> None:
        self.ready = await self.simulation.prepare()
        times = arrivals + self.ready
        self.nic.load_frames(self.frames.blob, self.frames.offsets, self.frames.lengths, times)
        last = int(times[-1])
        for piece in range(1, pieces + 1):
            await self.simulation.run(last, self.ready + (last + drain_ps - self.ready) * piece // pieces)

    def require_progress(self, outstanding: int) -> None:
        asyncio.run(self.simulation.require_progress(outstanding))

    def outcome(self) -> tuple[Report, list[tuple[int, bytes]]]:
        return self.report, self.nic.sent


@pytest.mark.parametrize("seed", range(3))
def test_every_request_comes_back_turned_around_and_in_order_within_its_flow(seed: int) -> None:
    print(f"seed {seed}")
    run = Run(400, 1_000_000, seed=seed)
    back = [frame for _, frame in run.nic.sent]
    expected = [expected_echo(frame) for frame in run.frames]
    assert sorted(back) == sorted(expected)
    for flow in range(8):
        own = [frame for frame, of in zip(expected, run.flow.tolist(), strict=True) if of == flow]
        assert [frame for frame in back if frame in set(own)] == own
    assert run.nic.drops == {}
    run.require_progress(0)


@pytest.mark.parametrize("seed", range(3))
def test_in_header_mode_every_frame_comes_back_over_all_rings_ends(seed: int) -> None:
    print(f"seed {seed}")
    draw = np.random.default_rng(seed)
    sizes = draw.integers(60, 1515, 200).tolist()
    frames = Frames.pack(b"\x02" * 12 + b"\x88\xf7" + draw.bytes(size - 14) for size in sizes)
    run = Run(200, 300_000, seed=seed, frames=frames, uthreads=3, header_pipes=frozenset({0}))
    assert [frame for _, frame in run.nic.sent] == [expected_echo(frame, in_header_mode=True) for frame in frames]
    assert run.nic.drops == {}
    assert run.report.completions > run.report.batches, "no send was cut at the ring's end"


@pytest.mark.parametrize(
    "options",
    [
        {"cores": 1, "rate": 300_000},
        {"cores": 3, "rate": 2_000_000, "service_ps": US},
        {"cores": 4, "rate": 20_000_000},
        {"cores": 6, "uthreads": 2, "rate": 1_000_000, "service_ps": 2 * US},
        {"cores": 2, "uthreads": 9, "connections": 30, "rate": 5_000_000, "rings": SMALL},
    ],
    ids=str,
)
def test_polling_by_arithmetic_and_look_by_look_are_the_same(options: dict[str, int]) -> None:
    arithmetic = Run(120, **options, drain_ps=20 * US)  # type: ignore[arg-type]
    naive = Run(120, **options, drain_ps=20 * US, polling="naive")  # type: ignore[arg-type]
    assert arithmetic.outcome() == naive.outcome()
    assert arithmetic.simulation.engine.events < naive.simulation.engine.events


def test_how_far_the_nic_looks_ahead_and_in_how_many_pieces_it_runs_change_nothing() -> None:
    runs = [
        Run(100, 1_000_000),
        Run(100, 1_000_000, lookahead_ps=4_000),
        Run(100, 1_000_000, pieces=37),
        Run(100, 1_000_000, pieces=11, lookahead_ps=50_000, polling="naive"),
    ]
    assert runs[0].nic.runs < runs[1].nic.runs
    for run in runs[1:]:
        assert run.outcome() == runs[0].outcome()


def test_seeds_and_loads_tell_runs_apart() -> None:
    hashes = {Run(50, 1_000_000, seed=seed, cores=cores).report.event_hash for seed in (1, 2) for cores in (1, 2)}
    assert len(hashes) == 4
    assert Run(50, 1_000_000).report == Run(50, 1_000_000).report


def test_the_time_of_every_core_is_split_without_rest() -> None:
    report = Run(200, 2_000_000, cores=3, service_ps=3 * US).report
    assert list(report.iokernel_ps) == ["rx", "tx_completion", "message", "cores", "detection", "grant", "poll"]
    assert next(iter(report.core_ps)) == "application"
    assert sum(report.iokernel_ps.values()) == report.window_ps
    assert sum(report.core_ps.values()) == 3 * report.window_ps
    assert report.core_ps["application"] > 0.5 * sum(report.core_ps.values())
    assert report.iokernel_ps["cores"] == report.core_ps["idle"] == 0


def test_counts_agree_with_each_other() -> None:
    report = Run(300, 3_000_000).report
    assert report.packets == 300
    assert report.completions >= report.batches == report.messages["tx_tail"], "a send at a ring's end is two requests"
    assert report.messages["rx_head"] == report.notifications
    assert report.packets_per_notification == 300 / report.notifications > 1
    assert report.runqueue_insertions >= report.notifications
    assert report.request_errors == report.false_detections == 0
    assert Simulation(ReferenceNic(memory_bytes(Options())), Options()).report().packets_per_notification is None


def test_more_than_the_cores_can_do_waits_and_is_dropped_when_a_pipe_is_full() -> None:
    run = Run(600, 10_000_000, cores=1, uthreads=2, service_ps=20 * US, rings=SMALL, drain_ps=50 * US)
    assert run.nic.drops["pipe_full"] > 100
    assert len(run.nic.sent) < 600 - run.nic.drops["pipe_full"]
    run.require_progress(600 - run.nic.drops["pipe_full"] - len(run.nic.sent))


def test_frames_without_a_rule_go_to_the_fallback_pipes() -> None:
    run = Run(100, 1_000_000, connections=40, uthreads=3, flows=())
    assert len(run.nic.sent) == 100
    assert run.nic.fallback == 1


def test_while_anything_moves_nothing_is_wrong() -> None:
    run = Run(40, 1_000_000, drain_ps=1)
    assert len(run.nic.sent) < 40
    run.require_progress(40 - len(run.nic.sent))


def test_a_lost_notification_is_told() -> None:
    run = Run(3, 1_000_000, fault="notification")
    assert run.nic.sent == []
    with pytest.raises(
        DeadlockError, match=r"^at \d+ ps nothing moves and 3 requests are outstanding: no software waits"
    ):
        run.require_progress(3)


def test_a_lost_completion_is_told_with_who_waits_for_it() -> None:
    run = Run(3, 100_000, uthreads=1, fault="completion")
    with pytest.raises(DeadlockError) as error:
        run.require_progress(2)
    assert "the IOKernel waits for 1 completions of the NIC; uthread 0 waits for 1 completions" in str(error.value)


def test_registers_are_read_while_time_goes_on() -> None:
    run = Run(20, 1_000_000)
    before = run.simulation.time

    async def read() -> int:
        return await run.simulation.read_register(pipe_register(2, RX_MEM_LOW))

    word = asyncio.run(read())
    assert word == run.nic.word(pipe_register(2, RX_MEM_LOW)) != 0
    assert run.simulation.time > before


def test_a_register_that_is_never_answered_is_an_error_after_10_ms() -> None:
    run = Run(20, 1_000_000)
    run.nic.mmio_read = lambda now, address, source: None  # type: ignore[method-assign]
    with pytest.raises(
        ContractError, match=r"the read of register 0x8 is not answered at \d+ ps; it began 10 ms before"
    ):
        asyncio.run(run.simulation.read_register(8))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"application": "ech"}, "application is 'ech'; accepted are echo"),
        ({"cores": 0}, "cores is 0; accepted are 1 and more beside the IOKernel's"),
        ({"polling": "lazy"}, "polling is 'lazy'; accepted are arithmetic and naive"),
        ({"system": "linux"}, "system is 'linux'; accepted are indirect"),
        ({"uthreads": 0}, "uthreads is 0; accepted are 1 and more"),
        ({"flows": (((1, 2, 3, 4), 8),)}, r"flow \(1, 2, 3, 4\) goes to uthread 8; accepted are 0 to 7"),
        ({"header_pipes": frozenset({8})}, "header_pipes has pipe 8; accepted are 0 to 7"),
    ],
)
def test_options_that_cannot_work_are_refused(options: dict[str, object], message: str) -> None:
    nic = ReferenceNic(1 << 26)
    with pytest.raises(ValueError, match=f"^{message}$"):
        Simulation(nic, Options(**options))  # type: ignore[arg-type]


@pytest.mark.parametrize("uthreads", [1, 3, 8])
def test_memory_is_enough_and_not_twice_what_is_needed(uthreads: int) -> None:
    options = Options(uthreads=uthreads)
    nic = ReferenceNic(memory_bytes(options))
    Simulation(nic, options)
    assert memory_bytes(options) % 4096 == 0
    assert memory_bytes(options) <= (uthreads + 2) * (6 << 20)
