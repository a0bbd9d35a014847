"""The conditional GAN as a keras.Model with its own train_step.

One training step on (l, ab):

1. The noise encoder looks at the first part of the batch and samples its `z`; the rest gets z = 0.
2. The generator paints all of it: chroma loss, KL loss of the noise encoder, and, in the adversarial phase, the
   hinge loss of what the discriminator thinks of it.
3. In the adversarial phase the discriminator then learns from the same pictures.
4. An exponential moving average of the generator follows: it is what gets validated and exported.

A step whose loss or gradient is not finite changes no weights and is counted.
"""

import keras
import tensorflow as tf

from colorization import color
from colorization.training import losses, metrics


class ColorizationGAN(keras.Model):
    """Generator, its moving average, noise encoder and (in the adversarial phase) discriminator.

    Data are pairs (l, ab): float32 (B, H, W, 1) and (B, H, W, 2) in [-1, 1].

    Papers: conditional GAN for colour, Isola et al. 2017 (arXiv:1611.07004); noise encoder, Zhu et al. 2017
    (arXiv:1711.11586); generator averaging, Yazici et al. 2019 (arXiv:1806.04498).
    """

    def __init__(
        self,
        *,
        generator: keras.Model,
        ema_generator: keras.Model,
        noise_encoder: keras.Model,
        discriminator: keras.Model | None,
        adversarial_weight: float = 0.0,
        saturation_weight: float = 3.0,
        kl_weight: float = 0.002,
        noise_fraction: float = 0.25,
        ema_decay: float = 0.999,
        clip_norm: float = 10.0,
        seed: int = 0,
    ):
        """Puts the networks together.

        Args:
          generator: inputs [l, z], output ab.
          ema_generator: a copy of it; its weights become those of the generator.
          noise_encoder: inputs [l, ab], outputs mean and log variance of z.
          discriminator: inputs [l, ab], output logits; None for the warm-up phase.
          adversarial_weight: of the hinge loss, relative to the chroma loss.
          saturation_weight: see `losses.chroma_loss`.
          kl_weight: of the noise encoder's KL loss.
          noise_fraction: share of each batch that gets z from the noise encoder, in [0, 1].
          ema_decay: of the moving average, in [0, 1).
          clip_norm: largest global norm of a network's gradient.
          seed: of the noise; with the step number it determines every draw.
        """
        super().__init__(name="colorization_gan")
        self.generator, self.ema_generator = generator, ema_generator
        self.noise_encoder, self.discriminator = noise_encoder, discriminator
        self.adversarial_weight, self.saturation_weight = adversarial_weight, saturation_weight
        self.kl_weight, self.noise_fraction = kl_weight, noise_fraction
        self.ema_decay, self.clip_norm, self.noise_seed = ema_decay, clip_norm, seed
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")
        self.num_bad_steps_in_row = tf.Variable(0, dtype=tf.int64, trainable=False, name="num_bad_steps_in_row")
        names = ["loss", "chroma_loss", "kl_loss", "gradient_norm"]
        names += ["adversarial_loss", "discriminator_loss"] if discriminator is not None else []
        self.train_means = {name: keras.metrics.Mean(name=name) for name in names}
        names = ["chroma_loss", "psnr", "grey_psnr", "colorfulness", "real_colorfulness"]
        self.val_means = {name: keras.metrics.Mean(name=name) for name in names}
        for average, weight in zip(ema_generator.weights, generator.weights, strict=True):
            average.assign(weight)

    def compile(self, *, decoder_optimizer, encoder_optimizer, discriminator_optimizer=None, **kwargs) -> None:
        """Sets the optimizers.

        Args:
          decoder_optimizer: for the generator's decoder and the noise encoder.
          encoder_optimizer: for the generator's pretrained encoder, which needs a far lower rate.
          discriminator_optimizer: needed with a discriminator.
          **kwargs: `jit_compile`, `run_eagerly` and what else keras.Model.compile takes.
        """
        super().compile(optimizer=decoder_optimizer, **kwargs)
        self.decoder_optimizer, self.encoder_optimizer = decoder_optimizer, encoder_optimizer
        self.discriminator_optimizer = discriminator_optimizer
        decoder_optimizer.build(self.decoder_variables)
        encoder_optimizer.build(self.encoder_variables)
        if self.discriminator is not None:
            discriminator_optimizer.build(self.discriminator.trainable_variables)

    @property
    def encoder_variables(self) -> list[keras.Variable]:
        """Trainable variables of the generator's encoder, if it has one."""
        encoder = next((layer for layer in self.generator.layers if layer.name == "encoder"), None)
        return encoder.trainable_variables if encoder else []

    @property
    def decoder_variables(self) -> list[keras.Variable]:
        """The generator's other trainable variables, and the noise encoder's."""
        in_encoder = {id(v) for v in self.encoder_variables}
        decoder = [v for v in self.generator.trainable_variables if id(v) not in in_encoder]
        return decoder + self.noise_encoder.trainable_variables

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """Means that Keras resets at each epoch."""
        return [*self.train_means.values(), *self.val_means.values()]

    def train_step(self, data: tuple[tf.Tensor, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Runs one step on (l, ab) and returns the running means."""
        l, real_ab = data
        # A batch norm moves its statistics during the forward pass, before the loss is known.
        statistics = [v.value for v in self.generator.non_trainable_variables if v.name.startswith("moving_")]
        before = [tf.identity(variable) for variable in statistics]
        fake_ab, values, apply_generator = self.train_generator(l, real_ab)
        finite = tf.math.is_finite(values["loss"]) & tf.math.is_finite(values["gradient_norm"])
        updates = [apply_generator]
        if self.discriminator is not None:
            loss, norm, apply_discriminator = self.train_discriminator(l, real_ab, fake_ab)
            values["discriminator_loss"] = loss
            finite &= tf.math.is_finite(loss) & tf.math.is_finite(norm)
            updates.append(apply_discriminator)

        def apply() -> tf.Tensor:
            for update in [*updates, self.update_average]:
                update()
            for name, value in values.items():
                self.train_means[name].update_state(value)
            return tf.constant(0, tf.int64)

        def skip() -> tf.Tensor:
            for variable, value in zip(statistics, before, strict=True):
                variable.assign(value)
            return self.num_bad_steps_in_row + 1

        self.num_bad_steps_in_row.assign(tf.cond(finite, apply, skip))
        self.step.assign_add(1)
        return {m.name: m.result() for m in self.train_means.values()}

    def train_generator(self, l: tf.Tensor, real_ab: tf.Tensor):
        """Computes the generator's and noise encoder's losses and gradients.

        Args:
          l: float32 (B, H, W, 1).
          real_ab: float32 (B, H, W, 2).

        Returns:
          fake_ab (B, H, W, 2); dict of scalar losses; a function without arguments that applies the gradients.
        """
        with tf.GradientTape() as tape:
            z, kl = self.sample_noise(l, real_ab)
            fake_ab = tf.cast(self.generator([l, z], training=True), tf.float32)
            values = {
                "chroma_loss": losses.chroma_loss(real_ab, fake_ab, saturation_weight=self.saturation_weight),
                "kl_loss": kl,
            }
            loss = values["chroma_loss"] + self.kl_weight * kl
            if self.discriminator is not None:
                # training=False: the spectral norms belong to the discriminator's own step.
                logits = self.discriminator([l, fake_ab], training=False)
                values["adversarial_loss"] = losses.hinge_generator_loss(logits)
                loss += self.adversarial_weight * values["adversarial_loss"]
        values["loss"] = loss
        decoder, encoder = self.decoder_variables, self.encoder_variables
        gradients, norm = self._clipped_gradients(tape, loss, decoder + encoder)
        values["gradient_norm"] = norm

        def apply() -> None:
            self.decoder_optimizer.apply(gradients[: len(decoder)], decoder)
            if encoder:
                self.encoder_optimizer.apply(gradients[len(decoder) :], encoder)

        return fake_ab, values, apply

    def train_discriminator(self, l: tf.Tensor, real_ab: tf.Tensor, fake_ab: tf.Tensor):
        """Computes the discriminator's loss and gradients.

        Args:
          l: float32 (B, H, W, 1).
          real_ab: float32 (B, H, W, 2).
          fake_ab: float32 (B, H, W, 2), the generator's.

        Returns:
          Scalar loss; scalar gradient norm; a function without arguments that applies the gradients.
        """
        with tf.GradientTape() as tape:
            both = tf.concat([real_ab, fake_ab], axis=0)
            logits = self.discriminator([tf.concat([l, l], axis=0), both], training=True)
            real_logits, fake_logits = tf.split(logits, 2, axis=0)
            loss = losses.hinge_discriminator_loss(real_logits, fake_logits)
        variables = self.discriminator.trainable_variables
        gradients, norm = self._clipped_gradients(tape, loss, variables)
        return loss, norm, lambda: self.discriminator_optimizer.apply(gradients, variables)

    def sample_noise(self, l: tf.Tensor, real_ab: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Draws `z` (B, z_dim) for a batch, and the KL loss of the part that the noise encoder chose."""
        z_dim = self.generator.inputs[1].shape[-1]
        batch = tf.shape(l)[0]
        num_encoded = tf.cast(tf.math.ceil(self.noise_fraction * tf.cast(batch, tf.float32)), tf.int32)
        mean, log_variance = self.noise_encoder([l[:num_encoded], real_ab[:num_encoded]], training=True)
        seed = tf.stack([tf.constant(self.noise_seed, tf.int64), self.step])
        normal = tf.random.stateless_normal((num_encoded, z_dim), seed)
        encoded = mean + tf.exp(0.5 * log_variance) * normal
        return tf.concat([encoded, tf.zeros((batch - num_encoded, z_dim))], axis=0), losses.kl_loss(mean, log_variance)

    def test_step(self, data: tuple[tf.Tensor, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Measures the averaged generator at z = 0 on (l, ab): loss, PSNR in dB, colorfulness, and grey beside it."""
        l, real_ab = data
        z = tf.zeros((tf.shape(l)[0], self.generator.inputs[1].shape[-1]))
        fake_ab = tf.cast(self.ema_generator([l, z], training=False), tf.float32)
        chromas = (real_ab, fake_ab, tf.zeros_like(real_ab))
        real, fake, grey = (color.to_uint8(color.l_ab_to_rgb(l, ab)) for ab in chromas)
        values = {
            "chroma_loss": losses.chroma_loss(real_ab, fake_ab, saturation_weight=self.saturation_weight),
            "psnr": metrics.psnr(fake, real),
            "grey_psnr": metrics.psnr(grey, real),
            "colorfulness": metrics.colorfulness(fake),
            "real_colorfulness": metrics.colorfulness(real),
        }
        for name, value in values.items():
            self.val_means[name].update_state(value)
        return {name: mean.result() for name, mean in self.val_means.items()}

    def update_average(self) -> None:
        """Moves the averaged generator towards the generator; young averages move faster."""
        step = tf.cast(self.step, tf.float32)
        decay = tf.minimum(self.ema_decay, (1.0 + step) / (10.0 + step))
        for average, weight in zip(self.ema_generator.weights, self.generator.weights, strict=True):
            average.assign(decay * average + (1.0 - decay) * weight)

    def _clipped_gradients(self, tape: tf.GradientTape, loss: tf.Tensor, variables: list) -> tuple[list, tf.Tensor]:
        """Gradients of `loss`, scaled so that their global norm is at most clip_norm, and that norm before."""
        gradients = tape.gradient(loss, [v.value for v in variables], unconnected_gradients="zero")
        return tf.clip_by_global_norm(gradients, self.clip_norm)
