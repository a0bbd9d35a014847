"""Real processes; each start takes seconds, so the tests share few."""

import asyncio
import io
import shutil

import numpy as np
import pytest
from PIL import Image

from colorization import Colorizer
from colorization.serving.errors import Code, ServingError
from colorization.serving.jobs import ColorizeJob, ModelInfo, PredictJob
from colorization.serving.process import ModelProcess, ProcessDiedError, ProcessSettings


def make_photo(size) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(size).integers(0, 256, (size, size, 3), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def test_life_and_death(tiny_model_dir):
    async def scenario():
        process = await ModelProcess.start(tiny_model_dir / "1", ProcessSettings())
        assert (process.version, process.info) == (1, ModelInfo(takes_hints=True, takes_reference=True))
        photo = make_photo(50)
        results = await asyncio.gather(*(process.run(ColorizeJob(photo)) for _ in range(4)))
        expected = Colorizer.load(tiny_model_dir).colorize(np.asarray(Image.open(io.BytesIO(photo))))
        for result in results:
            np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(result.images[0]))), expected)
        with pytest.raises(ServingError, match="^photo: not a readable") as caught:
            await process.run(ColorizeJob(b"no photo"))
        assert caught.value.code is Code.INVALID_ARGUMENT
        outputs = await process.run(PredictJob("predict_ab", {"l": np.zeros((1, 4, 4, 1), np.float32)}))
        np.testing.assert_allclose(outputs["ab"][0, 0, 0], [0.3, -0.2], atol=1e-5)

        large = make_photo(1500)
        running = [asyncio.create_task(process.run(ColorizeJob(large))) for _ in range(3)]
        await asyncio.sleep(0.05)
        process.kill()
        for outcome in await asyncio.gather(*running, return_exceptions=True):
            assert isinstance(outcome, ProcessDiedError)
        assert process.is_dead and process.num_running == 0
        with pytest.raises(ProcessDiedError):
            await process.run(ColorizeJob(photo))

    asyncio.run(asyncio.wait_for(scenario(), 90))


def test_who_cannot_send_a_job_knows_at_once_that_the_process_is_dead(tiny_model_dir, monkeypatch):
    """Else the same job would go to it again, and count as the end of a second process."""

    def fail(*_):
        raise BrokenPipeError

    async def scenario():
        process = await ModelProcess.start(tiny_model_dir / "1", ProcessSettings())
        monkeypatch.setattr(process, "_send", fail)
        with pytest.raises(ProcessDiedError):
            await process.run(ColorizeJob(make_photo(50)))
        assert process.is_dead and process.num_running == 0

    asyncio.run(asyncio.wait_for(scenario(), 90))


def test_close_lets_it_finish(tiny_model_dir):
    async def scenario():
        process = await ModelProcess.start(tiny_model_dir / "1", ProcessSettings(num_threads=1))
        running = [asyncio.create_task(process.run(ColorizeJob(make_photo(300)))) for _ in range(3)]
        await asyncio.sleep(0)
        await process.close()
        assert [len((await task).images) for task in running] == [1, 1, 1]
        assert process.is_dead

    asyncio.run(asyncio.wait_for(scenario(), 90))


def test_a_broken_model_is_refused(tiny_model_dir, tmp_path):
    shutil.copytree(tiny_model_dir / "1", tmp_path / "7")
    next((tmp_path / "7" / "variables").glob("*.data*")).unlink()

    async def scenario():
        with pytest.raises(ServingError, match=r"^the model can't be loaded \(ModelError\)$") as caught:
            await ModelProcess.start(tmp_path / "7", ProcessSettings())
        assert caught.value.code is Code.UNAVAILABLE and str(tmp_path) not in str(caught.value)

    asyncio.run(asyncio.wait_for(scenario(), 90))


def test_a_start_that_takes_too_long_is_given_up(tiny_model_dir):
    async def scenario():
        with pytest.raises(ServingError, match="^the model was not ready after 0.1 s$"):
            await ModelProcess.start(tiny_model_dir / "1", ProcessSettings(start_timeout=0.1))

    asyncio.run(asyncio.wait_for(scenario(), 90))
