"""What software does to a NIC under test: opens rings, publishes requests, gives heads back."""

from enso_nic import registers
from enso_nic.config import FLIT_BYTES, NicConfig
from tests.rtl.golden.steering import Key
from tests.rtl.nic_bench import BOTH, NicBench

DATA, CONFIG = 1, 2
"""Signals of a TX slot."""


def data_slot(address: int, length: int, *, framed: bool = False) -> bytes:
    """A request to send ``length`` bytes at ``address``; the padding is stale, as software leaves it."""
    return _slot(DATA, address, length | framed << 32, b"")


def flow_slot(key: Key, pipe: int, number: int = 1) -> bytes:
    """Config request 1: frames with this key go to this pipe; 0x100: no more; 0x101: is there a rule for them?"""
    ports = key.destination_port.to_bytes(2, "little") + key.source_port.to_bytes(2, "little")
    addresses = key.destination_address.to_bytes(4, "little") + key.source_address.to_bytes(4, "little")
    return _slot(CONFIG, number, None, ports + addresses + (17).to_bytes(4, "little") + pipe.to_bytes(4, "little"))


def timestamp_slot(*, enable: bool, offset: int) -> bytes:
    """Config request 2: frames carry a time stamp of 4 bytes from byte ``offset`` on."""
    return _slot(CONFIG, 2, None, (b"\xff" if enable else b"\0") * 8 + offset.to_bytes(8, "little"))


def rate_limit_slot(*, enable: bool, numerator: int, denominator: int) -> bytes:
    """Config request 3: TX sends at most this fraction of 200 M flits per second."""
    fraction = denominator.to_bytes(2, "little") + numerator.to_bytes(2, "little")
    return _slot(CONFIG, 3, None, fraction + (b"\xff" if enable else b"\0") * 4)


def fallback_slot(pipes: int, mask: int, *, round_robin: bool = False) -> bytes:
    """Config request 4: frames without a rule go to pipe hash & mask or count & mask, or nowhere without pipes."""
    flag = (b"\xff" if round_robin else b"\0") * 8
    return _slot(CONFIG, 4, None, pipes.to_bytes(4, "little") + mask.to_bytes(4, "little") + flag)


def config_slot(number: int) -> bytes:
    """A config request of any id, without contents."""
    return _slot(CONFIG, number, None, b"")


def _slot(signal: int, word: int, length: int | None, body: bytes) -> bytes:
    start = signal.to_bytes(8, "little") + word.to_bytes(8, "little")
    if length is not None:
        start += length.to_bytes(8, "little")
    return (start + body).ljust(FLIT_BYTES, b"\xa5")


class Software:
    """Rings in host memory, and where software stands in them."""

    def __init__(self, bench: NicBench, config: NicConfig) -> None:
        self._bench = bench
        self.pipe_flits, self.slots = config.pipe_flits, config.notification_slots
        self.pipes: dict[int, int] = {}
        """Ring address of each pipe that was opened."""
        self._rings: dict[int, int] = {}  # address of each notification buffer: RX slots, then TX slots
        self._tx_tail: dict[int, int] = {}
        self._tx_done: dict[int, int] = {}  # oldest slot not known to be complete

    def open_buffer(self, buffer: int, *, start: int = 0, tx_start: int = 0) -> None:
        """Enable a notification buffer; both its rings begin at the given slot."""
        size = self.slots * FLIT_BYTES
        if buffer not in self._rings:
            self._rings[buffer] = self._bench.host.allocate(2 * size)
        address = self._rings[buffer]
        base = registers.notification_buffer_register(buffer, 0)
        self._bench.write(base + registers.RX_MEM_LOW, 0, BOTH)
        self._bench.write(base + registers.TX_MEM_LOW, 0, BOTH)
        self._bench.write(base + registers.RX_TAIL, start)
        self._bench.write(base + registers.RX_HEAD, start)
        self._bench.write(base + registers.TX_TAIL, tx_start << 32 | tx_start, BOTH)
        for low, ring in ((registers.RX_MEM_LOW, address), (registers.TX_MEM_LOW, address + size)):
            self._bench.write(base + low, ring & 0xFFFFFFFF)
            self._bench.write(base + low + 4, ring >> 32)
        self._tx_tail[buffer] = self._tx_done[buffer] = tx_start

    def open_pipe(self, pipe: int, buffer: int, *, start: int = 0) -> None:
        """Enable a pipe, its ring empty with tail and head at flit ``start``, in the order in which libraries do it."""
        if pipe not in self.pipes:
            self.pipes[pipe] = self._bench.host.allocate(self.pipe_flits * FLIT_BYTES)
        self.close_pipe(pipe)
        base, address = registers.pipe_register(pipe, 0), self.pipes[pipe] | buffer
        self._bench.write(base + registers.RX_TAIL, start)
        self._bench.write(base + registers.RX_HEAD, start)
        self._bench.write(base + registers.RX_MEM_LOW, address & 0xFFFFFFFF)
        self._bench.write(base + registers.RX_MEM_HIGH, address >> 32)

    def close_pipe(self, pipe: int) -> None:
        base = registers.pipe_register(pipe, 0)
        self._bench.write(base + registers.RX_MEM_LOW, 0)
        self._bench.write(base + registers.RX_MEM_HIGH, 0)

    def set_ring_sizes(self, pipe_flits: int, slots: int) -> None:
        """Rings that are opened from now on have these sizes, and places of their own."""
        self.pipe_flits, self.slots = pipe_flits, slots
        self.pipes.clear()
        self._rings.clear()
        for name, size in (("pipe_ring_flits", pipe_flits), ("notification_ring_slots", slots)):
            self._bench.write(registers.extension_register(name), size)

    def set_modes(self, modes: registers.Mode) -> None:
        self._bench.write(registers.extension_register("modes"), modes)

    def set_header_mode(self, pipe: int, *, on: bool = True) -> None:
        self._bench.write(registers.pipe_mode_register(pipe), registers.HEADER_MODE if on else 0)

    def write_head(self, pipe: int, head: int) -> None:
        self._bench.write(registers.pipe_register(pipe, registers.RX_HEAD), head)

    def write_notification_head(self, buffer: int, head: int) -> None:
        self._bench.write(registers.notification_buffer_register(buffer, registers.RX_HEAD), head)

    def slot_address(self, buffer: int, index: int, *, tx: bool) -> int:
        return self._rings[buffer] + FLIT_BYTES * (index % self.slots + (self.slots if tx else 0))

    def free_slots(self, buffer: int) -> int:
        """TX slots that may be published: completions are found by their signal 0."""
        while self._tx_done[buffer] != self._tx_tail[buffer]:
            if self._bench.host.load(self.slot_address(buffer, self._tx_done[buffer], tx=True))[:8] != bytes(8):
                break
            self._tx_done[buffer] = (self._tx_done[buffer] + 1) % self.slots
        return (self._tx_done[buffer] - self._tx_tail[buffer] - 1) % self.slots

    async def publish(self, buffer: int, *requests: bytes, limit: int = 20_000) -> None:
        """Put requests into the TX ring, once there is room for all, and write tx_tail once."""
        for _ in range(limit):
            if self.free_slots(buffer) >= len(requests):
                break
            await self._bench.cycle()
        else:
            raise TimeoutError(f"buffer {buffer}: no room for {len(requests)} TX slots in {limit} cycles")
        for request in requests:
            self._bench.host.store(self.slot_address(buffer, self._tx_tail[buffer], tx=True), request)
            self._tx_tail[buffer] = (self._tx_tail[buffer] + 1) % self.slots
        register = registers.notification_buffer_register(buffer, registers.TX_TAIL)
        self._bench.write(register, self._tx_tail[buffer])

    def place(self, *frames: bytes) -> tuple[int, int]:
        """(address, length) of frames one after the other in host memory, each from a flit on."""
        content = b"".join(frame.ljust(-(-len(frame) // FLIT_BYTES) * FLIT_BYTES, b"\xee") for frame in frames)
        address = self._bench.host.allocate(len(content), FLIT_BYTES)
        self._bench.host.store(address, content)
        return address, len(content) - (-len(frames[-1]) % FLIT_BYTES)

    async def counters(self) -> dict[str, int]:
        """The words of the extension page that count."""
        return {name: await self._bench.read(registers.extension_register(name)) for name in registers.COUNTERS}
