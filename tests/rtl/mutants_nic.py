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
        "frames are admitted before the tables are clear",
        "receive.is_open.eq(self.ready)",
        "receive.is_open.eq(1)",
        WHOLE_NIC,
    ),
    Mutant(
        "nic",
        "host.reset does not reset",
        "ResetInserter(self.host.reset)(core)",
        "core",
        WHOLE_NIC,
    ),
)
