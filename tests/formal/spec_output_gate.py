"""The output gates: a reset by software cuts nothing in half."""

from amaranth.hdl import Mux, Signal

from enso_nic.layouts import HostWrite
from enso_nic.output_gate import OutputGate
from tests.formal.specification import Specification
from tests.formal.stream_rules import obey, promise_rules


def output_gate() -> Specification:
    dut = OutputGate(HostWrite)
    spec = Specification("output_gate", dut)
    obey(spec)
    promise_rules(spec)
    begun = Signal()  # an item has left in part
    with spec.m.If(dut.o.valid & dut.o.ready):
        spec.m.d.sync += begun.eq(~dut.o.payload.last)
    spec.promise("closed, it shows nothing", when=dut.closed, then=~dut.o.valid)
    spec.promise("closed, nothing is half way out", when=dut.closed, then=~begun)
    leaves = dut.o.valid & dut.o.ready
    spec.promise(
        "what leaves is what comes, at once",
        when=leaves | (dut.i.valid & dut.i.ready),
        then=(leaves == (dut.i.valid & dut.i.ready)) & (dut.o.payload == dut.i.payload),
    )
    asked = Signal(2)  # cycles for which the gate has been asked to close, with nothing shown or begun
    spec.m.d.sync += asked.eq(Mux(dut.close & ~dut.o.valid & ~begun, Mux(asked == 3, 3, asked + 1), 0))
    spec.promise("it closes in the next cycle if nothing is shown or half way out", when=asked != 0, then=dut.closed)
    return spec
