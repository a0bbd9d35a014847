import asyncio

import numpy as np
import pytest

from colorization.serving.errors import Code, ServingError
from colorization.serving.jobs import ColorizeJob, PredictJob
from colorization.serving.queue import Request, RequestQueue, count_rows, merge_jobs, split_outputs


@pytest.fixture
def make_request():
    """Makes requests: one for a photo, or for `rows` rows of a signature."""
    loop = asyncio.new_event_loop()

    def make(rows=None, *, width=3, num_bytes=1, signature="colorize", version=None) -> Request:
        inputs = {"x": np.arange((rows or 0) * width).reshape(-1, width)}
        job = ColorizeJob(b"") if rows is None else PredictJob(signature, inputs)
        return Request(job, loop.create_future(), version, num_bytes)

    yield make
    loop.close()


def make_queue(**settings) -> RequestQueue:
    return RequestQueue(**{"max_length": 10, "max_bytes": 100, "max_batch_size": 4} | settings)


def fill(queue, requests):
    for request in requests:
        queue.add(request)
    return requests


def test_first_in_first_out(make_request):
    queue = make_queue()
    first, second = fill(queue, [make_request(), make_request()])
    assert queue.peek() is first and len(queue) == 2
    assert queue.take() == [first] and queue.take() == [second] and queue.take() == []


@pytest.mark.parametrize("settings, num_bytes", [({"max_length": 2}, 1), ({"max_bytes": 20}, 10)])
def test_what_is_too_much_is_refused_at_once(make_request, settings, num_bytes):
    queue = make_queue(**settings)
    first, _ = fill(queue, [make_request(num_bytes=num_bytes), make_request(num_bytes=num_bytes)])
    with pytest.raises(ServingError, match="^too many requests are waiting") as caught:
        queue.add(make_request(num_bytes=num_bytes))
    assert caught.value.code is Code.RESOURCE_EXHAUSTED and len(queue) == 2
    first.future.cancel()  # its client left, and there is room again
    queue.add(make_request(num_bytes=num_bytes))
    assert len(queue) == 2


def test_those_that_fit_together_leave_together(make_request):
    queue = make_queue()
    two, photo, other, one, wide, three = fill(
        queue,
        [
            make_request(2),
            make_request(),
            make_request(1, signature="predict_ab"),
            make_request(1),
            make_request(1, width=5),
            make_request(3),
        ],
    )
    assert queue.take() == [two, one]  # three more rows would be too many
    assert [queue.take() for _ in range(4)] == [[photo], [other], [wide], [three]]


@pytest.mark.parametrize("change", [{"max_batch_size": 1}, {"goes_alone": True}, {"version": 2}, {"rows": 0}])
def test_what_is_not_to_be_merged_goes_alone(make_request, change):
    queue = make_queue(max_batch_size=change.get("max_batch_size", 4))
    rows = change.get("rows", 1)
    first, second = fill(queue, [make_request(rows), make_request(rows, version=change.get("version"))])
    first.goes_alone = change.get("goes_alone", False)
    assert queue.take() == [first] and queue.take() == [second]


def test_put_back_keeps_the_order(make_request):
    queue = make_queue(max_length=2)
    first, second = fill(queue, [make_request(), make_request()])
    assert queue.take() + queue.take() == [first, second]
    third = make_request()
    queue.add(third)
    queue.put_back([first, second])  # though there is no room for three
    assert list(queue) == [first, second, third]


def test_merged_jobs_get_their_own_rows_back(make_request):
    jobs = [make_request(rows).job for rows in (1, 2, 1)]
    merged = merge_jobs(jobs)
    assert count_rows(merged) == 4 and merged.signature_name == "colorize"
    parts = split_outputs({"y": merged.inputs["x"] * 10}, jobs)
    for part, job in zip(parts, jobs, strict=True):
        np.testing.assert_array_equal(part["y"], job.inputs["x"] * 10)
    assert merge_jobs(jobs[:1]) is jobs[0]


def test_only_the_first_answer_counts(make_request):
    request = make_request()
    request.fail(Code.DEADLINE_EXCEEDED, "late")
    request.fail(Code.INTERNAL, "never seen")
    assert str(request.future.exception()) == "late"
