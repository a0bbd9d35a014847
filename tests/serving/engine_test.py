"""The engine with processes that are fake, so that they die when the test says so."""

import asyncio
import contextlib
import dataclasses
from pathlib import Path

import numpy as np
import pytest

from colorization.serving import checks, engine
from colorization.serving.errors import Code, ServingError
from colorization.serving.jobs import ColorizedPhoto, ColorizeJob, ModelInfo
from colorization.serving.process import ProcessDiedError
from colorization.serving.stats import Stats


class FakeProcess:
    """Answers with the photo; `die...`, `hang...` and `refuse...` do what they say, `slow...` takes a while."""

    def __init__(self, version: int):
        self.version, self.info, self.is_dead, self.jobs = version, ModelInfo(True, True), False, []
        self.dying = asyncio.Event()

    async def run(self, job):
        if self.is_dead:
            raise ProcessDiedError
        self.jobs.append(job)
        if isinstance(job, ColorizeJob):
            if job.photo.startswith(b"die"):
                self.kill()
            if job.photo.startswith(b"refuse"):
                raise ServingError(Code.INVALID_ARGUMENT, "photo: refused")
            if job.photo == b"too large for memory":
                raise ServingError(Code.RESOURCE_EXHAUSTED, "not enough memory", http_status=413)
            await self._wait({b"hang": 60.0, b"slow": 0.1}.get(job.photo[:4], 0.0))
            return ColorizedPhoto([job.photo], "PNG")
        await self._wait(0.05)
        if any(item == b"bad" for item in job.inputs["image_bytes"]):
            raise ServingError(Code.INVALID_ARGUMENT, "not a readable image")
        return {
            "image_bytes": job.inputs["image_bytes"],
            "version": np.full(len(job.inputs["image_bytes"]), self.version),
        }

    async def _wait(self, seconds):
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.dying.wait(), seconds)
        if self.is_dead:
            raise ProcessDiedError

    def kill(self):
        self.is_dead = True
        self.dying.set()

    async def close(self):
        self.kill()


class World:
    """A folder of versions, and the processes that were started for it."""

    def __init__(self, base_dir: Path):
        self.base_dir, self.processes, self.starts = base_dir, [], []

    def add_version(self, number: int, content: str = "good") -> None:
        (self.base_dir / str(number)).mkdir(exist_ok=True)
        (self.base_dir / str(number) / "saved_model.pb").write_text(content)

    async def start_process(self, version_dir, settings):
        self.starts.append(int(version_dir.name))
        await asyncio.sleep(0)
        if (version_dir / "saved_model.pb").read_text() != "good":
            raise ServingError(Code.UNAVAILABLE, "the model can't be loaded (ValueError)")
        self.processes.append(FakeProcess(int(version_dir.name)))
        return self.processes[-1]


@pytest.fixture
def world(tmp_path, monkeypatch):
    world = World(tmp_path)
    world.add_version(1)
    monkeypatch.setattr(engine.ModelProcess, "start", world.start_process)
    monkeypatch.setattr(checks, "read_signature_defs", lambda version_dir: {"serving_default": version_dir.name})
    monkeypatch.setattr(checks, "check_inputs", lambda *arguments: None)
    return world


def run(world, scenario, **settings):
    """Runs `scenario(engine)` on a started engine, and stops it."""

    async def main():
        defaults = engine.EngineSettings(poll_seconds=0.02, request_timeout=5.0)
        tested = engine.Engine(world.base_dir, dataclasses.replace(defaults, **settings), Stats())
        await tested.start()
        try:
            return await scenario(tested)
        finally:
            await tested.stop()

    return asyncio.run(asyncio.wait_for(main(), 20))


async def paint(tested, photo):
    """The photo that came back, or the code of the error."""
    try:
        return (await tested.colorize(ColorizeJob(photo))).images[0]
    except ServingError as error:
        return error.code


async def predict(tested, *items, version=None):
    array = np.empty(len(items), object)
    array[:] = items
    _, outputs = await tested.predict({"image_bytes": array}, signature_name="serving_default", version=version)
    return outputs["image_bytes"].tolist()


async def until(condition):
    while not condition():
        await asyncio.sleep(0.005)


def test_requests_are_answered(world):
    async def scenario(tested):
        assert tested.is_ready and tested.version == 1 and tested.info == ModelInfo(True, True)
        assert tested.signature_defs() == (1, {"serving_default": "1"})
        assert await asyncio.gather(*(paint(tested, b"%d" % i) for i in range(20))) == [b"%d" % i for i in range(20)]
        assert await paint(tested, b"refuse") is Code.INVALID_ARGUMENT

    run(world, scenario)


def test_an_error_keeps_its_http_status(world):
    async def scenario(tested):
        with pytest.raises(ServingError, match="^not enough memory$") as caught:
            await tested.colorize(ColorizeJob(b"too large for memory"))
        assert caught.value.http_status == 413  # not 429, after which clients try again

    run(world, scenario)


def test_only_the_request_that_kills_the_process_fails(world):
    async def scenario(tested):
        answers = await asyncio.gather(*(paint(tested, photo) for photo in (b"slow", b"die", b"slow 2", b"3")))
        assert answers == [b"slow", Code.INTERNAL, b"slow 2", b"3"]
        assert tested.is_ready and "restarts_total 2.0" in tested.stats.render().decode()
        assert tested.version_statuses()[0].state == "AVAILABLE"

    run(world, scenario)
    assert world.starts == [1, 1, 1]


def test_a_process_that_dies_idle_is_replaced(world):
    async def scenario(tested):
        world.processes[0].kill()
        assert not tested.is_ready
        assert await paint(tested, b"waits") == b"waits"

    run(world, scenario)
    assert len(world.processes) == 2


def test_a_request_that_hangs_costs_its_time_and_no_more(world):
    async def scenario(tested):
        hanging = asyncio.create_task(paint(tested, b"hang"))
        assert await paint(tested, b"quick") == b"quick"
        assert await hanging is Code.DEADLINE_EXCEEDED
        await until(lambda: world.processes[0].is_dead)
        assert await paint(tested, b"after") == b"after"

    run(world, scenario, request_timeout=0.2)


def test_what_waits_too_long_is_never_worked_on(world):
    async def scenario(tested):
        world.base_dir.joinpath("1", "saved_model.pb").write_text("broken")
        world.processes[0].kill()
        assert await paint(tested, b"late") is Code.DEADLINE_EXCEEDED
        world.add_version(1)
        assert await paint(tested, b"next") == b"next"

    run(world, scenario, request_timeout=0.3)
    assert [job.photo for process in world.processes for job in process.jobs] == [b"next"]


def test_over_capacity_is_refused_at_once(world):
    async def scenario(tested):
        answers = await asyncio.gather(*(paint(tested, b"slow %d" % i) for i in range(6)))
        assert answers == [b"slow 0", b"slow 1", b"slow 2", b"slow 3", *[Code.RESOURCE_EXHAUSTED] * 2]

    # The first two are worked on as soon as they come.
    run(world, scenario, max_queue_length=2)


def test_a_client_that_leaves_frees_its_place(world):
    async def scenario(tested):
        first = [asyncio.create_task(paint(tested, b"slow %d" % i)) for i in range(2)]
        waiting = asyncio.create_task(paint(tested, b"left"))
        await asyncio.sleep(0.02)
        waiting.cancel()
        await asyncio.gather(*first)
        await asyncio.sleep(0.02)

    run(world, scenario)
    assert [job.photo for job in world.processes[0].jobs] == [b"slow 0", b"slow 1"]


def test_predict_requests_that_wait_share_a_batch(world):
    async def scenario(tested):
        requests = (predict(tested, b"a", b"b"), predict(tested, b"c"), predict(tested, b"d"), predict(tested, b"e"))
        assert await asyncio.gather(*requests) == [[b"a", b"b"], [b"c"], [b"d"], [b"e"]]

    settings = {"process": engine.ProcessSettings(num_threads=1)}
    run(world, scenario, max_batch_size=3, **settings)
    run(world, scenario, **settings)
    sizes = [[len(job.inputs["image_bytes"]) for job in process.jobs] for process in world.processes]
    assert sizes == [[2, 3], [2, 1, 1, 1]]


def test_a_bad_image_spoils_no_other_request_of_its_batch(world):
    async def scenario(tested):
        requests = (predict(tested, b"busy"), predict(tested, b"good"), predict(tested, b"bad"))
        busy, good, bad = await asyncio.gather(*requests, return_exceptions=True)
        assert (busy, good, str(bad)) == ([b"busy"], [b"good"], "not a readable image")

    run(world, scenario, max_batch_size=8, process=engine.ProcessSettings(num_threads=1))


def test_a_new_version_takes_over_without_losing_a_request(world):
    async def scenario(tested):
        old = [asyncio.create_task(paint(tested, b"slow %d" % i)) for i in range(4)]
        world.add_version(2)
        await until(lambda: tested.version == 2)
        assert await asyncio.gather(*old) == [b"slow 0", b"slow 1", b"slow 2", b"slow 3"]
        await until(lambda: world.processes[0].is_dead)
        await asyncio.sleep(0.01)
        assert [(s.version, s.state) for s in tested.version_statuses()] == [(2, "AVAILABLE"), (1, "END")]
        with pytest.raises(ServingError, match="^version 1 of the model is not loaded$") as caught:
            await predict(tested, b"x", version=1)
        assert caught.value.code is Code.NOT_FOUND
        assert await predict(tested, b"x", version=2) == [b"x"]

    run(world, scenario)


def test_a_broken_version_is_refused_once_and_the_old_one_goes_on(world):
    async def scenario(tested):
        world.add_version(2, "broken")
        await until(lambda: 2 in world.starts)
        await asyncio.sleep(0.1)
        assert await paint(tested, b"still") == b"still" and tested.version == 1
        status = tested.version_statuses()[0]
        assert (status.version, status.state, status.error) == (2, "END", "the model can't be loaded (ValueError)")
        world.add_version(2, "good")
        await until(lambda: tested.version == 2)

    run(world, scenario)
    assert world.starts == [1, 2, 2]


def test_without_a_model_there_is_no_waiting(world):
    async def scenario(tested):
        assert await paint(tested, b"photo") is Code.UNAVAILABLE and not tested.is_ready
        with pytest.raises(ServingError, match="^no version of the model is loaded$"):
            tested.signature_defs()
        world.add_version(3)
        await until(lambda: tested.is_ready)
        assert await paint(tested, b"photo") == b"photo"

    world.add_version(1, "broken")
    run(world, scenario)


def test_aborting_tells_those_who_wait(world):
    async def scenario(tested):
        requests = [asyncio.create_task(paint(tested, b"hang %d" % i)) for i in range(4)]
        await asyncio.sleep(0.01)
        tested.abort()
        assert await asyncio.gather(*requests) == [Code.UNAVAILABLE] * 4
        assert world.processes[0].is_dead

    run(world, scenario)


def test_stopping_finishes_what_was_let_in(world):
    async def scenario(tested):
        requests = [asyncio.create_task(paint(tested, b"slow %d" % i)) for i in range(5)]
        await asyncio.sleep(0.01)
        stopping = asyncio.create_task(tested.stop())
        await asyncio.sleep(0.01)
        assert await paint(tested, b"too late") is Code.UNAVAILABLE
        assert await asyncio.gather(*requests) == [b"slow %d" % i for i in range(5)]
        await stopping

    run(world, scenario)
