import pickle

import grpc
import pytest

from colorization.serving.errors import Code, ServingError


def test_codes_are_those_of_grpc():
    assert [code.name for code in Code if not hasattr(grpc.StatusCode, code.name)] == []


@pytest.mark.parametrize("http_status, expected", [(None, 429), (413, 413)])
def test_an_error_survives_the_pipe(http_status, expected):
    error = pickle.loads(pickle.dumps(ServingError(Code.RESOURCE_EXHAUSTED, "too much", http_status=http_status)))
    assert (error.code, str(error), error.http_status) == (Code.RESOURCE_EXHAUSTED, "too much", expected)
