"""What the NIC does cycle by cycle, in the simulations that docs/nic.md shows as figures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from amaranth.lib import stream

from enso_nic.config import FLIT_BYTES, TINY
from enso_nic.nic import NicCore
from enso_nic.registers import RX_MEM_LOW, TX_MEM_LOW, TX_TAIL, notification_buffer_register, pipe_register
from tests.rtl.ethernet_beats import beats
from tests.rtl.golden.steering import steering_key
from tests.rtl.host_reads import HostReads
from tests.rtl.nic_frames import udp
from tests.rtl.nic_software import data_slot, flow_slot
from tests.rtl.stream_bench import Bench, Port, Source
from tests.rtl.tx_frames import in_flits, ip_frame

PIPES, FIRST_PORT = 2, 1024
"""UDP frames to port FIRST_PORT + i go to pipe i. Both pipes belong to notification buffer 0."""
NOTIFICATIONS, REQUESTS, PIPE_RINGS, DATA = 1 << 10, 1 << 11, 1 << 12, 1 << 20
"""Lines of host memory: where the rings of notification buffer 0 begin, those of the pipes, and data to be sent."""
RX_BLOCKS = ("parser", "flow director", "queue", "pipe manager", "notifier", "DMA writer")
"""In the order in which a frame is passed on."""
SETTLED_CYCLES = 10
"""Quiescent for so long: a host read that is under way is answered sooner."""


class Watch:
    """The transfers of one stream: ``at``, their cycles, and ``got``, their payloads."""

    def __init__(self, port: stream.Interface) -> None:
        self._port = port
        self.at: list[int] = []
        self.got: list[Any] = []

    def drive(self, context: Any, draw: object) -> None:
        pass

    def observe(self, context: Any, cycle: int) -> None:
        if context.get(self._port.valid) and context.get(self._port.ready):
            self.at.append(cycle)
            self.got.append(context.get(self._port.payload))


@dataclass(frozen=True)
class HostCycle:
    """The signals of ``to_host`` in one cycle; those of its payload are 0 while it is not valid."""

    valid: int
    ready: int
    first: int = 0
    last: int = 0
    flits: int = 0  # means something on first, as the address does
    line: int = 0


def _blocks(component: Any) -> Any:
    """The blocks inside, by name; from now on the component consists of these very blocks."""
    module = component.elaborate(None)
    component.elaborate = lambda platform: module
    return module.submodules


class Recording:
    """A TINY NIC with open rings and a flow rule for each pipe, whose host answers each read in the next cycle.

    Parameters
    ----------
    stalls
        Cycles of the recording in which the host takes no write.
    """

    def __init__(self, stalls: range = range(0)) -> None:
        self._nic: Any = NicCore(TINY)
        core, host = _blocks(self._nic), self._nic.host
        rx, tx = _blocks(core.receive), _blocks(core.transmit)
        self._stalls, self._begin, self._is_open = stalls, 0, False
        self._wire, self._mmio = Source(self._nic.ethernet_rx), Source(host.mmio_request)
        self._memory: dict[int, int] = {}
        self._cycles: list[HostCycle] = []
        self._watches = {
            "wire in": Watch(self._nic.ethernet_rx),
            "parser": Watch(rx.parser.frame),
            "flow director": Watch(rx.flow_director.steered),
            "queue": Watch(rx.pipe_manager.frame),
            "pipe manager": Watch(rx.pipe_manager.o),
            "notifier": Watch(rx.notifier.o),
            "into packet buffer": Watch(rx.parser.flit),
            "out of packet buffer": Watch(rx.packet_buffer.o),
            "to host": Watch(host.to_host),
            "tail write": Watch(host.mmio_request),
            "slot job": Watch(tx.fetch.slots),
            "read request": Watch(host.read_request),
            "read line": Watch(host.read_completion),
            "slot": Watch(tx.requests.slot),
            "data job": Watch(tx.requests.job),
            "data line": Watch(tx.packetiser.line),
            "flit": Watch(tx.packetiser.flit),
            "wire out": Watch(self._nic.ethernet_tx),
        }
        reads = HostReads(host.read_request, host.read_completion, self._memory.get)
        ports: list[Port] = [self._wire, self._mmio, reads, *self._watches.values()]
        self._bench = Bench(self._nic, ports, each_cycle=self._each_cycle)

    def run(self, begin: Callable[[], None]) -> None:
        """Open everything, then ``begin`` in cycle 0, and go on until nothing happens any more."""

        async def story() -> None:
            self._open()
            await self._settled()
            self._begin, self._is_open = self._bench.cycle, True
            begin()
            await self._settled()

        self._bench.simulate(story)

    # --- what comes to the NIC ----------------------------------------------------------------------------------------

    def enter(self, frame: bytes) -> None:
        """A frame comes from the wire, right behind the one before."""
        self._wire.items.extend(beats(frame))

    def store(self, line: int, content: bytes) -> None:
        """Put whole lines into host memory."""
        for start in range(0, len(content), FLIT_BYTES):
            piece = content[start : start + FLIT_BYTES]
            self._memory[line + start // FLIT_BYTES] = int.from_bytes(piece, "little")

    def write(self, address: int, value: int) -> None:
        """Write 8 bytes to registers."""
        self._mmio.items.append({"address": address // 8, "data": value, "enables": 0xFF, "write": 1})

    def publish(self, tail: int) -> None:
        """Write tx_tail, and nothing else."""
        address = notification_buffer_register(0, TX_TAIL)
        self._mmio.items.append({"address": address // 8, "data": tail, "enables": 0x0F, "write": 1})

    # --- what comes of it ---------------------------------------------------------------------------------------------

    def at(self, name: str) -> list[int]:
        """Cycles of the recording in which this stream transferred something."""
        return [cycle - self._begin for cycle in self._watches[name].at if cycle >= self._begin]

    @property
    def host(self) -> list[HostCycle]:
        """The port to the host, in each cycle of the recording."""
        return self._cycles[self._begin :]

    def writes(self, first_line: int, end_line: int) -> list[int]:
        """Cycles in which lines between these two were written to host memory."""
        cycles, line = list[int](), 0
        host = self._watches["to host"]
        for cycle, beat in zip(host.at, host.got, strict=True):
            line = beat.address if beat.first else line + 1
            if cycle >= self._begin and first_line <= line < end_line:
                cycles.append(cycle - self._begin)
        return cycles

    def _open(self) -> None:
        self.write(notification_buffer_register(0, RX_MEM_LOW), NOTIFICATIONS * FLIT_BYTES)
        self.write(notification_buffer_register(0, TX_MEM_LOW), REQUESTS * FLIT_BYTES)
        for pipe in range(PIPES):
            self.write(pipe_register(pipe, RX_MEM_LOW), (PIPE_RINGS + TINY.pipe_flits * pipe) * FLIT_BYTES)
            self.store(REQUESTS + pipe, flow_slot(steering_key(udp(FIRST_PORT + pipe)), pipe))
        self.publish(PIPES)

    async def _settled(self) -> None:
        bench, quiet_since = self._bench, 0

        def is_settled() -> bool:
            nonlocal quiet_since
            if self._mmio.items or self._wire.items or not bench.context.get(self._nic.quiescent):
                quiet_since = bench.cycle
            return bench.cycle - quiet_since >= SETTLED_CYCLES

        await bench.cycles(1)
        await bench.until(is_settled)

    def _each_cycle(self, context: Any, cycle: int) -> None:
        nic, host = self._nic, self._nic.host
        context.set(host.max_payload, 8)
        context.set(host.max_read, 8)
        context.set(host.bus_master, 1)
        context.set(nic.ethernet_tx.ready, 1)
        context.set(nic.cycle, cycle)
        context.set(nic.tick, cycle * 4 // 5)
        ready = not (self._is_open and cycle - self._begin in self._stalls)
        context.set(host.to_host.ready, ready)
        shown = HostCycle(0, ready)
        if context.get(host.to_host.valid):
            beat = context.get(host.to_host.payload)
            shown = HostCycle(1, ready, beat.first, beat.last, beat.flits, beat.address)
        self._cycles.append(shown)


# --- RX ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ReceivedFrame:
    """The cycles in which one frame is where."""

    pipe: int
    wire: list[int]
    """Its beats on the wire."""
    leaves: dict[str, int]
    """When it leaves each of RX_BLOCKS, the DMA writer with its first line."""
    buffered: tuple[int, int]
    """When its first flit enters the packet buffer, and its last one leaves it."""
    host: list[int]
    """Its lines on the host port."""

    def stages(self) -> dict[str, int]:
        """Cycles in each block, from the frame's last beat to its first line on the host port."""
        times = [self.wire[-1], *self.leaves.values()]
        return {name: times[i + 1] - times[i] for i, name in enumerate(RX_BLOCKS)}


@dataclass(frozen=True)
class Reception:
    """What became of frames that entered one right behind the other."""

    frames: list[ReceivedFrame]
    notifications: list[int]
    """Cycle of each notification on the host port."""
    host: list[HostCycle]


def receive(sent: Sequence[tuple[int, int]], stalls: range = range(0)) -> Reception:
    """Frames of (pipe, bytes) through a NIC whose pipes are not armed. Cycle 0 is that of the first beat."""
    recording = Recording(stalls)

    def begin() -> None:
        for number, (pipe, size) in enumerate(sent):
            recording.enter(udp(FIRST_PORT + pipe, size, number))

    recording.run(begin)
    wire, host = recording.at("wire in"), recording.writes(PIPE_RINGS, PIPE_RINGS + PIPES * TINY.pipe_flits)
    frames, first = [], 0
    for number, (pipe, size) in enumerate(sent):
        end = first + -(-size // FLIT_BYTES)
        leaves = {name: recording.at(name)[number] for name in RX_BLOCKS[:-1]} | {RX_BLOCKS[-1]: host[first]}
        buffered = recording.at("into packet buffer")[first], recording.at("out of packet buffer")[end - 1]
        frames.append(ReceivedFrame(pipe, wire[first:end], leaves, buffered, host[first:end]))
        first = end
    notifications = recording.writes(NOTIFICATIONS, NOTIFICATIONS + TINY.notification_slots)
    return Reception(frames, notifications, recording.host)


# --- TX ---------------------------------------------------------------------------------------------------------------


def transmit(sizes: Sequence[int]) -> dict[str, list[int]]:
    """One TX request with frames of these sizes: the cycles in which each stream on its way transferred something.

    Cycle 0 is that of the tail write; "completion" is the line that the NIC writes over the request.
    """
    recording, data = Recording(), in_flits(*(ip_frame(size, number) for number, size in enumerate(sizes)))
    recording.store(DATA, data)
    recording.store(REQUESTS + PIPES, data_slot(DATA * FLIT_BYTES, len(data)))
    recording.run(lambda: recording.publish(PIPES + 1))
    names = ("tail write", "slot job", "read request", "read line", "slot", "data job", "data line", "flit", "wire out")
    completion = recording.writes(REQUESTS, REQUESTS + TINY.notification_slots)
    return {name: recording.at(name) for name in names} | {"completion": completion}
