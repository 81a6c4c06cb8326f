"""The seeded bugs that the benches must notice: those that cost most first."""

from tests.rtl.mutants_nic import NIC_MUTANTS
from tests.rtl.mutants_receive import RECEIVE_MUTANTS
from tests.rtl.mutants_transmit import TRANSMIT_MUTANTS

MUTANTS = (*NIC_MUTANTS, *TRANSMIT_MUTANTS, *RECEIVE_MUTANTS)
