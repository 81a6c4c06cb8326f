"""A host that echoes, without a processor: memory, and a program as a state machine."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from enso_nic.bits import NEVER_BOTH
from enso_nic.config import NicConfig
from enso_nic.layouts import HostWriteKind
from enso_nic.ports import HostPort

_PAGE_LINES = 64
_PIPE, _RX_RING, _TX_RING = (page * _PAGE_LINES for page in (1, 2, 3))
"""First lines of the rings, each at a page: address 0 would mean that there is none."""
_LINES = 4 * _PAGE_LINES
_LINE_SHIFT = 6
_BUFFER_PAGE = 8192
_RX_MEM, _TX_MEM, _TX_INDICES, _INDICES = 1, 3, 2, 0  # words of a register page
_LOW, _HIGH, _WHOLE = 0x0F, 0xF0, 0xFF  # byte enables
_DATA, _CONFIG = 1, 2
_FALLBACK = 4


def _word(page: int, word: int) -> int:
    """Address of a register word, in 8 bytes."""
    return page << 9 | word


def require_room(config: NicConfig) -> None:
    """ValueError if the rings of this NIC do not fit into the memory of an EchoHost."""
    if config.pipe_flits > _PAGE_LINES or config.notification_slots > _PAGE_LINES:
        raise ValueError(
            f"EchoHost with rings of {config.pipe_flits} flits and {config.notification_slots} slots; "
            f"accepted are up to {_PAGE_LINES}"
        )


class EchoHost(wiring.Component):
    """Sends back all that comes into pipe 0, in its order, from where it lies.

    It opens notification buffer 0 and pipe 0, makes the pipe the one of all frames, then goes round: notification,
    request, completion, head. There is one send at a time, so its pace is a round trip of the NIC, some hundred
    cycles, for what came meanwhile.

    Guarantees: reads are answered in their order, a line each two cycles, with no error.
    A line is not read in the cycle in which it is written, but in a later one.
    Back-pressure: ``nic.to_host`` waits in cycles in which the program itself writes memory.

    Parameters
    ----------
    config
        The NIC's. Rings must fit in a page of 64 lines.
    """

    nic: In(HostPort())
    is_open: Out(1)  # the pipe takes frames
    failed: Out(1)  # the NIC wrote outside memory, or completed a send with an error; stays

    def __init__(self, config: NicConfig) -> None:
        require_room(config)
        self._config = config
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(shape=512, depth=_LINES, init=[], attrs=NEVER_BOTH)
        self._write, self._look = memory.write_port(), memory.read_port()
        self._fetch = memory.read_port()
        self._stores = Signal()  # the program writes memory now: line, data
        self._line, self._data = Signal(range(_LINES)), Signal(512)
        m.d.comb += [
            self.nic.max_payload.eq(8),
            self.nic.max_read.eq(8),
            self.nic.bus_master.eq(1),
        ]
        self._take_writes(m)
        self._answer_reads(m)
        self._run_program(m)
        return m

    def _take_writes(self, m: Module) -> None:
        write, come = self._write, self.nic.to_host.payload
        behind, address = Signal(range(_LINES)), Signal(58)
        m.d.comb += [
            self.nic.to_host.ready.eq(~self._stores),
            address.eq(Mux(come.first, come.address, behind)),
            write.addr.eq(Mux(self._stores, self._line, address)),
            write.data.eq(Mux(self._stores, self._data, come.data)),
        ]
        with m.If(self._stores):
            m.d.comb += write.en.eq(1)
        with m.Elif(self.nic.to_host.valid & (come.kind == HostWriteKind.WRITE)):
            m.d.comb += write.en.eq(1)
            m.d.sync += behind.eq(address + 1)
            with m.If(address >= _LINES):
                m.d.sync += self.failed.eq(1)

    def _is_written(self, line: Value) -> Value:
        """In this cycle: it must not be read."""
        return self._write.en & (self._write.addr == line)

    def _answer_reads(self, m: Module) -> None:
        fetch, request, completion = self._fetch, self.nic.read_request, self.nic.read_completion
        address, left, index = Signal(range(_LINES)), Signal(4), Signal(3)
        is_read = Signal()  # the line is at the memory's output
        m.d.comb += [
            request.ready.eq(left == 0),
            fetch.addr.eq(address),
            fetch.en.eq((left != 0) & ~is_read & ~self._is_written(address)),
            completion.valid.eq(is_read),
            completion.payload.data.eq(fetch.data),
            completion.payload.index.eq(index),
            completion.payload.last.eq(left == 1),
        ]
        with m.If(request.valid & request.ready):
            m.d.sync += [
                address.eq(request.payload.address),
                left.eq(request.payload.flits),
                completion.payload.tag.eq(request.payload.tag),
                index.eq(0),
            ]
        with m.If(fetch.en):
            m.d.sync += is_read.eq(1)
        with m.If(completion.valid & completion.ready):
            m.d.sync += [is_read.eq(0), address.eq(address + 1), left.eq(left - 1), index.eq(index + 1)]

    def _run_program(self, m: Module) -> None:
        config, look, mmio = self._config, self._look, self.nic.mmio_request
        setup = [
            (_word(_BUFFER_PAGE, _RX_MEM), _RX_RING << _LINE_SHIFT),
            (_word(_BUFFER_PAGE, _TX_MEM), _TX_RING << _LINE_SHIFT),
            (_word(0, _RX_MEM), _PIPE << _LINE_SHIFT),
        ]
        step = Signal(range(len(setup)))
        rx_slot, tx_slot = (Signal(range(config.notification_slots)) for _ in range(2))
        head, tail = (Signal(range(config.pipe_flits)) for _ in range(2))
        up_to = Signal(range(config.pipe_flits + 1))  # where the next request ends: the tail, or the ring's end
        flits = Signal.like(up_to)
        last_slot = (tx_slot - 1)[: len(tx_slot)]
        signal, tail_word, error = (look.data.word_select(word, 64) for word in (0, 2, 3))
        m.d.comb += [mmio.payload.write.eq(1), look.en.eq(~self._is_written(look.addr))]

        def store(line: object, *words: object) -> None:
            padded = [Const(word, 64) if isinstance(word, int) else Cat(word, Const(0, 64))[:64] for word in words]
            m.d.comb += [self._stores.eq(1), self._line.eq(line), self._data.eq(Cat(padded))]

        def write_register(address: object, data: object, enables: int) -> None:
            payload = mmio.payload
            m.d.comb += [mmio.valid.eq(1), payload.address.eq(address), payload.data.eq(data)]
            m.d.comb += payload.enables.eq(enables)

        with m.FSM():
            with m.State("SET UP"):
                write_register(Array(a for a, _ in setup)[step], Array(d for _, d in setup)[step], _WHOLE)
                with m.If(mmio.ready):
                    m.d.sync += step.eq(step + 1)
                    with m.If(step == len(setup) - 1):
                        m.next = "CONFIGURE"
            with m.State("CONFIGURE"):
                store(_TX_RING + tx_slot, _CONFIG, _FALLBACK, 1)  # one pipe; its mask is 0
                m.d.sync += tx_slot.eq(tx_slot + 1)
                m.next = "PUBLISH"
            with m.State("REQUEST"):
                # a packet over the ring's end is sent by two requests, and is not read before the second is there
                m.d.comb += [up_to.eq(Mux(tail > head, tail, config.pipe_flits)), flits.eq(up_to - head)]
                store(_TX_RING + tx_slot, _DATA, (_PIPE + head) << _LINE_SHIFT, flits << _LINE_SHIFT)
                m.d.sync += [tx_slot.eq(tx_slot + 1), head.eq(up_to)]
                with m.If((up_to == tail) | (tail == 0)):
                    m.next = "PUBLISH"
            with m.State("PUBLISH"):
                write_register(_word(_BUFFER_PAGE, _TX_INDICES), tx_slot, _LOW)
                with m.If(mmio.ready):
                    m.next = "LOOK FOR COMPLETION"
            with m.State("LOOK FOR COMPLETION"):
                m.d.comb += look.addr.eq(_TX_RING + last_slot)
                with m.If(look.en):
                    m.next = "COMPLETION"
            with m.State("COMPLETION"):
                m.d.comb += look.addr.eq(_TX_RING + last_slot)
                with m.If(signal == 0):
                    with m.If(error != 0):
                        m.d.sync += self.failed.eq(1)
                    m.next = "FREE"
            with m.State("FREE"):
                write_register(_word(0, _INDICES), head << 32, _HIGH)
                with m.If(mmio.ready):
                    m.d.sync += self.is_open.eq(1)
                    m.next = "LOOK FOR NOTIFICATION"
            with m.State("LOOK FOR NOTIFICATION"):
                m.d.comb += look.addr.eq(_RX_RING + rx_slot)
                with m.If(look.en):
                    m.next = "NOTIFICATION"
            with m.State("NOTIFICATION"):
                m.d.comb += look.addr.eq(_RX_RING + rx_slot)
                with m.If(signal != 0):
                    m.d.sync += tail.eq(tail_word)
                    m.next = "TAKE"
            with m.State("TAKE"):
                store(_RX_RING + rx_slot, 0)
                m.d.sync += rx_slot.eq(rx_slot + 1)
                m.next = "TAKEN"
            with m.State("TAKEN"):
                write_register(_word(_BUFFER_PAGE, _INDICES), rx_slot << 32, _HIGH)
                with m.If(mmio.ready):
                    m.next = "REQUEST"
                    with m.If(head == tail):
                        m.next = "LOOK FOR NOTIFICATION"
