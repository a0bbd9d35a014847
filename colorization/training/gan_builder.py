"""Networks, losses and optimizers of a training run, as the flags of `python -m colorization.train` describe them."""

from typing import Any

import keras

from colorization import models
from colorization.models.encoder import build_mobilenet_encoder
from colorization.training import checkpoints
from colorization.training.colorization_gan import ColorizationGAN
from colorization.training.objective import LossWeights

MAX_WARM_UP_STEPS = 200


def build_gan(flags: dict[str, Any]) -> ColorizationGAN:
    """Builds and compiles what is trained; to be called within the scope of the run's strategy.

    Args:
      flags: values by name, as `config.json` holds them.

    Raises:
      ValueError: if weights to start from can't be used, or flags don't go together.
    """
    adversarial = flags["adversarial_weight"] > 0
    _check(flags)
    perceptual_encoder = None
    if flags["perceptual_weight"]:
        perceptual_encoder = build_mobilenet_encoder(flags["perceptual_encoder_weights"], frozen_until=12)
    gan = ColorizationGAN(
        generator=_build_generator(flags),
        ema_generator=checkpoints.build_generator_like(flags),
        noise_encoder=models.build_noise_encoder(z_dim=flags["z_dim"]),
        discriminator=models.build_patch_gan() if adversarial else None,
        perceptual_encoder=perceptual_encoder,
        loss_weights=LossWeights(
            chroma_kind=flags["chroma_loss"],
            saturation=flags["saturation_weight"],
            kl=flags["kl_weight"],
            adversarial=flags["adversarial_weight"],
            classification=flags["classification_weight"],
            perceptual=flags["perceptual_weight"],
            colorfulness=flags["colorfulness_weight"],
            colorfulness_margin=flags["colorfulness_margin"],
            ciede2000=flags["ciede2000_weight"],
            overshoot=flags["overshoot_weight"],
            unevenness=flags["unevenness_weight"],
            restraint=flags["restraint_weight"],
            restraint_quantile=flags["restraint_quantile"],
        ),
        noise_fraction=flags["noise_fraction"],
        hint_fraction=flags["hint_fraction"],
        recoloured_fraction=flags["recoloured_fraction"],
        ema_decay=flags["ema_decay"],
        clip_norm=flags["clip_norm"],
        seed=flags["seed"],
    )
    discriminator_rate = flags["discriminator_learning_rate"]
    gan.compile(
        decoder_optimizer=_build_adamw(flags["learning_rate"], flags),
        encoder_optimizer=_build_adamw(flags["learning_rate"] * flags["encoder_rate_factor"], flags),
        discriminator_optimizer=keras.optimizers.Adam(discriminator_rate, beta_1=0.0) if adversarial else None,
        jit_compile=flags["jit_compile"],
    )
    return gan


def _check(flags: dict[str, Any]) -> None:
    """Raises ValueError for flags that don't go together."""
    for name in ("restraint_quantile", "classification_weight"):
        if flags[name] and flags["image_size"] % 32:
            raise ValueError(f"--image_size={flags['image_size']}: with --{name} it must be a multiple of 32")
    if not flags["restraint_quantile"]:
        if flags["restraint_weight"]:
            raise ValueError("--restraint_weight needs a --restraint_quantile, which says what the restraint learns")
        return
    if not (flags["pretrained_encoder"] and flags["init_model_dir"]):
        raise ValueError("--restraint_quantile: restraint is taught to a mobilenet_unet, which --init_model_dir names")
    if flags["adversarial_weight"] and not flags["restraint_weight"]:
        raise ValueError("--restraint_quantile: restraint is taught alone, and takes no --adversarial_weight")


def _build_generator(flags: dict[str, Any]) -> keras.Model:
    if not flags["pretrained_encoder"]:
        return models.build_generator(flags["generator"], z_dim=flags["z_dim"])
    folded = flags["init_model_dir"] is not None  # then the encoder's weights come with the rest
    return models.build_mobilenet_unet(
        z_dim=flags["z_dim"],
        encoder_weights=None if folded else flags["encoder_weights"],
        frozen_until=flags["frozen_until"],
        folded=folded,
        restrained=flags["restraint_quantile"] > 0,
    )


def _build_adamw(rate: float, flags: dict[str, Any]) -> keras.optimizers.Optimizer:
    """AdamW whose rate rises over the first tenth of the steps and falls along a cosine to zero.

    Papers: AdamW, Loshchilov and Hutter 2019 (arXiv:1711.05101); cosine, the same 2017 (arXiv:1608.03983).
    """
    warm_up = min(MAX_WARM_UP_STEPS, flags["max_steps"] // 10)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, flags["max_steps"] - warm_up, warmup_target=rate, warmup_steps=warm_up
    )
    return keras.optimizers.AdamW(schedule, beta_1=flags["beta_1"], weight_decay=flags["weight_decay"])
