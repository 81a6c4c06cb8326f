"""What a workload must be."""

from typing import Any

import pytest

from hermes.apps.echo import Echo
from hermes.enso.control import FlowKey
from hermes.switches import Switches
from hermes.systems import Workload


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"uthreads": 0}, "uthreads is 0; accepted are 1 and more"),
        ({"applications": 0}, "applications is 0; accepted are 1 to 8, one per uthread"),
        ({"applications": 4, "uthreads": 3}, "applications is 4; accepted are 1 to 3, one per uthread"),
        ({"guaranteed": -1}, "guaranteed is -1; accepted are 0 and more"),
        ({"flows": [(FlowKey(1, 0, 2, 0), 8)]}, r"flow \(1, 0, 2, 0\) goes to uthread 8; accepted are 0 to 7"),
        ({"flows": [(FlowKey(1, 0, 2, 0), -1)]}, r"flow \(1, 0, 2, 0\) goes to uthread -1; accepted are 0 to 7"),
        ({"header_pipes": {8}}, "header_pipes has pipe 8; accepted are 0 to 7"),
    ],
)
def test_a_workload_that_cannot_work_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        Workload(application=Echo, **options)


def test_what_nobody_says_is_the_designs_default() -> None:
    workload = Workload(application=Echo)
    assert (workload.uthreads, workload.applications, workload.guaranteed, workload.batch) == (8, 1, None, False)
    assert workload.switches == Switches()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"affinity": "random"}, "affinity is 'random'; accepted are last_delivery and message_source and round_robin"),
        ({"prefetch": 1}, "prefetch is 1; accepted are on and off"),
        ({"messages_per_visit": 0}, "messages_per_visit is 0; accepted is an integer of 1 or more"),
        ({"park_ps": True}, "park_ps is True; accepted is an integer of 1 or more"),
    ],
)
def test_a_switch_that_has_no_such_position_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        Switches(**options)
