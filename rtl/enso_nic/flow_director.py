"""Which pipe a frame goes to: exact-match flow rules, else the fallback pipes."""

from itertools import pairwise

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from enso_nic import flow_hash
from enso_nic.config import NicConfig
from enso_nic.flow_updater import FlowUpdater
from enso_nic.layouts import (
    FLOW_TABLES,
    AdmittedFrame,
    ConfigCode,
    Fallback,
    FlowOperation,
    FlowRule,
    FrameDetails,
    SteeredFrame,
)


class FlowEntry(data.Struct):
    """One place of a sub-table."""

    rule: FlowRule
    valid: 1


class Lookup(data.Struct):
    """What travels through the pipeline beside the hash of its key."""

    frame: AdmittedFrame
    is_frame: 1
    is_search: 1  # only the key counts


class FlowDirector(wiring.Component):
    """Looks each frame up in four sub-tables, each indexed by its own hash of the key; the first that matches wins.

    A frame without a rule goes to a fallback pipe, by its hash for sub-table 0, or by the count of frames that went by
    count since reset; or nowhere. Frames that have no key, because they hold no sound IPv4 packet, have a key of zeros.

    Guarantees: frames leave in the order in which they came; a frame meets every rule that no operation is about to
    change, whichever rules are being moved; an operation is accepted, with ``flow_code``, when every later frame will
    see its effect. Operations look rules up in the same pipeline as frames, in its gaps: of which the wire has some,
    because no frame is shorter than 6.72 ns.
    Latency: 6 cycles; of operations see FlowUpdater. A frame each cycle. It cannot stall: what follows must have room
    for each admitted frame.
    After reset it clears its tables, and looks nothing up for operations before ``ready``.
    """

    frame: In(stream.Signature(AdmittedFrame, always_ready=True))
    flow: In(stream.Signature(FlowOperation))
    flow_code: Out(ConfigCode)  # how the operation ended, in the cycle in which it is accepted
    fallback: In(Fallback)
    steered: Out(stream.Signature(SteeredFrame, always_ready=True))
    details: Out(FrameDetails)  # of the frame on ``steered``
    insert_failed: Out(1)
    ready: Out(1)
    idle: Out(1)

    def __init__(self, config: NicConfig) -> None:
        self._entries = config.flow_entries
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.updater = updater = FlowUpdater()
        wiring.connect(m, wiring.flipped(self.flow), updater.operation)
        written = updater.write.payload
        m.d.comb += self.flow_code.eq(updater.code)

        sweep = Signal(range(self._entries + 1))
        m.d.comb += self.ready.eq(sweep == self._entries)
        with m.If(~self.ready):
            m.d.sync += sweep.eq(sweep + 1)

        # what enters the pipeline in this cycle
        entering = Signal(Lookup)
        m.d.comb += [
            updater.key.ready.eq(self.ready & ~self.frame.valid),
            entering.frame.eq(self.frame.payload),
            entering.is_frame.eq(self.frame.valid),
            entering.is_search.eq(updater.key.valid & updater.key.ready),
        ]
        with m.If(~self.frame.valid):
            m.d.comb += entering.frame.key.eq(updater.key.payload)

        # beside the hashes and the memories' read
        stages = [entering] + [Signal(Lookup, name=f"stage{i}") for i in range(flow_hash.LATENCY + 1)]
        for before, after in pairwise(stages):
            m.d.sync += after.eq(before)
        found = stages[-1]

        places = updater.found.payload
        matches, empty = Signal(FLOW_TABLES), Signal(FLOW_TABLES)
        m.d.comb += [
            updater.found.valid.eq(found.is_search),
            places.match.eq(matches),
            places.empty.eq(empty),
        ]
        first_hash = Signal(32)
        for i in range(FLOW_TABLES):
            m.submodules[f"hash{i}"] = hasher = flow_hash.FlowHash(i)
            m.submodules[f"table{i}"] = table = memory.Memory(shape=FlowEntry, depth=self._entries, init=[])
            read, write = table.read_port(), table.write_port()
            index = Signal(range(self._entries), name=f"index{i}")
            m.d.comb += [hasher.key.eq(entering.frame.key), read.addr.eq(hasher.o)]
            m.d.sync += index.eq(hasher.o)
            if i == 0:
                m.d.sync += first_hash.eq(hasher.o)
            m.d.comb += [
                places.index[i].eq(index),
                places.rule[i].eq(read.data.rule),
                matches[i].eq(read.data.valid & (read.data.rule.key == found.frame.key)),
                empty[i].eq(~read.data.valid),
                write.addr.eq(Mux(self.ready, written.place.index, sweep)),
                write.en.eq(~self.ready | (updater.write.valid & (written.place.table == i))),
            ]
            with m.If(self.ready):
                m.d.comb += [write.data.rule.eq(written.rule), write.data.valid.eq(written.valid)]

        # the decision
        has_rule, turn = Signal(), Signal(len(self.fallback.mask))
        steered = self.steered.payload
        m.d.comb += has_rule.eq(matches.any())
        m.d.sync += [
            self.steered.valid.eq(found.is_frame),
            steered.length.eq(found.frame.length),
            steered.end.eq(found.frame.end),
            steered.refusal.eq(found.frame.refusal),
            self.details.arrival.eq(found.frame.arrival),
            self.details.hash.eq(first_hash),
            steered.miss.eq(~has_rule & ~self.fallback.enable),
            steered.pipe.eq(Mux(self.fallback.round_robin, turn, first_hash) & self.fallback.mask),
        ]
        for i in reversed(range(FLOW_TABLES)):
            with m.If(matches[i]):
                m.d.sync += steered.pipe.eq(places.rule[i].pipe)
        with m.If(found.is_frame & ~has_rule & self.fallback.enable & self.fallback.round_robin):
            m.d.sync += turn.eq(turn + 1)

        m.d.comb += self.insert_failed.eq(self.flow.valid & self.flow.ready & (self.flow_code == ConfigCode.TABLE_FULL))
        is_busy = Cat(self.steered.valid, *(stage.is_frame | stage.is_search for stage in stages)).any()
        m.d.comb += self.idle.eq(self.ready & updater.idle & ~is_busy)
        return m
