"""Seeded bugs between the paths of the NIC: each costs a verilation."""

from tests.rtl.mutant import WHOLE_NIC, Mutant

NIC_MUTANTS = (
    Mutant(
        "nic",
        "the NIC is quiescent with packets inside",
        "self.ready & receive.idle & transmit.idle",
        "self.ready & transmit.idle",
        WHOLE_NIC,
    ),
    Mutant(
        "nic",
        "wake_at does not tell the deadline",
        "self.wake_at.eq(transmit.deadline)",
        "self.wake_at.eq((1 << 64) - 1)",
        WHOLE_NIC,
    ),
    Mutant(
        "nic",
        "a reset by software cuts what is half way out",
        "self.restarts.eq(page.wants_reset & Cat(gate.closed for gate, _, _ in gates.values()).all())",
        "self.restarts.eq(page.wants_reset)",
        WHOLE_NIC,
    ),
    Mutant(
        "nic",
        "accesses behind a reset by software go before it",
        "mmio.is_open.eq(self.ready & ~page.wants_reset)",
        "mmio.is_open.eq(self.ready)",
        WHOLE_NIC,
    ),
)
