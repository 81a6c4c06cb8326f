"""The register map: each MMIO access finds the block that owns the register."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from enso_nic.layouts import (
    ExtensionWrite,
    MmioRequest,
    PipeOperation,
    PipeOperationKind,
    PipeWord,
    RegisterWrite,
    TxRegisterAccess,
)
from enso_nic.registers import (
    FIRST_EXTENSION_PAGE,
    FIRST_NOTIFICATION_BUFFER_PAGE,
    FIRST_PIPE_DROPS_PAGE,
    FIRST_PIPE_MODE_PAGE,
    PIPE_TABLE_PAGES,
    PIPES,
)


class MmioDecoder(wiring.Component):
    """Takes one access at a time, in order.

    A 32-bit register is written only if all four of its byte enables are set; an 8-byte word of the extension pages if
    those of its lower half are, and its upper half counts as 0 unless the others are too. Heads, addresses, modes and
    settings are stored at once (``write``, ``extension_write``); what must keep its order with packets goes to the pipe
    manager (``operation``): a head check for each write of a pipe's rx_head, tail writes, and every read, whose answer
    is fetched first if a TX register or the extension page has it.

    Guarantees: a read sees every earlier write. An address that nothing owns ignores writes and reads as 0.
    Latency: an operation is offered as its access comes; a read of the extension page takes 1 cycle more, one of a TX
    register as long as its answer. Back-pressure: while ``operation`` or ``tx_access`` is full, or the tables are not
    clear (``is_open`` 0), accesses wait.
    """

    i: In(stream.Signature(MmioRequest))
    is_open: In(1)
    write: Out(stream.Signature(RegisterWrite, always_ready=True))
    operation: Out(stream.Signature(PipeOperation))
    freed: Out(stream.Signature(10))  # the notification buffer whose rx_head software wrote
    tx_access: Out(stream.Signature(TxRegisterAccess))
    tx_answer: In(stream.Signature(64))
    extension_write: Out(stream.Signature(ExtensionWrite, always_ready=True))
    extension_word: Out(9)
    extension_data: In(64)  # of the word that extension_word names, in the same cycle
    idle: Out(1)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        request = self.i.payload
        page, word = Signal(15), Signal(3)
        m.d.comb += [page.eq(request.address >> 9), word.eq(request.address[:3])]
        is_pipe = page < FIRST_NOTIFICATION_BUFFER_PAGE
        is_buffer = ~is_pipe & (page < FIRST_EXTENSION_PAGE)
        is_rx = is_pipe | (is_buffer & (word < 2))
        is_tx = is_buffer & ((word == 2) | (word == 3))
        is_extension = page == FIRST_EXTENSION_PAGE
        is_mode = (page >= FIRST_PIPE_MODE_PAGE) & (page < FIRST_PIPE_MODE_PAGE + PIPE_TABLE_PAGES)
        is_drops = (page >= FIRST_PIPE_DROPS_PAGE) & (page < FIRST_PIPE_DROPS_PAGE + PIPE_TABLE_PAGES)
        is_index = word == 0  # tail and head; else the address
        low = request.enables[:4].all()
        high = request.enables[4:].all()

        operation, entry = self.operation.payload, Signal(range(PIPES))  # entry: the pipe of a table's word
        m.d.comb += [
            entry.eq(request.address),
            # pages without an owner must not alias those with one
            operation.index.eq(FIRST_EXTENSION_PAGE),
            operation.word.eq(PipeWord.OTHER),
            operation.tag.eq(request.tag),
            operation.data.eq(request.data),
            self.write.payload.data.eq(request.data),
            self.write.payload.index.eq(Mux(is_mode, entry, page)),
            self.write.payload.head.eq(is_rx & is_index & high),
            self.write.payload.low.eq(is_rx & (word == 1) & low),
            self.write.payload.high.eq(is_rx & (word == 1) & high),
            self.write.payload.mode.eq(is_mode & low),
            self.extension_write.payload.word.eq(request.address),
            self.extension_write.payload.data.eq(Cat(request.data[:32], Mux(high, request.data[32:], 0))),
            self.tx_access.payload.buffer.eq(page),
            self.tx_access.payload.word.eq(word),
            self.tx_access.payload.write.eq(request.write),
            self.tx_access.payload.enables.eq(Cat(low, high)),
            self.tx_access.payload.data.eq(request.data),
            self.extension_word.eq(request.address),
        ]

        with m.If(is_pipe | is_buffer):
            m.d.comb += operation.index.eq(page)
            with m.If(word == 0):
                m.d.comb += operation.word.eq(PipeWord.INDICES)
            with m.Elif(word == 1):
                m.d.comb += operation.word.eq(PipeWord.MEMORY)
        with m.Elif(is_mode):
            m.d.comb += [operation.index.eq(entry), operation.word.eq(PipeWord.MODE)]
        with m.Elif(is_drops):
            m.d.comb += [operation.index.eq(entry), operation.word.eq(PipeWord.DROPS)]

        tail_sent, tx_asked, has_count = Signal(), Signal(), Signal()
        count = Signal(64)
        with m.If(self.i.valid & self.is_open):
            with m.If(request.write & is_rx):
                # at most a tail write, then what a head write entails
                needs_tail = is_index & low & ~tail_sent
                needs_check = is_index & high & is_pipe
                tells_freed = is_index & high & is_buffer
                with m.If(needs_tail):
                    m.d.comb += [
                        operation.kind.eq(PipeOperationKind.TAIL_WRITE),
                        self.operation.valid.eq(1),
                        self.i.ready.eq(self.operation.ready & ~high),
                        self.write.valid.eq(self.i.ready),
                    ]
                    m.d.sync += tail_sent.eq(self.operation.ready & high)
                with m.Else():
                    m.d.comb += [
                        operation.kind.eq(PipeOperationKind.HEAD_CHECK),
                        self.operation.valid.eq(needs_check),
                        self.freed.valid.eq(tells_freed),
                        self.freed.payload.eq(page),
                        self.i.ready.eq(
                            (needs_check & self.operation.ready)
                            | (tells_freed & self.freed.ready)
                            | ~(needs_check | tells_freed)
                        ),
                        self.write.valid.eq(self.i.ready),
                    ]
                    with m.If(self.i.ready):
                        m.d.sync += tail_sent.eq(0)
            with m.Elif(request.write & is_tx):
                m.d.comb += [self.tx_access.valid.eq(1), self.i.ready.eq(self.tx_access.ready)]
            with m.Elif(request.write):
                m.d.comb += [
                    self.i.ready.eq(1),
                    self.write.valid.eq(is_mode),
                    self.extension_write.valid.eq(is_extension & low),
                ]
            with m.Else():
                m.d.comb += operation.kind.eq(PipeOperationKind.REGISTER_READ)
                with m.If(is_tx):
                    m.d.comb += [
                        self.tx_access.valid.eq(~tx_asked),
                        operation.data.eq(self.tx_answer.payload),
                        self.operation.valid.eq(self.tx_answer.valid),
                        self.tx_answer.ready.eq(self.operation.ready),
                        self.i.ready.eq(self.tx_answer.valid & self.operation.ready),
                    ]
                    m.d.sync += tx_asked.eq((tx_asked | self.tx_access.ready) & ~self.i.ready)
                with m.Elif(is_extension & ~has_count):
                    # kept, because the counters count on while the operation waits
                    m.d.sync += [count.eq(self.extension_data), has_count.eq(1)]
                with m.Else():
                    m.d.comb += [
                        self.operation.valid.eq(1),
                        self.i.ready.eq(self.operation.ready),
                        # the pipe manager and the notifier answer for their own pages
                        operation.data.eq(Mux(is_extension, count, 0)),
                    ]
                    with m.If(self.i.ready):
                        m.d.sync += has_count.eq(0)
        m.d.comb += self.idle.eq(~self.i.valid)
        return m
