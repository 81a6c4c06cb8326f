"""All specifications, by name."""

from collections.abc import Callable

from tests.formal.spec_dma_guard import dma_guard
from tests.formal.spec_dma_writer import dma_writer
from tests.formal.spec_extension_page import extension_page
from tests.formal.spec_host_write_arbiter import host_write_arbiter
from tests.formal.spec_index_set import index_set
from tests.formal.spec_mmio import mmio
from tests.formal.spec_notifier import notifier
from tests.formal.spec_operation_queue import operation_queue
from tests.formal.spec_ordered_reader import ordered_reader
from tests.formal.spec_output_gate import output_gate
from tests.formal.spec_owed_notifications import owed_notifications
from tests.formal.spec_packet_buffer import packet_buffer
from tests.formal.spec_packetiser import packetiser
from tests.formal.spec_pipe_manager import pipe_manager, wake_up
from tests.formal.spec_rx_chain import rx_chain
from tests.formal.spec_rx_parser import rx_parser
from tests.formal.spec_streams import OTHERS
from tests.formal.spec_tx_chain import tx_chain
from tests.formal.spec_tx_frame_buffer import tx_frame_buffer
from tests.formal.spec_tx_request_fetch import tx_request_fetch
from tests.formal.spec_tx_requests import tx_requests
from tests.formal.spec_write_planner import write_planner
from tests.formal.specification import Specification

SPECIFICATIONS: dict[str, Callable[[], Specification]] = {
    "rx_parser": rx_parser,
    "packet_buffer": packet_buffer,
    "pipe_manager": pipe_manager,
    "wake_up": wake_up,
    "operation_queue": operation_queue,
    "index_set": index_set,
    "notifier": notifier,
    "owed_notifications": owed_notifications,
    "write_planner": write_planner,
    "dma_writer": dma_writer,
    "host_write_arbiter": host_write_arbiter,
    "output_gate": output_gate,
    "mmio": mmio,
    "extension_page": extension_page,
    "dma_guard": dma_guard,
    "tx_request_fetch": tx_request_fetch,
    "ordered_reader": ordered_reader,
    "tx_requests": tx_requests,
    "packetiser": packetiser,
    "tx_frame_buffer": tx_frame_buffer,
    "rx_chain": rx_chain,
    "tx_chain": tx_chain,
    **OTHERS,
}
