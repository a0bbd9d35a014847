"""Makes the networks of `train` and `export` small, so that a start, a step and a save take little time."""

import functools

FLAGS = ("--generator=pix2pix_unet", "--image_size=32", "--batch_size=2", "--z_dim=2", "--mixed_precision=float32")
FLAGS += ("--device=cpu", "--val_percent=20", "--adversarial_weight=0.1")


def use() -> None:
    """In this process, `models` builds networks of two hundred thousand weights from now on."""
    from colorization import models

    models.build_pix2pix_unet = functools.partial(models.build_pix2pix_unet, base_filters=24, num_stages=3)
    models.build_noise_encoder = functools.partial(models.build_noise_encoder, base_filters=4)
    models.build_patch_gan = functools.partial(models.build_patch_gan, base_filters=4)
