"""The choices that the source design leaves open, each a named switch or parameter with its default.

Every system has all of them, where it makes sense, so that a difference between two systems is in their modules alone
and the effect of one choice can be measured by itself.
"""

from dataclasses import dataclass
from typing import Literal, get_args, get_origin, get_type_hints


@dataclass(frozen=True, kw_only=True)
class Switches:
    """Times are integer picoseconds.

    Attributes
    ----------
    message_queue
        Whose queue a message to the IOKernel goes through: that of the ``core`` or of the ``kthread``.
    messages_per_visit
        Messages that the IOKernel takes from a queue at a time, 1 or more.
    affinity
        Which active kthread a uthread's softIRQs go to: that of its ``last_delivery``; the one on the core whose queue
        last carried a message about it (``message_source``); or each in turn (``round_robin``).
    receive_budget, complete_budget
        Notifications, and completions, that the IOKernel takes in one iteration, 1 or more.
    softirq_budget
        SoftIRQs that one call of the handler takes, 1 or more.
    backend
        Where pipe registers are written: straight to the NIC (``hybrid``), or through the IOKernel (``software``).
    free_rx
        When the space of a packet may be written again: once it is sent (``completion``), or once it is handled
        (``processing``), for which the answer is copied into a TX pipe.
    send
        One request and message for all packets that lie in the pipe (``batch``), or for each ``packet``.
    doorbell
        The IOKernel writes the NIC's tail after each ``message``, or once per ``iteration``.
    completion
        In systems whose kthreads handle completions: one makes a waiting uthread run, to reap it (``readd``), or the
        kthread reaps it, under a lock on the device (``reap``).
    prefetch
        A uthread asks for the pipe's next notification before it handles the packets that it has.
    answer_wait
        A kthread waits for the answer to a switch message before it goes on.
    watchdog_ps
        After this long without a look at its softIRQ queue, a kthread looks there before its runqueue.
    parking
        A kthread that finds nothing gives its core up; if off, it searches on.
    park_rounds, park_ps
        It does so after at least so many rounds of the search, and so much time.
    scan_ps
        Time between the starts of two scans of all queues.
    congestion_ps
        Of the heap: longest that a runnable uthread waits before its runtime gets a core.
    overloaded
        Which overloaded runtime gets a core that became free: the ``oldest`` or the ``newest``.
    grants_per_iteration
        Of the heap: most runtimes that get a core in one iteration.
    held_limit
        SoftIRQs held for full queues beyond which the IOKernel takes no more notifications.
    """

    message_queue: Literal["core", "kthread"] = "core"
    messages_per_visit: int = 1
    affinity: Literal["last_delivery", "message_source", "round_robin"] = "last_delivery"
    receive_budget: int = 64
    complete_budget: int = 64
    softirq_budget: int = 16
    backend: Literal["hybrid", "software"] = "hybrid"
    free_rx: Literal["completion", "processing"] = "completion"
    send: Literal["batch", "packet"] = "batch"
    doorbell: Literal["message", "iteration"] = "message"
    completion: Literal["readd", "reap"] = "readd"
    prefetch: bool = False
    answer_wait: bool = True
    watchdog_ps: int = 50_000_000
    parking: bool = True
    park_rounds: int = 4
    park_ps: int = 2_000_000
    scan_ps: int = 5_000_000
    congestion_ps: int = 5_000_000
    overloaded: Literal["oldest", "newest"] = "oldest"
    grants_per_iteration: int = 1
    held_limit: int = 4096

    def __post_init__(self) -> None:
        for name, hint in get_type_hints(type(self)).items():
            value = getattr(self, name)
            if get_origin(hint) is Literal and value not in get_args(hint):
                raise ValueError(f"{name} is {value!r}; accepted are {' and '.join(get_args(hint))}")
            if hint is bool and type(value) is not bool:
                raise ValueError(f"{name} is {value!r}; accepted are on and off")
            if hint is int and (type(value) is not int or value < 1):
                raise ValueError(f"{name} is {value!r}; accepted is an integer of 1 or more")
