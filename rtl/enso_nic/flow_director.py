"""Which pipe a frame goes to: exact-match flow rules, else the fallback pipes; and the requests that set them."""

from itertools import pairwise

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from enso_nic import flow_hash
from enso_nic.config import NicConfig
from enso_nic.layouts import (
    AdmittedFrame,
    ConfigFallback,
    ConfigFlow,
    ConfigRequest,
    Fallback,
    FlowRule,
    SteeredFrame,
)

SUB_TABLES = 4
CONFIG_FLOW, CONFIG_FALLBACK = 1, 4


class FlowEntry(data.Struct):
    """One place of a sub-table."""

    rule: FlowRule
    valid: 1


class Lookup(data.Struct):
    """What travels through the pipeline beside the hash: a frame, or the rule that is to be inserted."""

    frame: AdmittedFrame
    is_frame: 1
    is_insert: 1


class FlowDirector(wiring.Component):
    """Looks each frame up in four sub-tables, each indexed by its own hash of the key; the first that matches wins.

    A config request 1 inserts or overwrites a rule: in the place that has its key, else in the first empty one of its
    four places; ``insert_failed`` pulses if there is none. Request 4 sets the fallback. Other requests have no effect.

    Guarantees: frames leave in the order in which they came; a config request is accepted when every later frame will
    see its effect. Inserts travel through the same pipeline as frames, in its gaps.
    Latency: 6 cycles. A frame each cycle. It cannot stall: what follows must have room for each admitted frame.
    After reset it clears its tables, and takes no config request before ``ready``.
    """

    frame: In(stream.Signature(AdmittedFrame, always_ready=True))
    config: In(stream.Signature(ConfigRequest))
    steered: Out(stream.Signature(SteeredFrame, always_ready=True))
    insert_failed: Out(1)
    ready: Out(1)
    idle: Out(1)

    def __init__(self, config: NicConfig) -> None:
        self._entries = config.flow_entries
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config_flow = data.View(ConfigFlow, self.config.payload.body)
        config_fallback = data.View(ConfigFallback, self.config.payload.body)
        fallback = Signal(Fallback)

        sweep = Signal(range(self._entries + 1))
        m.d.comb += self.ready.eq(sweep == self._entries)
        with m.If(~self.ready):
            m.d.sync += sweep.eq(sweep + 1)

        # what enters the pipeline in this cycle
        insert_sent, insert_done = Signal(), Signal()
        is_flow = self.config.payload.id == CONFIG_FLOW
        wants_insert = self.config.valid & self.ready & is_flow & ~insert_sent & ~self.frame.valid
        entering = Signal(Lookup)
        m.d.comb += [
            entering.frame.eq(self.frame.payload),
            entering.is_frame.eq(self.frame.valid),
            entering.is_insert.eq(wants_insert),
        ]
        with m.If(~self.frame.valid):
            m.d.comb += entering.frame.key.eq(self.config.payload.body[: len(entering.frame.key.as_value())])

        # beside the hashes and the memories' read
        stages = [entering] + [Signal(Lookup, name=f"stage{i}") for i in range(flow_hash.LATENCY + 1)]
        for before, after in pairwise(stages):
            m.d.sync += after.eq(before)
        found = stages[-1]

        write_index, first_hash = [], Signal(32)
        entries: list[data.View[FlowEntry]] = []
        inserted = Signal(FlowEntry)
        place = Signal(SUB_TABLES)  # the sub-table that takes the rule, one-hot
        for i in range(SUB_TABLES):
            m.submodules[f"hash{i}"] = hasher = flow_hash.FlowHash(i)
            m.submodules[f"table{i}"] = table = memory.Memory(shape=FlowEntry, depth=self._entries, init=[])
            read, write = table.read_port(), table.write_port()
            index = Signal(range(self._entries), name=f"index{i}")
            m.d.comb += [hasher.key.eq(entering.frame.key), read.addr.eq(hasher.o)]
            m.d.sync += index.eq(hasher.o)
            write_index.append(index)
            entries.append(read.data)
            if i == 0:
                m.d.sync += first_hash.eq(hasher.o)
            m.d.comb += [
                write.addr.eq(Mux(self.ready, index, sweep)),
                write.data.eq(inserted),
                write.en.eq(~self.ready | (found.is_insert & place[i])),
            ]

        # the decision
        matches = Cat(entry.valid & (entry.rule.key == found.frame.key) for entry in entries)
        empty = Cat(~entry.valid for entry in entries)
        candidates = Signal(SUB_TABLES)
        m.d.comb += [
            candidates.eq(Mux(matches.any(), matches, empty)),
            place.eq(candidates & -candidates),
            insert_done.eq(found.is_insert),
        ]
        with m.If(self.ready):
            m.d.comb += [
                inserted.rule.key.eq(found.frame.key),
                inserted.rule.pipe.eq(config_flow.pipe),
                inserted.valid.eq(1),
            ]

        steered = self.steered.payload
        m.d.sync += [
            self.steered.valid.eq(found.is_frame),
            steered.flits.eq(found.frame.flits),
            steered.miss.eq(~matches.any() & ~fallback.enable),
            self.insert_failed.eq(insert_done & ~candidates.any()),
        ]
        with m.If(matches.any()):
            for i in reversed(range(SUB_TABLES)):
                with m.If(matches[i]):
                    m.d.sync += steered.pipe.eq(entries[i].rule.pipe)
        with m.Else():
            m.d.sync += steered.pipe.eq(first_hash & fallback.mask)

        # config requests
        m.d.sync += insert_sent.eq((insert_sent | wants_insert) & ~insert_done)
        m.d.comb += self.config.ready.eq(Mux(is_flow, insert_done, self.ready))
        with m.If(self.config.valid & self.config.ready & (self.config.payload.id == CONFIG_FALLBACK)):
            m.d.sync += [
                fallback.mask.eq(config_fallback.mask),
                fallback.enable.eq(config_fallback.pipes != 0),
            ]

        busy = Cat(self.steered.valid, *(stage.is_frame | stage.is_insert for stage in stages))
        m.d.comb += self.idle.eq(self.ready & ~self.config.valid & (busy == Const(0)))
        return m
