import contextlib

import pytest

from colorization.serving import servables
from colorization.serving.errors import Code, ServingError
from colorization.serving.model import VersionStatus


class Backend:
    """Has versions 1 to 3, of which 2 answers."""

    def __init__(self, error=None):
        self.error = error

    def version_statuses(self):
        return [VersionStatus(1, "END"), VersionStatus(3, "LOADING"), VersionStatus(2, "AVAILABLE")]

    def signature_defs(self, version=None):
        if self.error:
            raise self.error
        if version not in (None, 2):
            raise ServingError(Code.NOT_FOUND, "words of its own")
        return 2, {"serving_default": "a signature", "other": "another"}


@contextlib.contextmanager
def fails(code, message):
    with pytest.raises(ServingError) as info:
        yield
    assert (info.value.code, str(info.value)) == (code, message)


def test_servable_is_found_with_and_without_a_version():
    for version in (None, 2):
        number, signatures = servables.find_servable(Backend(), "colorizer", "colorizer", version)
        assert number == 2
        assert set(signatures) == {"serving_default", "other"}


@pytest.mark.parametrize(
    "name, version, request_text",
    [
        ("resnet", None, "Latest(resnet)"),
        ("resnet", 2, "Specific(resnet, 2)"),
        ("colorizer", 7, "Specific(colorizer, 7)"),
        ("a\nb", None, "Latest(a\\nb)"),
        ("x" * 5000, None, f"Latest({'x' * 100}...)"),
    ],
)
def test_unknown_servable_is_reported_in_one_short_line(name, version, request_text):
    with fails(Code.NOT_FOUND, f"Servable not found for request: {request_text}"):
        servables.find_servable(Backend(), "colorizer", name, version)


def test_other_errors_of_the_backend_pass():
    backend = Backend(ServingError(Code.UNAVAILABLE, "no model yet"))
    with fails(Code.UNAVAILABLE, "no model yet"):
        servables.find_servable(backend, "colorizer", "colorizer")


def test_signature_is_found_by_name_or_as_the_default():
    _, signatures = Backend().signature_defs()
    assert servables.find_signature(signatures, "") == ("serving_default", "a signature")
    assert servables.find_signature(signatures, "other") == ("other", "another")
    with fails(Code.INVALID_ARGUMENT, 'Serving signature name: "none" not found in signature def'):
        servables.find_signature(signatures, "none")


def test_statuses_are_listed_highest_first_or_alone():
    def numbers(*args):
        return [status.version for status in servables.list_statuses(Backend(), "colorizer", *args)]

    assert numbers("colorizer") == [3, 2, 1]
    assert numbers("colorizer", 1) == [1]
    with fails(Code.NOT_FOUND, "Could not find version 4 of model colorizer"):
        numbers("colorizer", 4)
    with fails(Code.NOT_FOUND, "Could not find any versions of model resnet"):
        numbers("resnet")
    with fails(Code.NOT_FOUND, "Could not find version 1 of model resnet"):
        numbers("resnet", 1)


def test_version_is_a_number_of_64_bits():
    assert servables.parse_version("12") == 12
    assert servables.parse_version("0") is None
    assert servables.parse_version(str(2**63 - 1)) == 2**63 - 1
    for text in ("", "-1", "1.0", "a", "٣", str(2**63), "9" * 9999):
        with pytest.raises(ServingError, match=r"^Failed to convert version: .* to numeric\.$") as info:
            servables.parse_version(text)
        assert info.value.code is Code.INVALID_ARGUMENT


def test_labels_and_other_methods_are_refused_as_tensorflow_serving_does():
    assert str(servables.unknown_label("stable")) == "Unrecognized servable version label: stable"
    assert str(servables.wrong_method("regress")) == (
        "Expected regression signature method_name to be tensorflow/serving/regress. Was: tensorflow/serving/predict"
    )
