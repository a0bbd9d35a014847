import asyncio
import time

import httpx

from benchmarks.serve_clients import INTERFACES, Answer, Case, ask, read_cases, run_closed, run_open

CASES = [Case("a", b"a", b"A"), Case("b", b"b", b"B")]


async def upper(photo):
    return photo.upper(), "ok"


SENDERS = dict.fromkeys(INTERFACES, upper)


def test_answers_are_compared():
    async def wrong(photo):
        return b"?", "ok"

    async def refuse(photo):
        return None, "429"

    async def break_off(photo):
        raise httpx.ReadError("gone")

    async def main():
        return [(await ask("rest", send, CASES[0])).outcome for send in (upper, wrong, refuse, break_off)]

    assert asyncio.run(main()) == ["equal", "different", "429", "ReadError"]


def test_closed_loop_sends_each_request_once_over_all_interfaces():
    answers = asyncio.run(run_closed(SENDERS, CASES, num_requests=31, num_clients=4))
    assert [answer.outcome for answer in answers] == ["equal"] * 31
    assert sorted(answer.interface for answer in answers) == sorted(INTERFACES[i % 3] for i in range(31))


def test_closed_loop_can_be_stopped():
    async def main():
        stop = asyncio.Event()
        stop.set()
        return await run_closed(SENDERS, CASES, num_requests=31, num_clients=4, stop=stop)

    assert asyncio.run(main()) == []


def test_open_loop_keeps_its_rate_whatever_the_server_does():
    async def slow(photo):
        await asyncio.sleep(0.2)
        return photo.upper(), "ok"

    start = time.perf_counter()
    answers = asyncio.run(run_open(dict.fromkeys(INTERFACES, slow), CASES, rate=100.0, seconds=0.3))
    assert len(answers) == 30 and time.perf_counter() - start >= 0.49
    assert all(isinstance(answer, Answer) and answer.seconds >= 0.19 for answer in answers)


def test_photos_are_paired_with_their_results(tmp_path):
    for folder, content in (("photos", b"in"), ("results", b"out")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1.png").write_bytes(content)
    assert read_cases(tmp_path / "photos", tmp_path / "results") == [Case("1.png", b"in", b"out")]
