"""What an application is to whoever runs it: a packet in place, or an answer written elsewhere."""

from typing import Protocol, runtime_checkable

from hermes.world import Memory


@runtime_checkable
class InPlace(Protocol):
    """Turns each packet into its answer where it lies, of the same length."""

    def handle(self, memory: Memory, position: int, length: int) -> int:
        """Turn the request at ``memory.bytes[position : position + length]`` into its answer.

        The application's compute time in picoseconds, besides finding and reading the packet.
        """


class Answering(Protocol):
    """Writes an answer of its own for each packet, which it leaves as it is.

    Attributes
    ----------
    longest_answer
        Bytes that an answer has at most.
    """

    longest_answer: int

    def answer(self, memory: Memory, position: int, length: int, out_position: int, room: int) -> tuple[int, int]:
        """Write the answer to the request at ``memory.bytes[position : position + length]`` at ``out_position``.

        ``room`` is the bytes that there are for it. The length of the answer, 0 if there is none, and the compute time
        in picoseconds.
        """


Application = InPlace | Answering


class Copied:
    """What works in place, on a copy of the packet.

    Attributes
    ----------
    longest_answer
        Bytes of the longest packet that can come.
    """

    def __init__(self, application: InPlace, longest_packet: int) -> None:
        self.longest_answer = longest_packet
        self._application = application

    def answer(self, memory: Memory, position: int, length: int, out_position: int, room: int) -> tuple[int, int]:
        """See ``Answering``; who calls charges for the copy."""
        if length > room:
            raise ValueError(f"a packet of {length} bytes, to be answered in {room}; accepted are at least as many")
        memory.bytes[out_position : out_position + length] = memory.bytes[position : position + length]
        return length, self._application.handle(memory, out_position, length)
