"""Software for tests of what runs it."""

from hermes.world import Core, Software


class Bare(Software):
    """Does nothing, and expects that nobody asks it to."""

    def begin(self, core: Core) -> None:
        """Nothing to prepare."""

    def interrupt(self) -> bool:
        raise AssertionError("nobody interrupts it")

    def step(self) -> bool:
        return False

    def poll(self, source: int) -> bool:
        raise AssertionError("it never polls")

    def ready(self) -> int:
        return 0

    def queue_changed(self, queue: int) -> None:
        raise AssertionError("it has no queue")
