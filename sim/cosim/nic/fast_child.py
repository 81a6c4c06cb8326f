"""The process of a fast NIC: ``python -m cosim.nic.fast_child LIBRARY PARAMETERS...``."""

import os
import sys
from pathlib import Path

from cosim.nic.fast import FastNic
from cosim.nic.inside import carry_out


def main() -> None:
    """Do what the parent asks for. Nothing is waited for, so the coroutine goes through in one go."""
    library, *parameters = sys.argv[1:]
    coroutine = carry_out(FastNic(Path(library), tuple(map(int, parameters))))
    try:
        coroutine.send(None)
    except StopIteration:
        sys.stdout.flush()
        os._exit(0)  # millions of objects need not be freed one by one
    raise RuntimeError("the simulation waits for something that a fast NIC does not have")


if __name__ == "__main__":
    main()
