"""A uthread: what a kthread runs, and what softIRQs wake."""

from abc import ABC, abstractmethod

from hermes.enso.device import Device
from hermes.runtime.spinlock import Spinlock
from hermes.world import Core, World

RUNNING, SPINNING, LEFT = range(3)
"""What became of a uthread's step: an action began; it polls in a walk; it gave the core up."""


class Uthread(ABC):
    """A cooperative thread with a device of its own.

    Attributes
    ----------
    number
        Within the runtime.
    waiting
        It is out of work and stands in no runqueue; whoever brings work makes it runnable. Guarded by ``lock``.
    lock
        Guards ``waiting`` and, against others than the uthread, the device's rings.
    slot
        Cache line of lock and flag.
    rx_slots, tx_slots
        Cache lines of the first slots of the device's rings.
    """

    def __init__(self, world: World, number: int, device: Device) -> None:
        self.number = number
        self.device = device
        self.waiting = True
        self.lock = Spinlock()
        self.slot = world.lines.allocate(1)
        self.rx_slots = world.lines.allocate(device.notifications.slots)
        self.tx_slots = world.lines.allocate(device.notifications.slots)

    @abstractmethod
    def start(self, core: Core) -> int:
        """It has the core; its first action begins now. As ``step``."""

    @abstractmethod
    def step(self, core: Core) -> int:
        """Its action ended, now. RUNNING: the next began. SPINNING: it walks. LEFT: the core is free."""

    @abstractmethod
    def poll(self, core: Core) -> int:
        """It walks, and looks now at its source, which is 0. As ``step``."""

    @abstractmethod
    def ready(self, core: Core) -> int:
        """It walks: 1 if a look would find something."""

    @abstractmethod
    def waits_for(self) -> str:
        """What it would need to go on; empty if it has nothing to do."""
