"""The packed streams of the NIC's ports, as a bench drives and samples them."""

from typing import Any

from amaranth.lib import data
from cocotb_bus.bus import Bus


class Codec:
    """Integers of a struct of enso_nic.layouts, to and from its fields."""

    def __init__(self, struct: Any) -> None:
        layout = data.Layout.cast(struct)
        self._fields = [(str(name), field.offset, field.width) for name, field in layout]

    def pack(self, **values: int) -> int:
        """Fields that are not named are 0."""
        payload = 0
        for name, offset, width in self._fields:
            value = values.pop(name, 0)
            assert 0 <= value < 1 << width, f"{name} is {value}; accepted are {width} bits"
            payload |= value << offset
        assert not values, f"no such fields: {sorted(values)}"
        return payload

    def unpack(self, payload: int) -> dict[str, int]:
        return {name: payload >> offset & ((1 << width) - 1) for name, offset, width in self._fields}


class NicInput:
    """A stream into the NIC. What is offered stays until it is taken."""

    def __init__(self, dut: Any, name: str, struct: Any, *, always_ready: bool = False) -> None:
        signals = ["payload", "valid"] if always_ready else ["payload", "valid", "ready"]
        self._bus = Bus(dut, name, signals, bus_separator="__")
        self._always_ready = always_ready
        self._codec = Codec(struct)
        self.is_offered = False
        self._bus.valid.value = 0

    def offer(self, **fields: int) -> None:
        self._bus.payload.value = self._codec.pack(**fields)
        self._bus.valid.value = 1
        self.is_offered = True

    def sample(self) -> bool:
        """At a clock edge: whether what was offered is taken."""
        taken = self.is_offered and (self._always_ready or bool(self._bus.ready.value))
        if taken:
            self.is_offered = False
        return taken

    def withdraw(self) -> None:
        """A reset may take back what was offered."""
        self.is_offered = False
        self._bus.valid.value = 0

    def rest(self) -> None:
        """After `sample`: nothing new is offered."""
        if not self.is_offered:
            self._bus.valid.value = 0


class NicOutput:
    """A stream out of the NIC, and its rules: valid stays until ready, and so does the payload."""

    def __init__(self, dut: Any, name: str, struct: Any, *, always_ready: bool = False) -> None:
        signals = ["payload", "valid"] if always_ready else ["payload", "valid", "ready"]
        self.name = name
        self._bus = Bus(dut, name, signals, bus_separator="__")
        self._always_ready = always_ready
        self._codec = Codec(struct)
        self._ready = always_ready
        self._stalled: int | None = None
        self.payload: int | None = None
        """What is offered at this edge."""
        if not always_ready:
            self._bus.ready.value = 0

    def sample(self) -> dict[str, int] | None:
        """At a clock edge: what is transferred."""
        self.payload = int(self._bus.payload.value) if self._bus.valid.value else None
        assert self._stalled is None or self.payload is not None, f"{self.name}: valid was withdrawn before ready"
        assert self._stalled in (None, self.payload), f"{self.name}: a stalled payload changed"
        self._stalled = None if self._ready else self.payload
        return self._codec.unpack(self.payload) if self._ready and self.payload is not None else None

    def forget(self) -> None:
        """A reset may withdraw what was offered."""
        self._stalled = None

    def set_ready(self, ready: bool) -> None:
        if ready != self._ready and not self._always_ready:
            self._bus.ready.value = ready
            self._ready = ready
