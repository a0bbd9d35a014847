"""Colorizes black-and-white photographs with a conditional GAN.

`Colorizer` is loaded on first use, so that `import colorization` costs no TensorFlow start-up.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from colorization.inference.colorizer import Colorizer

__all__ = ["Colorizer"]


def __getattr__(name: str) -> Any:
    """Imports `Colorizer` when it is first asked for (PEP 562)."""
    if name == "Colorizer":
        from colorization.inference.colorizer import Colorizer

        return Colorizer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
