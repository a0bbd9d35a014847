"""Colorizes black-and-white photographs with a conditional GAN.

`Colorizer` and `Hint` are loaded on first use, so that `import colorization` costs no TensorFlow start-up.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from colorization.inference.colorizer import Colorizer
    from colorization.inference.hints import Hint

__all__ = ["Colorizer", "Hint"]


def __getattr__(name: str) -> Any:
    """Imports `Colorizer` or `Hint` when it is first asked for (PEP 562)."""
    if name == "Colorizer":
        from colorization.inference.colorizer import Colorizer

        return Colorizer
    if name == "Hint":
        from colorization.inference.hints import Hint

        return Hint
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
