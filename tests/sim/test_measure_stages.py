"""Stages of requests, from the rows that software wrote."""

import random

import numpy as np
import pytest
from numpy.typing import NDArray

from cosim.measure.errors import StageError
from cosim.measure.stages import STAGES, TIMES, Stages, Stamped, stage_ns, stages
from hermes.stamps import FORWARDED, TAKEN, VISIBLE

PIPE_FLITS = 64
Row = list[int]


def times(*values: int) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64)


def stamped(notifications: list[Row], packets: list[Row], sends: list[Row]) -> Stamped:
    kinds = ((notifications, 7), (packets, 4), (sends, 4))
    return Stamped(*(np.array(rows, dtype=np.int64).reshape(len(rows), columns) for rows, columns in kinds))


def found(
    notifications: list[Row], packets: list[Row], sends: list[Row], arrivals: list[int], answers: list[int]
) -> Stages:
    rows = stamped(notifications, packets, sends)
    return stages(times(*arrivals), times(*answers), times(*[0] * len(arrivals)), rows, PIPE_FLITS)


def test_a_request_has_a_time_for_everything_and_its_stages_add_up() -> None:
    one = found([[0, 1, 12, 13, 15, 18, 22]], [[0, 1, 27, 33]], [[0, 1, 40, 48]], [10], [57])
    assert one.requests.tolist() == [0]
    assert one.times_ps[:, 0].tolist() == [10, 12, 13, 15, 18, 22, 27, 33, 40, 48, 57]
    assert dict(zip(STAGES, one.durations_ps[:, 0].tolist(), strict=True)) == {
        "nic_rx": 2,
        "iokernel_wait": 1,
        "iokernel": 2,
        "softirq_wait": 3,
        "runqueue_wait": 4,
        "batch_wait": 5,
        "service": 6,
        "send_wait": 7,
        "message_wait": 8,
        "nic_tx": 9,
    }


def test_a_notification_that_needed_no_softirq_made_its_uthread_runnable_at_once() -> None:
    one = found([[0, 1, 12, 13, 15, -1, 22]], [[0, 1, 27, 33]], [[0, 1, 40, 48]], [10], [57])
    durations = dict(zip(STAGES, one.durations_ps[:, 0].tolist(), strict=True))
    assert (durations["softirq_wait"], durations["runqueue_wait"]) == (0, 7)


def test_one_notification_and_one_send_may_stand_for_many_packets() -> None:
    both = found([[0, 3, 5, 6, 7, 8, 9]], [[0, 1, 10, 11], [0, 3, 11, 12]], [[0, 3, 20, 21]], [1, 2], [30, 31])
    assert both.times_ps[5].tolist() == [9, 9]
    assert both.times_ps[6].tolist() == [10, 11]
    assert both.times_ps[9].tolist() == [21, 21]


def test_a_notification_that_tells_nothing_new_changes_nothing() -> None:
    rows: list[Row] = [[0, 1, 5, 6, 7, 8, 9], [0, 1, 6, 7, 8, 9, 10], [0, 2, 15, 16, 17, 18, 19]]
    both = found(rows, [[0, 1, 10, 11], [0, 2, 21, 22]], [[0, 1, 20, 21], [0, 2, 30, 31]], [1, 12], [30, 40])
    assert both.times_ps[1].tolist() == [5, 15]


def test_a_tail_that_is_older_than_known_changes_nothing() -> None:
    """The row of a notification that the NIC wrote first may come second."""
    rows: list[Row] = [[0, 2, 15, 16, 17, 18, 19], [0, 1, 5, 16, 17, 18, 20], [0, 3, 50, 51, 52, 53, 54]]
    packets = [[0, 1, 20, 21], [0, 2, 21, 22], [0, 3, 60, 61]]
    all_three = found(rows, packets, [[0, 2, 30, 31], [0, 3, 70, 71]], [1, 12, 49], [40, 41, 80])
    assert all_three.times_ps[1].tolist() == [15, 15, 50]


def test_a_notification_that_overtakes_another_tells_what_that_would_have_told() -> None:
    rows: list[Row] = [[0, 1, 5, 6, 7, 8, 90], [0, 2, 15, 16, 17, 18, 19]]
    both = found(rows, [[0, 1, 20, 21], [0, 2, 21, 22]], [[0, 2, 30, 31]], [1, 12], [40, 41])
    assert both.times_ps[1:6].T.tolist() == [[15, 16, 17, 18, 19]] * 2
    assert both.wasted_notifications == 1
    rows[0][-1] = 9
    in_order = found(rows, [[0, 1, 20, 21], [0, 2, 21, 22]], [[0, 2, 30, 31]], [1, 12], [40, 41])
    assert in_order.wasted_notifications == 0
    rows[0][-1] = 19
    at_once = found(rows, [[0, 1, 20, 21], [0, 2, 21, 22]], [[0, 2, 30, 31]], [1, 12], [40, 41])
    assert at_once.wasted_notifications == 1


def test_notifications_of_different_pipes_do_not_make_each_other_vain() -> None:
    rows: list[Row] = [[0, 1, 5, 6, 7, 8, 20], [1, 1, 6, 7, 8, 9, 10], [3, 1, 7, 8, 9, 10, 10]]
    packets = [[0, 1, 21, 22], [1, 1, 11, 12], [3, 1, 12, 13]]
    sends = [[0, 1, 30, 31], [1, 1, 15, 16], [3, 1, 15, 17]]
    three = stages(times(1, 2, 3), times(40, 41, 42), times(0, 1, 3), stamped(rows, packets, sends), PIPE_FLITS)
    assert three.wasted_notifications == 0


def test_a_send_that_overtakes_another_carries_its_packets() -> None:
    both = found(
        [[0, 2, 5, 6, 7, 8, 9]], [[0, 1, 10, 11], [0, 2, 12, 13]], [[0, 1, 14, 90], [0, 2, 16, 20]], [1, 2], [40, 41]
    )
    assert both.times_ps[8:10].T.tolist() == [[14, 20], [16, 20]]


def test_a_notification_that_was_never_taken_told_nothing() -> None:
    rows: list[Row] = [[0, 1, 5, 6, 7, -1, -1], [0, 2, 15, 16, 17, 18, 19]]
    both = found(rows, [[0, 1, 20, 21], [0, 2, 21, 22]], [[0, 2, 30, 31]], [1, 12], [40, 41])
    assert both.times_ps[1].tolist() == [15, 15]


def test_tails_and_ends_wrap_at_the_pipe_s_size() -> None:
    """Each of 10 packets takes 63 of 64 flits, the most that a ring holds."""
    numbers = range(10)
    ends = [63 * (number + 1) % PIPE_FLITS for number in numbers]
    every = found(
        [[0, ends[i], *(100 * i + j for j in range(1, 6))] for i in numbers],
        [[0, ends[i], 100 * i + 6, 100 * i + 7] for i in numbers],
        [[0, ends[i], 100 * i + 8, 100 * i + 9] for i in numbers],
        [100 * i for i in numbers],
        [100 * i + 10 for i in numbers],
    )
    assert (every.durations_ps == 1).all()


def test_without_completed_requests_there_are_no_stages() -> None:
    assert found([], [], [], [1, 2], [-1, -1]).times_ps.shape == (11, 0)
    assert found([], [], [], [], []).durations_ps.shape == (10, 0)


WHOLE = ([[0, 1, 12, 13, 15, 18, 22]], [[0, 1, 27, 33]], [[0, 1, 40, 48]])


@pytest.mark.parametrize(("missing", "what"), [(0, "notification"), (1, "packet"), (2, "send")])
def test_a_missing_row_is_an_error_that_names_request_and_pipe(missing: int, what: str) -> None:
    notifications, packets, sends = ([] if index == missing else rows for index, rows in enumerate(WHOLE))
    with pytest.raises(StageError, match=f"request 1: pipe 0 has no {what} for it, nor for 0 others"):
        found(notifications, packets, sends, [5, 10], [-1, 57])


@pytest.mark.parametrize("time", range(1, len(TIMES)))
def test_a_negative_stage_is_an_error_that_names_request_stage_and_times(time: int) -> None:
    values = [10 * (index + 1) for index in range(len(TIMES))]
    values[time] = values[time - 1] - 3
    notification, packet, send = [0, 1, *values[1:6]], [0, 1, *values[6:8]], [0, 1, *values[8:10]]
    told = ", ".join(f"{name} {value}" for name, value in zip(TIMES, values, strict=True))
    with pytest.raises(
        StageError, match=f"^request 1: stage {STAGES[time - 1]} takes -3 ps; its times in ps are {told}$"
    ):
        found([notification], [packet], [send], [5, values[0]], [-1, values[-1]])


def test_rows_of_another_shape_are_refused() -> None:
    nothing = np.zeros((0, 4), dtype=np.int64)
    with pytest.raises(ValueError, match=r"accepted are 7, 4, 4"):
        Stamped(nothing, nothing, nothing)


def test_mean_and_percentiles_are_of_the_measured_requests() -> None:
    count = 300
    at = np.zeros((len(TIMES), count), dtype=np.int64)
    at[1:] = np.arange(count) * 1000
    result = stage_ns(Stages(np.arange(count), at), np.arange(count + 5) >= 100)
    assert result["nic_rx"] == {"mean": 199.5, "p50": 199.0, "p99": None}
    assert result["nic_tx"] == {"mean": 0.0, "p50": 0.0, "p99": None}
    assert stage_ns(Stages(np.arange(count), at), np.zeros(count, dtype=np.bool_))["service"] == {
        "mean": None,
        "p50": None,
        "p99": None,
    }


# --- against a history told forwards, in which flits are counted from 0 and never wrap ------------------------------


class History:
    """What one pipe went through: rows, and of each request its times, where the answer is -1 if there is none."""

    def __init__(self, draw: random.Random, pipe: int) -> None:
        self.requests: list[Row] = []
        self.rows: tuple[list[Row], list[Row], list[Row]] = ([], [], [])
        notifications, packets, sends = self.rows
        ends: list[int] = []
        clock = draw.randrange(1000)
        for _ in range(draw.randrange(1, 30)):
            room = draw.choice([0, 1, 30, PIPE_FLITS - 1])  # a ring holds a flit less than its size
            while room:
                flits = draw.randrange(1, min(room, 24) + 1)
                room -= flits
                if draw.random() < 0.1:
                    self.requests.append([clock])  # dropped
                else:
                    ends.append((ends[-1] if ends else 0) + flits)
                    self.requests.append([clock, ends[-1]])
                clock += draw.randrange(1, 400)
            ascending = [clock, *(clock + gap for gap in sorted(draw.choices(range(500), k=4)))]
            if draw.random() < 0.3:
                ascending[3] = -1
            ascending[4] += draw.choice([0, 0, 6000])  # overtaken
            notifications.append([pipe, ends[-1] if ends else 0, *ascending])

        handled = [request for request in self.requests if len(request) == 2]
        handled = handled[: len(handled) - draw.choice([0, 0, 1, 5])]  # the others lie in the pipe
        now = first = 0
        for index, (arrival, end) in enumerate(handled):
            known = min((row for row in notifications if row[1] >= end), key=lambda row: row[TAKEN])
            begun = max(now, known[TAKEN]) + draw.randrange(50)
            now = begun + draw.randrange(300)
            packets.append([pipe, end, begun, now])
            handled[index][1:] = [*known[VISIBLE:TAKEN], known[TAKEN], begun, now]
            assert handled[index][0] == arrival
            if draw.random() < 0.4 or index + 1 == len(handled) or ends[index + 1] - first >= PIPE_FLITS:
                now += draw.randrange(100)
                sends.append([pipe, end, now, now + draw.randrange(100) + draw.choice([0, 0, 3000])])
                first = end
        left = 0
        answered = draw.randrange(len(handled) + 1)
        for index, request in enumerate(handled):
            own = next(row for row in sends if row[1] >= ends[index])
            forwarded = min(row[FORWARDED] for row in sends if row[1] >= ends[index])
            left = max(left, forwarded) + draw.randrange(1, 200)
            request += [own[2], forwarded, left if index < answered else -1]
            request[4] = request[3] if request[4] < 0 else request[4]
        for request in self.requests:
            request += [-1] * (len(TIMES) - len(request))
        for row in (*notifications, *packets, *sends):
            row[1] %= PIPE_FLITS


def interleaved(draw: random.Random, lists: list[list[Row]]) -> list[Row]:
    """All of them, each in its order."""
    order = [index for index, rows in enumerate(lists) for _ in rows]
    draw.shuffle(order)
    iterators = [iter(rows) for rows in lists]
    return [next(iterators[index]) for index in order]


@pytest.mark.parametrize("seed", range(40))
def test_random_histories_come_out_as_they_were(seed: int) -> None:
    print(f"seed {seed}")
    draw = random.Random(seed)
    pipes = draw.sample(range(8192), draw.randrange(1, 6))
    histories = [History(draw, pipe) for pipe in pipes]
    requests = sorted(
        ((request, pipe) for history, pipe in zip(histories, pipes, strict=True) for request in history.requests),
        key=lambda entry: entry[0][0],
    )
    rows = [interleaved(draw, [history.rows[kind] for history in histories]) for kind in range(3)]
    of_pipe = times(*(pipe for _, pipe in requests))
    at = np.array([request for request, _ in requests], dtype=np.int64).reshape(-1, len(TIMES)).T
    result = stages(at[0], at[-1], of_pipe, stamped(*rows), PIPE_FLITS)
    assert result.requests.tolist() == np.flatnonzero(at[-1] >= 0).tolist()
    assert result.times_ps.tolist() == at[:, result.requests].tolist()
    assert (result.durations_ps.sum(axis=0) == at[-1, result.requests] - at[0, result.requests]).all()
