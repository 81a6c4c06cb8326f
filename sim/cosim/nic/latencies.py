"""How long the NIC takes, in cycles, as ``hermes calibrate`` measures it of the RTL and the fast NIC takes it."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from cosim.cache import RTL

MEASURED = Path(__file__).with_name("latencies.json")
"""What was measured last, and of which RTL."""


@dataclass(frozen=True, kw_only=True)
class Latencies:
    """Cycles between two edges on the NIC's ports, when nothing else happens and the host is always ready.

    Parameters
    ----------
    open
        From reset to the first register access that is taken, beyond one cycle per pipe.
    frame_to_write
        From the last beat of a frame to the first line of its pipe.
    head_to_notification
        From a write of a pipe's rx_head that leaves data there to the notification.
    register_read, extension_read, tx_register_read
        From a read of a pipe's register, of a word of the extension page, of a TX register, to its answer.
    tail_to_slot_read
        From a write of tx_tail to the read request of the slots.
    slot_to_data_read
        From the last line of the slots to the read request of the first one's data.
    data_to_frame, data_to_completion
        From the last line of a request's data to the first beat of its frame of one flit, and to its completion.
    flow_insert
        From the slot of config request 1 to its completion, if no other rule has to move.
    """

    open: int
    frame_to_write: int
    head_to_notification: int
    register_read: int
    extension_read: int
    tx_register_read: int
    tail_to_slot_read: int
    slot_to_data_read: int
    data_to_frame: int
    data_to_completion: int
    flow_insert: int

    def words(self) -> tuple[int, ...]:
        """The fields in order, as the C++ side takes them (parameters.hpp)."""
        return tuple(asdict(self).values())


def measured() -> Latencies:
    """The latencies that were measured last."""
    return Latencies(**json.loads(MEASURED.read_text())["cycles"])


def is_outdated() -> bool:
    """Whether they are those of another RTL than this one."""
    return bool(json.loads(MEASURED.read_text())["rtl"] != RTL)


def write_measured(latencies: Latencies) -> None:
    """From now on these are the latencies of this RTL."""
    MEASURED.write_text(json.dumps({"rtl": RTL, "cycles": asdict(latencies)}, indent=2) + "\n")
