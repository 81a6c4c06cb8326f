"""Seeded bugs of the DMA guard."""

from tests.rtl.mutant import WHOLE_NIC, Mutant

GUARD_MUTANTS = (
    Mutant("dma_guard", "a ring may begin before its window", "(first >= window.first) &", "1 &"),
    Mutant("dma_guard", "a ring may end behind its window", "(first + lines <= window.end)", "(first <= window.end)"),
    Mutant("dma_guard", "a pipe may name any buffer", "(address[:10] == owner.data) &", "1 &"),
    Mutant("dma_guard", "buffers that do not exist own pipes", "& (owner.data < self._buffers)", ""),
    Mutant("dma_guard", "the upper half alone is not judged", "& names_ring & high)", "& names_ring & high & low)"),
    Mutant("dma_guard", "a refused ring keeps its lower half", "passed.enables.eq(0xFF)", "passed.enables.eq(0xF0)"),
    Mutant("dma_guard", "rings cannot be disabled", "(address != 0) & ~(is_owned", "~(is_owned"),
    Mutant("dma_guard", "config requests need no leave", "~slot_window.may_configure", "0"),
    Mutant("dma_guard", "a slot that could not be read is judged", "& ~slot.error", ""),
    Mutant("dma_guard", "a shown slot is judged anew", "Mux(was_shown, was_free, ~self.settings.guard)",
           "~self.settings.guard"),
    Mutant("dma_guard", "the ends of windows keep what they held", "port.en.eq(~self.ready | enable)",
           "port.en.eq(enable)", bench="tests/rtl/test_nic.py::test_memories_may_hold_anything_before_reset"),
    Mutant("tx_requests", "a forbidden config request takes effect", "~slot.error & ~self.forbidden &", "~slot.error &",
           bench=WHOLE_NIC),
    Mutant("tx_requests", "forbidden data is sent", "with m.Elif(self.forbidden):", "with m.Elif(0):", bench=WHOLE_NIC),
)  # fmt: skip
