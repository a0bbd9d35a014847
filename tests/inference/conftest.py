import pytest

from colorization.inference import conversion


@pytest.fixture(scope="session")
def source(tiny_model_dir) -> conversion.SourceModel:
    """The tiny networks, ready to be converted."""
    return conversion.SourceModel(tiny_model_dir / "1")
