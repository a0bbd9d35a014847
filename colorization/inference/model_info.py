"""What a converted model says of itself: which model it was made of, what goes in, what comes out."""

from typing import Any

_TENSORS = {
    "rgb": {
        "inputs": [
            {
                "name": "rgb",
                "description": "The photo: uint8 red, green, blue, 0 to 255, sRGB, not normalized, shape (1, {height}, "
                "{width}, 3). Only its lightness counts; a grey photo has three equal channels.",
                "dtype": "uint8",
                "range": [0, 255],
            }
        ],
        "outputs": [
            {
                "name": "rgb",
                "description": "The photo in colour: uint8 sRGB of the same shape, with the lightness of the input.",
                "dtype": "uint8",
                "range": [0, 255],
            }
        ],
    },
    "chroma": {
        "inputs": [
            {
                "name": "l",
                "description": "Lightness: float32 CIELAB (D65) L* / 50 - 1, from -1, black, to 1, white, shape "
                "(1, {height}, {width}, 1): the photo's, shrunk without aliasing to a shorter side of about "
                "{work_size} pixels.",
                "dtype": "float32",
                "range": [-1, 1],
            }
        ],
        "outputs": [
            {
                "name": "ab",
                "description": "Chroma: float32 CIELAB a* / 110 and b* / 110, shape (1, {height}, {width}, 2). Times "
                "110, enlarged smoothly to the photo's size and joined to the photo's own L*, it is the photo in "
                "colour.",
                "dtype": "float32",
                "range": [-1, 1],
            }
        ],
    },
}
_TENSORS["steer"] = {
    "inputs": [
        *_TENSORS["chroma"]["inputs"],
        {
            "name": "z",
            "description": "Noise: float32 from N(0, 1), shape (1, {z_dim}); 0 is the automatic colour.",
            "dtype": "float32",
            "range": [-4, 4],
        },
        {
            "name": "hints",
            "description": "Colours asked for: float32 of shape (1, {height}, {width}, 3); a* / 110, b* / 110 and 1 at "
            "such pixels, 0 elsewhere.",
            "dtype": "float32",
            "range": [-1, 1],
        },
    ],
    "outputs": _TENSORS["chroma"]["outputs"],
}


def make_info(
    *,
    flavour: str,
    quantization: str,
    image_size: tuple[int, int] | None,
    work_size: int,
    z_dim: int,
    source: str,
) -> dict[str, Any]:
    """Describes a converted model.

    Args:
      flavour: "rgb", "chroma" or "steer".
      quantization: "float32", "float16", "dynamic" or "int8".
      image_size: height and width of input and output; None if the input can be resized.
      work_size: shorter side, in pixels, at which the network was meant to see a photo.
      z_dim: length of the noise vector.
      source: tells which model this was made of.

    Returns:
      JSON-ready: these, `z_dim` only for "steer", and `name`, `description`, `license`, `inputs`, `outputs`; of
      each tensor `name`, `description`, `dtype`, `range`.
    """
    height, width = image_size or ("any height", "any width")
    size = {"height": height, "width": width, "work_size": work_size, "z_dim": z_dim}
    takes = "with noise and hints" if flavour == "steer" else "the automatic colour, without hints"
    tensors = {
        side: [entry | {"description": entry["description"].format(**size)} for entry in entries]
        for side, entries in _TENSORS[flavour].items()
    }
    return {
        "name": "colorizer",
        "description": "Predicts the colour of a photo from its lightness. One photo at a time; "
        f"{takes}. Weights: {quantization}. Made of {source}.",
        "license": "Apache-2.0",
        "flavour": flavour,
        "quantization": quantization,
        "image_size": None if image_size is None else list(image_size),
        "work_size": work_size,
        **({"z_dim": z_dim} if flavour == "steer" else {}),
        "source": source,
        **tensors,
    }
