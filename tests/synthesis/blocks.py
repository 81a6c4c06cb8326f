"""The blocks of the NIC that are synthesised, by name; BLOCKS are those of the full NIC."""

from collections.abc import Callable

from amaranth.lib import wiring

from enso_nic.config import FULL, NicConfig
from enso_nic.configurator import Configurator
from enso_nic.dma_guard import DmaGuard
from enso_nic.dma_writer import DmaWriter
from enso_nic.extension_page import ExtensionPage
from enso_nic.flow_director import FlowDirector
from enso_nic.host_write_arbiter import HostWriteArbiter
from enso_nic.layouts import HostWrite
from enso_nic.mmio import MmioDecoder
from enso_nic.notifier import Notifier
from enso_nic.operation_queue import OperationQueue
from enso_nic.ordered_reader import OrderedReader
from enso_nic.output_gate import OutputGate
from enso_nic.owed_notifications import OwedNotifications
from enso_nic.packet_buffer import PacketBuffer
from enso_nic.packetiser import Packetiser
from enso_nic.pipe_manager import PipeManager
from enso_nic.rx_parser import RxParser
from enso_nic.transmit import FIRST_REQUEST_TAG
from enso_nic.tx_frame_buffer import TxFrameBuffer
from enso_nic.tx_request_fetch import TxRequestFetch
from enso_nic.tx_requests import TxRequests


def blocks(config: NicConfig) -> dict[str, Callable[[], wiring.Component]]:
    """All that a NIC of these sizes is made of."""
    timeout = config.read_timeout_cycles
    return {
        "rx_parser": lambda: RxParser(config),
        "packet_buffer": lambda: PacketBuffer(config),
        "flow_director": lambda: FlowDirector(config),
        "operation_queue": lambda: OperationQueue(config),
        "pipe_manager": lambda: PipeManager(config),
        "notifier": lambda: Notifier(config),
        "owed_notifications": lambda: OwedNotifications(config),
        "dma_writer": DmaWriter,
        "host_write_arbiter": HostWriteArbiter,
        "output_gate": lambda: OutputGate(HostWrite),
        "mmio": MmioDecoder,
        "dma_guard": lambda: DmaGuard(config),
        "extension_page": lambda: ExtensionPage(config),
        "configurator": Configurator,
        "tx_request_fetch": lambda: TxRequestFetch(config),
        "slot_reader": lambda: OrderedReader(config.request_tags, FIRST_REQUEST_TAG, timeout),
        "data_reader": lambda: OrderedReader(config.data_tags, 0, timeout),
        "tx_requests": lambda: TxRequests(config),
        "packetiser": lambda: Packetiser(config),
        "tx_frame_buffer": lambda: TxFrameBuffer(config),
    }


BLOCKS = blocks(FULL)
