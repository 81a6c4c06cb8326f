"""The seeded bugs that the benches must notice."""

from tests.rtl.mutants_frames import FRAME_MUTANTS
from tests.rtl.mutants_guard import GUARD_MUTANTS
from tests.rtl.mutants_host import HOST_MUTANTS
from tests.rtl.mutants_nic import NIC_MUTANTS
from tests.rtl.mutants_pipes import PIPE_MUTANTS
from tests.rtl.mutants_requests import REQUEST_MUTANTS
from tests.rtl.mutants_steering import STEERING_MUTANTS

# those that take longest first, so that the last ones end together
MUTANTS = (
    *NIC_MUTANTS,
    *STEERING_MUTANTS,
    *PIPE_MUTANTS,
    *GUARD_MUTANTS,
    *HOST_MUTANTS,
    *REQUEST_MUTANTS,
    *FRAME_MUTANTS,
)
