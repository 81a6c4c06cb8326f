"""The simulated machine around the NIC, and the experiments run on it."""

import os

# numpy computes alike on every machine of one instruction set; it looks at this once, when it is first imported
os.environ.setdefault("NPY_DISABLE_CPU_FEATURES", "X86_V3 X86_V4 AVX512_ICL AVX512_SPR")
