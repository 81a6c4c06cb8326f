"""Uthreads for tests of what holds them."""

from hermes.enso.backends import Direct
from hermes.enso.device import Device
from hermes.enso.notification_buffer import NotificationBuffer
from hermes.runtime.uthread import LEFT, Uthread
from hermes.world import Core
from tests.tools.host import COSTS, SMALL, Host


class Named(Uthread):
    """A uthread that gives its core up at once, each time."""

    def __init__(self, number: int, host: Host | None = None) -> None:
        host = host or Host()
        device = Device(Direct(COSTS), NotificationBuffer(host.memory, SMALL, f"uthread {number}"))
        super().__init__(host.machine, number, device)

    def start(self, core: Core) -> int:
        return LEFT

    def step(self, core: Core) -> int:
        raise AssertionError("it has no actions")

    def poll(self, core: Core) -> int:
        raise AssertionError("it never polls")

    def ready(self, core: Core) -> int:
        raise AssertionError("it never polls")

    def waits_for(self) -> str:
        return ""
