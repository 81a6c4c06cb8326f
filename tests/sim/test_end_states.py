"""How runs end that cannot end well: each has a result whose sums agree, or says who waits for what; none hangs."""

import numpy as np
import pytest

from cosim.machine.ksched import Ksched
from cosim.measure.result import measure
from cosim.simulation import DeadlockError
from hermes.enso.registers import RingSizes
from hermes.switches import Switches
from hermes.systems import SYSTEMS
from hermes.world import Software
from tests.tools.reference_run import RINGS, US, CountingNic, alike, outcome_of, result_of, spinning

MOST_IN_A_PIPE = RINGS.pipe_flits - 1
SECOND = 10**12

every_system = pytest.mark.parametrize("system", SYSTEMS)


def loses_completions(nic: CountingNic) -> None:
    nic.fault = "completion"


# --- more than the machine can do -------------------------------------------------------------------------------------


@every_system
def test_twice_the_load_that_the_cores_can_do_fills_the_pipes_and_the_rest_is_dropped(system: str) -> None:
    result = result_of(alike(800, 10, 400_000), system=system, cores=2, drain_us=50)
    took_ps = 800 / 400_000 * 1e12 + 50 * US
    assert 0.8 * took_ps < result["completed"] / 2 * 10 * US < took_ps, "the cores worked all the time"
    assert result["dropped"]["pipe_full"] == sum(result["dropped"].values()) > 200
    assert 100 < result["unfinished"] <= 4 * MOST_IN_A_PIPE
    # those that are not finished count with their age
    assert result["latency_ns"]["p50"] > 20 * 10_000
    assert result["core_time_share"]["application"] > 0.8
    assert result["core_time_share"]["idle"] < 0.05


@every_system
def test_below_that_nothing_is_dropped_and_nothing_is_left(system: str) -> None:
    result = result_of(alike(800, 10, 100_000), system=system, cores=2)
    assert (result["completed"], result["unfinished"], result["dropped"]) == (800, 0, {})


@every_system
def test_of_a_burst_that_no_software_can_see_coming_a_pipe_keeps_what_it_has_room_for(system: str) -> None:
    result = result_of(alike(200, 1, 0, connections=1, uthreads=1), system=system)
    assert result["completed"] == MOST_IN_A_PIPE
    assert result["dropped"] == {"pipe_full": 200 - MOST_IN_A_PIPE}
    assert result["unfinished"] == 0


# --- a uthread that never yields --------------------------------------------------------------------------------------


@every_system
@pytest.mark.parametrize("cores", [2, 3])
def test_a_request_of_a_second_holds_up_its_own_pipe_only_if_there_is_another_core(system: str, cores: int) -> None:
    service = np.full(400, US)
    service[20] = SECOND
    load = spinning(service, 400_000)
    measurement = measure(load, outcome_of(load, system=system, cores=cores))
    pipes = load.steering.flow % load.uthreads
    is_answered, is_its = measurement.answers_ps >= 0, pipes == pipes[20]
    assert is_answered[~is_its].all()
    assert measurement.fates.unfinished == MOST_IN_A_PIPE
    assert measurement.fates.dropped["pipe_full"] == (is_its & ~is_answered).sum() - MOST_IN_A_PIPE > 0


@every_system
def test_on_the_only_core_it_holds_up_everything(system: str) -> None:
    service = np.full(400, US)
    service[20] = SECOND
    result = result_of(spinning(service, 400_000), system=system, cores=1)
    assert result["completed"] <= 20
    assert result["unfinished"] + result["dropped"]["pipe_full"] == 400 - result["completed"]
    assert result["simulated_ns"] < 2_000_000, "the run does not wait for it"


# --- an application that exits ----------------------------------------------------------------------------------------


@every_system
def test_packets_for_an_application_that_has_exited_are_dropped_and_those_in_its_pipe_stay(system: str) -> None:
    load = alike(400, 1, 1_000_000, uthreads=1)
    result = result_of(load, system=system, exits={0: 20})
    assert 20 <= result["completed"] < 60
    assert result["dropped"] == {"pipe_disabled": 400 - result["completed"] - result["unfinished"]}
    assert 0 < result["unfinished"] < MOST_IN_A_PIPE


@every_system
def test_the_exit_of_one_uthread_is_not_felt_by_the_others(system: str) -> None:
    load = alike(400, 1, 1_000_000)
    measurement = measure(load, outcome_of(load, system=system, exits={0: 20}))
    others = load.steering.flow % load.uthreads != 0
    assert (measurement.answers_ps[others] >= 0).all()
    assert measurement.fates.dropped["pipe_disabled"] > 50
    assert measurement.fates.unfinished < 10


@every_system
def test_a_deadlock_of_others_is_told_though_one_has_exited(system: str) -> None:
    lost_from = 10

    def forgets(nic: CountingNic) -> None:
        complete, count = nic._complete, [0]

        def some(slot: int, line: bytes, code: int = 0) -> None:
            count[0] += 1
            if count[0] < lost_from:
                complete(slot, line, code)

        nic._complete = some  # type: ignore[method-assign]

    with pytest.raises(DeadlockError, match=r"^at \d+ ps nothing moves .* completions of the NIC"):
        outcome_of(alike(400, 1, 1_000_000), system=system, exits={0: 1}, prepared=forgets)


# --- what must move does not ------------------------------------------------------------------------------------------


@every_system
def test_a_message_queue_that_stays_full_is_told_with_who_waits_for_it(
    system: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hermes.queues.CAPACITY", 8)
    with pytest.raises(DeadlockError) as error:
        outcome_of(
            alike(400, 1, 1_000_000),
            system=system,
            cores=2,
            rings=RingSizes(pipe_flits=64, notification_slots=16),
            # many messages, with nothing that NIC or IOKernel could do about them
            switches=Switches(send="packet", free_rx="processing"),
            prepared=loses_completions,
        )
    message = str(error.value)
    assert "\n" not in message
    assert "the IOKernel waits for 15 completions of the NIC" in message
    assert "messages to be taken" in message
    spins = "waits for the answer to a switch" if system == "priority" else "waits for room in its core's message queue"
    assert spins in message


@every_system
def test_a_small_message_queue_alone_stops_nobody(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hermes.queues.CAPACITY", 8)
    result = result_of(
        alike(400, 1, 1_000_000), system=system, cores=2, switches=Switches(send="packet", free_rx="processing")
    )
    assert result["completed"] == 400


class DeadCore:
    """From when it dies, a core is granted, and the kthread that gets it never takes a step."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, core: int) -> None:
        self.is_dead = False
        grant = Ksched.grant

        def kills(ksched: Ksched, granted: int, program: Software) -> None:
            if self.is_dead and granted == core:
                ksched._is_taken[core] = True
            else:
                grant(ksched, granted, program)

        monkeypatch.setattr(Ksched, "grant", kills)

    def dies(self, _: CountingNic) -> None:
        self.is_dead = True


@every_system
def test_a_kthread_that_never_steps_is_told_with_what_waits_in_its_queues(
    system: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = DeadCore(monkeypatch, 1)
    with pytest.raises(DeadlockError) as error:
        outcome_of(alike(100, 1, 200_000), system=system, cores=1, prepared=core.dies)
    assert "100 requests are outstanding: kthread 0 of runtime 0 waits for 4 softIRQs and 0 uthreads to be run" in str(
        error.value
    )


@every_system
def test_what_is_given_to_a_dead_kthread_is_stolen_by_one_that_lives(
    system: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = DeadCore(monkeypatch, 1)
    result = result_of(alike(100, 1, 200_000), system=system, cores=2, prepared=core.dies)
    assert (result["completed"], result["unfinished"], result["dropped"]) == (100, 0, {})


@every_system
def test_software_that_never_starts_is_told_after_10_ms(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    DeadCore(monkeypatch, 1).is_dead = True
    with pytest.raises(
        DeadlockError, match=r"^at \d+ ps the software has not started; it began 10 ms before: kthread 0"
    ):
        outcome_of(alike(100, 1, 200_000), system=system, cores=1)
