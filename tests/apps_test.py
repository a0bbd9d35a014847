"""The tensors that docs/apps.md states are those of files that were really converted."""

import re
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from colorization.inference import conversion, model_info, tflite, version_files

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "apps.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"^```(kotlin|swift)\n(.*?)^```$", TEXT, flags=re.MULTILINE | re.DOTALL)
TENSOR = r"(\w+) \[([\d, ]+)\], (-?\d+)\.\.(-?\d+)"

# What a tensor is: name, dtype, shape, smallest and largest value.
Tensors = set[tuple[str, str, tuple[int, ...], int, int]]


@pytest.fixture(scope="module")
def source():
    return conversion.SourceModel(version_files.find_version_dir())


@pytest.fixture(scope="module")
def converted(source):
    """By flavour: inputs and outputs of a file of the shipped model, and its size."""

    def convert(flavour):
        size = conversion.default_size(source, flavour)
        content = tflite.convert(source, flavour=flavour, quantization="dynamic", image_size=size)
        info = model_info.make_info(
            flavour=flavour,
            quantization="dynamic",
            image_size=size,
            work_size=source.work_size,
            z_dim=source.z_dim,
            source="",
        )
        runner = Interpreter(model_content=content).get_signature_runner()
        details = {"inputs": runner.get_input_details(), "outputs": runner.get_output_details()}
        sides = {
            side: {
                (
                    entry["name"],
                    np.dtype(details[side][entry["name"]]["dtype"]).name,
                    tuple(details[side][entry["name"]]["shape"].tolist()),
                    *entry["range"],
                )
                for entry in info[side]
            }
            for side in ("inputs", "outputs")
        }
        assert all(len(sides[side]) == len(details[side]) for side in sides)  # the words name every tensor
        return sides["inputs"], sides["outputs"], "x".join(map(str, size))

    return {flavour: convert(flavour) for flavour in conversion.FLAVOURS}


def parse(matches: list[tuple[str, ...]]) -> Tensors:
    return {
        (name, dtype, tuple(int(size) for size in shape.split(",")), int(low), int(high))
        for name, dtype, shape, low, high in matches
    }


def test_table_states_the_tensors_of_every_flavour(converted):
    rows = re.findall(r"^\| `colorizer_(\w+)_\.\.\._(\d+x\d+)\.tflite` \| (.*?) \| (.*?) \|$", TEXT, flags=re.MULTILINE)
    stated = {
        flavour: (
            parse(re.findall("`(\\w+)` " + TENSOR, inputs)),
            parse(re.findall("`(\\w+)` " + TENSOR, outputs)),
            size,
        )
        for flavour, size, inputs, outputs in rows
    }
    assert stated == converted


@pytest.mark.parametrize("language, code", SNIPPETS, ids=[f"{language}{i}" for i, (language, _) in enumerate(SNIPPETS)])
def test_snippet_uses_the_tensors_of_its_file(converted, language, code):
    flavour, quantization, size = re.search(
        r"^// file colorizer_(\w+)_(\w+)_(\d+x\d+)\.tflite$", code, re.MULTILINE
    ).groups()
    assert quantization in tflite.QUANTIZATIONS
    stated = tuple(
        parse(re.findall(rf"^// {side} (\w+): {TENSOR}$", code, flags=re.MULTILINE)) for side in ("input", "output")
    )
    assert (*stated, size) == converted[flavour]
    assert code.count(f"colorizer_{flavour}_{quantization}_{size}") == 2  # the comment, and the file that is opened
    (side,) = re.findall(r"(?:SIDE|static let side) = (\d+)$", code, flags=re.MULTILINE)
    assert size == f"{side}x{side}"
    (write, read) = {
        ("kotlin", "uint8"): ("writeInt8", "readInt8"),
        ("kotlin", "float32"): ("writeFloat", "readFloat"),
        ("swift", "uint8"): ("Data(rgb)", "[UInt8]("),
        ("swift", "float32"): ("Data(buffer", "bindMemory(to: Float.self)"),
    }[language, next(iter(stated[0]))[1]]
    assert write in code and read in code


def test_there_are_snippets_of_both_flavours_in_both_languages():
    flavours = [(language, re.search(r"colorizer_([a-z]+)_", code)[1]) for language, code in SNIPPETS]
    assert flavours == [("kotlin", "rgb"), ("kotlin", "chroma"), ("swift", "rgb"), ("swift", "chroma")]


def test_snippets_have_the_constants_of_this_project():
    from colorization import color

    for language, code in SNIPPETS:
        if "_chroma_" in code:
            (scale,) = re.findall(r"(?:AB_SCALE|abScale: Float) = (\d+)f?$", code, flags=re.MULTILINE)
            assert float(scale) == color.AB_SCALE
            assert re.search(r"/ 50f? - 1f?", code) and (color.L_SCALE, color.L_CENTER) == (50, 50)
            # Rows of the matrices: white has Y = 1, and linear red, green and blue of 1.
            numbers = [float(number) for number in re.findall(r"-? ?\d+\.\d{5,}", code.replace("- ", "-"))]
            luminance = [abs(n) for n in numbers if abs(n) in (0.212671, 0.71516, 0.072169)]
            assert sum(luminance) == pytest.approx(1, abs=1e-6), language
            rows = [float(n.replace(" ", "")) for n in re.findall(r"(-? ?\d\.\d{5,8})f? \* [xyz]\b", code)]
            white = np.array([0.95047, 1, 1.08883])
            np.testing.assert_allclose(np.reshape(rows, (3, 3)) @ white, 1, atol=1e-3)
