"""Changes of the flow table: where a rule goes, and which others make way for it."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from enso_nic.layouts import (
    FLOW_TABLES,
    ConfigCode,
    FlowKey,
    FlowOperation,
    FlowOperationKind,
    FlowPlace,
    FlowPlaces,
    FlowRule,
    FlowWrite,
)

CANDIDATES = 64
"""Rules, the new one included, that an insert considers before it gives up: a chain of at most 4 moves, and with 90 %
of the places taken it fails once in 10^8."""


class Candidate(data.Struct):
    """A rule that may move to another of its places, so that the one which needs its place can have it."""

    rule: FlowRule
    place: FlowPlace  # where it stands; candidate 0, the new rule, stands nowhere
    parent: range(CANDIDATES)  # the candidate that needs this place


class FlowUpdater(wiring.Component):
    """Inserts, deletes and looks for flow rules, one operation at a time.

    An insert overwrites the rule with the same key. Else it takes the first empty one of its four places. If there is
    none, the rules in them are candidates to move, then the rules in the other places of those, breadth first, until
    one has an empty place. From there the chain moves back to front: each rule is written to its new place before its
    old place is overwritten, in a later cycle, so a lookup in between meets it in one or both. An insert that
    considered CANDIDATES rules in vain ends with TABLE_FULL, and changed nothing.

    Guarantees: an operation is accepted when all its writes are done, with its code on ``code`` in that cycle. A
    ``key`` is answered by one ``found``, which sees every earlier ``write``.
    Latency, without waits for ``key``: 11 cycles for an operation that moves nothing, at most 840.
    Back-pressure: operations wait; ``key`` waits as long as it must.
    """

    operation: In(stream.Signature(FlowOperation))
    code: Out(ConfigCode)
    key: Out(stream.Signature(FlowKey))
    found: In(stream.Signature(FlowPlaces, always_ready=True))
    write: Out(stream.Signature(FlowWrite, always_ready=True))
    idle: Out(1)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.candidates = candidates = memory.Memory(shape=Candidate, depth=CANDIDATES, init=[])
        read, append = candidates.read_port(), candidates.write_port()
        operation = self.operation.payload
        count = Signal(range(CANDIDATES + 1))
        number = Signal(range(CANDIDATES))
        candidate = read.data  # the one of this number, a cycle after the number
        m.d.comb += [read.addr.eq(number), append.addr.eq(count)]
        is_new_rule = Signal()
        m.d.comb += is_new_rule.eq(number == 0)

        # what was found of it
        places, table = Signal(FlowPlaces), Signal(range(FLOW_TABLES))
        usable = Signal(FLOW_TABLES)
        chosen, target = Signal(FlowPlace), Signal(FlowPlace)
        m.d.comb += usable.eq(Mux(is_new_rule & places.match.any(), places.match, places.empty))
        for i in reversed(range(FLOW_TABLES)):
            with m.If(usable[i]):
                m.d.comb += [chosen.table.eq(i), chosen.index.eq(places.index[i])]

        m.d.comb += [
            self.key.payload.eq(candidate.rule.key),
            self.write.payload.rule.eq(candidate.rule),
            self.write.payload.place.eq(target),
            append.data.rule.eq(places.rule[table]),
            append.data.place.table.eq(table),
            append.data.place.index.eq(places.index[table]),
            append.data.parent.eq(number),
        ]

        with m.FSM():
            with m.State("idle"):
                m.d.comb += [
                    self.idle.eq(~self.operation.valid),
                    append.addr.eq(0),
                    append.data.rule.eq(operation.rule),
                    append.en.eq(self.operation.valid),
                ]
                m.d.sync += [number.eq(0), count.eq(1), table.eq(0), self.code.eq(ConfigCode.OK)]
                with m.If(self.operation.valid):
                    m.next = "read candidate"
            with m.State("read candidate"):
                m.next = "ask"
            with m.State("ask"):
                m.d.comb += self.key.valid.eq(1)
                with m.If(self.key.ready):
                    m.next = "wait"
            with m.State("wait"):
                m.d.sync += places.eq(self.found.payload)
                with m.If(self.found.valid):
                    m.next = "decide"
            with m.State("decide"):
                m.d.sync += target.eq(chosen)
                with m.If(operation.kind == FlowOperationKind.INSERT):
                    with m.If(usable.any()):
                        m.next = "write"
                    with m.Else():
                        m.next = "append"
                with m.Elif(~places.match.any()):
                    m.d.sync += self.code.eq(ConfigCode.NOT_FOUND)
                    m.next = "end"
                with m.Elif(operation.kind == FlowOperationKind.DELETE):
                    m.next = "clear"
                with m.Else():
                    m.next = "end"

            # the rules that stand in the way, but for the candidate itself
            with m.State("append"):
                is_wanted = Signal()
                m.d.comb += [
                    is_wanted.eq(~places.match.bit_select(table, 1) & (count != CANDIDATES)),
                    append.en.eq(is_wanted),
                ]
                m.d.sync += [count.eq(count + is_wanted), table.eq(table + 1)]
                with m.If(table == FLOW_TABLES - 1):
                    m.next = "next candidate"
            with m.State("next candidate"):
                m.d.sync += number.eq(number + 1)
                m.next = "read candidate"
                with m.If(number + 1 == count):
                    m.d.sync += self.code.eq(ConfigCode.TABLE_FULL)
                    m.next = "end"

            # the candidate goes to the target, and its old place to the one that needs it
            with m.State("write"):
                m.d.comb += [self.write.valid.eq(1), self.write.payload.valid.eq(1)]
                m.d.sync += [target.eq(candidate.place), number.eq(candidate.parent)]
                m.next = "read parent"
                with m.If(is_new_rule):
                    m.next = "end"
            with m.State("read parent"):
                m.next = "write"
            with m.State("clear"):
                m.d.comb += self.write.valid.eq(1)
                m.next = "end"
            with m.State("end"):
                m.d.comb += self.operation.ready.eq(1)
                m.next = "idle"
        return m
