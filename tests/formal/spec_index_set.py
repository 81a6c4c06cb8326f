"""The index set: what comes leaves, and nothing else."""

from amaranth.hdl import Signal

from enso_nic.index_set import IndexSet
from tests.formal.specification import Specification
from tests.formal.stream_rules import obey, promise_rest, promise_rules


def index_set() -> Specification:
    dut = IndexSet(2)
    spec = Specification("index_set", dut, "2 indices")
    obey(spec)
    spec.lemmas_of_queues()
    promise_rules(spec)
    marked = spec.constant(1, "marked")
    owed = Signal(2)  # how often the marked index must still leave
    comes = dut.i.valid & dut.i.ready & (dut.i.payload == marked)
    leaves = dut.o.valid & dut.o.ready & (dut.o.payload == marked)
    spec.m.d.sync += owed.eq(owed + (comes & dut.is_new) - leaves)
    shown = dut.o.valid & (dut.o.payload == marked)
    spec.promise("an index leaves only if it came", when=shown, then=owed != 0)
    spec.promise("an index that comes again before it left counts once", then=owed <= 1 + shown)
    spec.promise("an index that came and did not leave keeps the set busy", when=dut.idle, then=owed == 0)
    spec.promise("an index that comes is a member from then on", when=spec.before(comes), then=owed != 0)
    promise_rest(spec, dut.idle)
    return spec
