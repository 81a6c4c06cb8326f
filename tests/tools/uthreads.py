"""Uthreads for tests of what holds or runs them."""

from hermes.runtime.uthread import LEFT, Uthread
from hermes.world import Core


class Named(Uthread):
    """A uthread that gives its core up at once, each time."""

    def start(self, core: Core) -> int:
        return LEFT

    def step(self, core: Core) -> int:
        raise AssertionError("it has no actions")

    def cut(self, left: int) -> None:
        raise AssertionError("it has no actions")

    def waits_for(self) -> str:
        return ""
