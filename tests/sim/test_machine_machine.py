"""The machine as a whole: what the NIC writes is told to who watches, and time is marked."""

import pytest

from cosim.engine import NIC_ORDER
from hermes.world import IDLE, NIC_WRITE, POLL, Core, Walk
from tests.tools.host import NS, Host

WALK = Walk((100, 100), ((0, 1),), POLL)


class Idler:
    """Polls two sources, and notes when it was told of something."""

    def __init__(self) -> None:
        self.words = 0
        self.seen: list[tuple[int, int]] = []
        self.host: Host

    def begin(self, core: Core) -> None:
        self.core = core
        core.walk(WALK)

    def interrupt(self) -> bool:
        raise AssertionError("nobody interrupts it")

    def step(self) -> bool:
        return False

    def ready(self) -> int:
        return self.words

    def poll(self, source: int) -> bool:
        self.seen.append((self.host.engine.now, source))
        self.words = 0
        self.core.spend(POLL, 500)
        return True


def make() -> tuple[Host, Idler]:
    host, idler = Host(cores=2), Idler()
    idler.host = host
    host.machine.start(idler, 1_000)
    return host, idler


def test_a_write_to_watched_memory_is_an_effect_wakes_its_source_and_is_stamped() -> None:
    host, idler = make()
    first, second = (host.memory.allocate(4096, 4096, "a test") for _ in range(2))
    host.machine.watch(first, 4096, 0, 0)
    host.machine.watch(second, 4096, 0, 1)
    host.run(10 * NS)
    for address in (second + 64, first, first + 128):
        host.engine.schedule(20_000, NIC_ORDER, host.machine.nic_effect, address >= second, address)
    idler.words = 3
    host.run(30 * NS)
    assert idler.seen[0] == (20_000, 0)
    assert sorted(effect[1:] for effect in host.effects) == sorted(
        [(NIC_WRITE, 1, second + 64), (NIC_WRITE, 0, first), (NIC_WRITE, 0, first + 128)]
    )
    assert host.machine.stamps.visible == {second + 64: 20_000, first: 20_000, first + 128: 20_000}


def test_cores_without_software_idle_from_the_start_on() -> None:
    """DESIGN 6, point 4: each core's time adds up."""
    host, _ = make()
    host.run(51_000)
    times = host.machine.times_at(51_000)
    assert [sum(core) for core in times] == [50_000] * 3
    assert times[0][POLL] == times[1][IDLE] == times[2][IDLE] == 50_000
    assert host.machine.is_quiet


def test_marks_hold_the_time_of_each_core_up_to_then() -> None:
    host, _ = make()
    host.machine.mark(11_000)
    host.machine.mark(31_000)
    host.run(51_000)
    assert list(host.machine.marked) == [11_000, 31_000]
    for time, cores in host.machine.marked.items():
        assert [sum(core) for core in cores] == [time - 1_000] * 3
    assert host.machine.marked[31_000][0][POLL] == 30_000


@pytest.mark.parametrize("cores", [[1], [1, 2, 2]])
def test_register_writes_of_all_cores_are_counted(cores: list[int]) -> None:
    host, _ = make()
    for core in cores:
        host.machine.cores[core].mmio_write(0, 5)
    assert host.machine.mmio_writes() == len(cores)
