"""The seeded bugs that the benches must notice."""

from tests.rtl.mutants_transmit import TRANSMIT_MUTANTS

MUTANTS = TRANSMIT_MUTANTS
