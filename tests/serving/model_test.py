import inspect

from tensorflow_serving.apis import get_model_status_pb2

from colorization.serving.engine import Engine
from colorization.serving.model import ModelBackend, VersionStatus


def test_the_engine_is_such_a_backend():
    for name in ("version_statuses", "signature_defs", "predict"):
        assert inspect.signature(getattr(Engine, name)) == inspect.signature(getattr(ModelBackend, name))


def test_states_are_those_of_tensorflow_serving():
    states = get_model_status_pb2.ModelVersionStatus.State.keys()
    documented = [state for state in states if f'"{state}"' in VersionStatus.__doc__]
    assert documented == ["START", "LOADING", "AVAILABLE", "UNLOADING", "END"]
