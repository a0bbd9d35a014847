"""Beam's options, and what users see of its errors."""

import logging
import os

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, PortableOptions, WorkerOptions

from colorization.archives import runners


def make_options(runner, *arguments, num_workers=1) -> PipelineOptions:
    return runners.make_options(runner, num_workers=num_workers, arguments=arguments)


def test_options_reach_beam():
    options = make_options("DirectRunner", num_workers=3)
    assert options.view_as(DirectOptions).direct_num_workers == 3
    assert options.view_as(WorkerOptions).default_sdk_harness_log_level == "ERROR"
    options = make_options("FlinkRunner", "--environment_type=EXTERNAL", "--option_of_the_job_server=8")
    assert options.view_as(PortableOptions).environment_type == "EXTERNAL"
    options = make_options("DaskRunner", "--dask_client_address=tcp://127.0.0.1:1")
    assert runners.is_dask(options) and options.get_all_options()["partition_size"] == 1
    options = make_options("DaskRunner", "--dask_client_address=tcp://127.0.0.1:1", "--dask_npartitions=7")
    assert options.get_all_options()["partition_size"] is None


@pytest.mark.parametrize(
    ("runner", "argument", "reason"),
    [
        ("DirectRunner", "--no_such_option=1", "^--no_such_option: Beam has no such option$"),
        ("DirectRunner", "--job_port=many", "^Beam's options: argument --job_port: invalid int value: 'many'$"),
        ("DaskRunner", "--no_auth", "--dask_client_address=HOST:PORT$"),
        ("DirectRunner", "photos/2.jpg", "^photos/2.jpg: unexpected argument; patterns need quotes"),
    ],
)
def test_wrong_options_are_one_line(runner, argument, reason, capfd):
    with pytest.raises(ValueError, match=reason):
        make_options(runner, argument)
    assert capfd.readouterr().err == ""


def fail(number):
    if number == 3:
        raise ValueError(f"bad number {number}\nand more")
    return number


def kill(number):
    os.kill(os.getpid(), 9)


@pytest.mark.parametrize("num_workers", [1, 2])
def test_a_failure_is_one_line_and_says_its_kind(num_workers, capfd):
    options = make_options("DirectRunner", num_workers=num_workers)
    with pytest.raises(runners.RunnerError, match="^bad number 3$") as info:
        runners.run(lambda pipeline: pipeline | beam.Create(range(5)) | beam.Map(fail), options)
    assert info.value.kind == "ValueError"
    assert capfd.readouterr().err == ""


def test_a_worker_that_dies_is_one_line_and_no_wait_for_ever(capfd, monkeypatch):
    monkeypatch.setattr(runners, "_GRACE_SECONDS", 2.0)
    options = make_options("DirectRunner", num_workers=2)
    level = logging.getLogger().level
    with pytest.raises(runners.RunnerError, match=r"^a worker died \(Worker subprocess exited with return code 137\)$"):
        runners.run(lambda pipeline: pipeline | beam.Create(range(5)) | beam.Map(kill), options)
    assert capfd.readouterr().err == ""
    assert logging.getLogger().level == level
