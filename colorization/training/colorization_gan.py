"""The conditional GAN as a keras.Model with its own train_step.

One training step on (l, ab):

1. Part of the batch gets colour hints; of part of it the noise encoder chooses `z`, the rest gets z = 0. The two parts
   overlap, and what is left has neither.
2. The generator paints all of it: the losses of `objective.py`, KL loss of the noise encoder, and, in the adversarial
   phase, the hinge loss of what the discriminator thinks of it.
3. In the adversarial phase the discriminator then learns from the same pictures.
4. An exponential moving average of the generator follows: it is what gets validated and exported.

A step whose loss or gradient is not finite changes no weights and is counted.

Under a `tf.distribute` strategy each replica has its part of the batch, and all take the step that one would take with
the whole batch: see `replicas.py`. Batch shapes must be static.
"""

import keras
import tensorflow as tf

from colorization import color
from colorization.models.mobilenet_unet import RESTRAINT
from colorization.training import batch_roles, hint_sampling, losses, metrics, replicas
from colorization.training.objective import FEATURES, LossWeights, Objective
from colorization.training.replicated_model import ReplicatedModel


class ColorizationGAN(ReplicatedModel):
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
        perceptual_encoder: keras.Model | None = None,
        loss_weights: LossWeights,
        noise_fraction: float = 0.25,
        hint_fraction: float = 0.5,
        recoloured_fraction: float = 0.3,
        ema_decay: float = 0.999,
        clip_norm: float = 10.0,
        seed: int = 0,
    ):
        """Puts the networks together.

        Args:
          generator: inputs [l, z, hints], output ab.
          ema_generator: a copy of it; its weights become those of the generator.
          noise_encoder: inputs [l, ab], outputs mean and log variance of z.
          discriminator: inputs [l, ab], output logits; None for the warm-up phase.
          perceptual_encoder: for the perceptual loss, see `objective.Objective`.
          loss_weights: what counts how much.
          noise_fraction: part of each batch that gets z from the noise encoder, in [0, 1].
          hint_fraction: part of each batch that gets colour hints, in [0, 1].
          recoloured_fraction: part of the hinted photos in which the hints contradict the true colours, in [0, 1].
          ema_decay: of the moving average, in [0, 1).
          clip_norm: largest global norm of a network's gradient.
          seed: of noise and hints; with the step number it determines every draw.
        """
        super().__init__(name="colorization_gan")
        self.generator, self.ema_generator = generator, ema_generator
        self.noise_encoder, self.discriminator = noise_encoder, discriminator
        self.loss_weights = loss_weights
        self.noise_fraction, self.hint_fraction = noise_fraction, hint_fraction
        self.recoloured_fraction = recoloured_fraction
        self.ema_decay, self.clip_norm, self.noise_seed = ema_decay, clip_norm, seed
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")
        self.num_bad_steps_in_row = tf.Variable(0, dtype=tf.int64, trainable=False, name="num_bad_steps_in_row")
        self.classifier = None
        if loss_weights.classification:
            self.classifier = keras.layers.Dense(losses.NUM_AB_CLASSES, name="classifier")
            self.classifier.build(generator.get_layer(FEATURES).output.shape)
        self.objective = Objective(loss_weights, classifier=self.classifier, encoder=perceptual_encoder)
        seen = [generator.get_layer(name).output for name in self.objective.layer_names()]
        self.painter = keras.Model(generator.inputs, [generator.output, *seen], name="painter") if seen else generator
        if loss_weights.restraint_alone:
            noise_encoder.trainable = False
            for layer in generator.layers:
                layer.trainable = layer.name.startswith(RESTRAINT)
        names = ["loss", *self.objective.loss_names(), "kl_loss", "gradient_norm"]
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
        optimizers = {decoder_optimizer: self.decoder_variables, encoder_optimizer: self.encoder_variables}
        if self.discriminator is not None:
            optimizers[discriminator_optimizer] = self.discriminator.trainable_variables
        for optimizer, variables in optimizers.items():
            optimizer.build(variables)
        self.synchronize(self.generator, optimizers=list(optimizers))

    @property
    def steps_done(self) -> int:
        """Number of steps taken, as a Python number: a variable with replicas can't be made one by `int`."""
        return int(self.step.numpy())

    @property
    def encoder_variables(self) -> list[keras.Variable]:
        """Trainable variables of the generator's encoder, if it has one."""
        encoder = next((layer for layer in self.generator.layers if layer.name == "encoder"), None)
        return encoder.trainable_variables if encoder else []

    @property
    def decoder_variables(self) -> list[keras.Variable]:
        """The generator's other trainable variables, the noise encoder's, and the classifier's if there is one."""
        in_encoder = {id(v) for v in self.encoder_variables}
        decoder = [v for v in self.generator.trainable_variables if id(v) not in in_encoder]
        classifier = self.classifier.trainable_variables if self.classifier is not None else []
        return decoder + self.noise_encoder.trainable_variables + classifier

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
        real_ab, hints = self.sample_hints(l, real_ab)
        fake_ab, values, gradients = self.train_generator(l, real_ab, hints)
        finite = tf.math.is_finite(values["loss"]) & tf.math.is_finite(values["gradient_norm"])
        discriminator_gradients = []
        if self.discriminator is not None:
            loss, norm, discriminator_gradients = self.train_discriminator(l, real_ab, fake_ab)
            values["discriminator_loss"] = loss
            finite &= tf.math.is_finite(loss) & tf.math.is_finite(norm)

        def apply(gradients: list, discriminator_gradients: list, values: dict, before: list) -> None:
            self.apply_gradients(gradients, discriminator_gradients)
            self.update_average()
            for name, value in values.items():
                self.train_means[name].update_state(value)
            self.num_bad_steps_in_row.assign(0)

        def skip(gradients: list, discriminator_gradients: list, values: dict, before: list) -> None:
            for variable, value in zip(statistics, before, strict=True):
                variable.assign(value)
            self.num_bad_steps_in_row.assign_add(1)

        replicas.cond(finite, apply, skip, (gradients, discriminator_gradients, values, before))
        self.step.assign_add(1)
        return {m.name: m.result() for m in self.train_means.values()}

    def train_generator(self, l: tf.Tensor, real_ab: tf.Tensor, hints: tf.Tensor):
        """Computes the generator's and noise encoder's losses and gradients.

        Args:
          l: float32 (B, H, W, 1).
          real_ab: float32 (B, H, W, 2).
          hints: float32 (B, H, W, 3).

        Returns:
          fake_ab (B, H, W, 2); dict of scalar losses; gradients of the decoder's and then the encoder's variables.
        """
        with tf.GradientTape() as tape:
            z, kl = self.sample_noise(l, real_ab)
            fake_ab, *seen = tf.nest.flatten(self.painter([l, z, hints], training=True))
            fake_ab = tf.cast(fake_ab, tf.float32)
            values, loss = self.objective.compute(l, real_ab, fake_ab, seen, self.assign_roles(l))
            values["kl_loss"] = kl
            loss += self.loss_weights.kl * kl
            if self.discriminator is not None:
                # training=False: the spectral norms belong to the discriminator's own step.
                logits = self.discriminator([l, fake_ab], training=False)
                values["adversarial_loss"] = losses.hinge_generator_loss(logits)
                loss += self.loss_weights.adversarial * values["adversarial_loss"]
        values["loss"] = loss
        gradients, norm = self._clipped_gradients(tape, loss, self.decoder_variables + self.encoder_variables)
        values = dict(zip(values, replicas.sum_over_replicas(values.values()), strict=True))
        return fake_ab, values | {"gradient_norm": norm}, gradients

    def train_discriminator(self, l: tf.Tensor, real_ab: tf.Tensor, fake_ab: tf.Tensor):
        """Computes the discriminator's loss and gradients.

        Args:
          l: float32 (B, H, W, 1).
          real_ab: float32 (B, H, W, 2).
          fake_ab: float32 (B, H, W, 2), the generator's.

        Returns:
          Scalar loss; scalar gradient norm; gradients.
        """
        with tf.GradientTape() as tape:
            both = tf.concat([real_ab, fake_ab], axis=0)
            logits = self.discriminator([tf.concat([l, l], axis=0), both], training=True)
            real_logits, fake_logits = tf.split(logits, 2, axis=0)
            loss = losses.hinge_discriminator_loss(real_logits, fake_logits)
        gradients, norm = self._clipped_gradients(tape, loss, self.discriminator.trainable_variables)
        return replicas.sum_over_replicas([loss])[0], norm, gradients

    def apply_gradients(self, gradients: list[tf.Tensor], discriminator_gradients: list[tf.Tensor]) -> None:
        """Lets the optimizers take their step; gradients as `train_generator` and `train_discriminator` return them."""
        decoder, encoder = self.decoder_variables, self.encoder_variables
        self.decoder_optimizer.apply(gradients[: len(decoder)], decoder)
        if encoder:
            self.encoder_optimizer.apply(gradients[len(decoder) :], encoder)
        if self.discriminator is not None:
            self.discriminator_optimizer.apply(discriminator_gradients, self.discriminator.trainable_variables)

    def sample_noise(self, l: tf.Tensor, real_ab: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Draws `z` (B, z_dim) for a batch, and the KL loss of the part that the noise encoder chose."""
        z_dim = self.generator.inputs[1].shape[-1]
        if not self.noise_fraction:
            return tf.zeros((l.shape[0], z_dim)), tf.constant(0.0)
        roles = self.assign_roles(l)
        # Of all photos, though few need it: at an eighth of their size that costs little, and shapes stay static.
        mean, log_variance = self.noise_encoder([l, real_ab], training=True)
        normal = replicas.Rows.of(l).normal((z_dim,), self._step_seed())
        z = tf.where(roles.noisy[:, tf.newaxis], mean + tf.exp(0.5 * log_variance) * normal, 0.0)
        return z, losses.kl_loss(mean, log_variance, roles.noisy, roles.num_noisy)

    def sample_hints(self, l: tf.Tensor, real_ab: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Draws hints for a part of a batch.

        Args:
          l: float32 (B, H, W, 1).
          real_ab: float32 (B, H, W, 2).

        Returns:
          real_ab (B, H, W, 2), in which some hinted photos are recoloured; hints (B, H, W, 3).
        """
        if not self.hint_fraction:
            return real_ab, _no_hints(l)
        hints, ab = hint_sampling.sample_hints(
            l, real_ab, self._step_seed() + [1, 0], recoloured_share=self.recoloured_fraction
        )
        hinted = self.assign_roles(l).hinted[:, tf.newaxis, tf.newaxis, tf.newaxis]
        return tf.where(hinted, ab, real_ab), tf.where(hinted, hints, 0.0)

    def assign_roles(self, l: tf.Tensor) -> batch_roles.Roles:
        """Who of a batch `l` (B, H, W, 1) gets noise and hints in this step."""
        return batch_roles.assign_roles(
            replicas.Rows.of(l),
            self._step_seed() + [-1, 0],
            noise_fraction=self.noise_fraction,
            hint_fraction=self.hint_fraction,
        )

    def _step_seed(self) -> tf.Tensor:
        return tf.stack([tf.constant(self.noise_seed, tf.int64), self.step])

    def test_step(self, data: tuple[tf.Tensor, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Measures the averaged generator at z = 0 without hints: loss, PSNR in dB, colorfulness; and grey's PSNR."""
        l, real_ab = data
        z = tf.zeros((tf.shape(l)[0], self.generator.inputs[1].shape[-1]))
        fake_ab = tf.cast(self.ema_generator([l, z, _no_hints(l)], training=False), tf.float32)
        chromas = (real_ab, fake_ab, tf.zeros_like(real_ab))
        real, fake, grey = (color.to_uint8(color.l_ab_to_rgb(l, ab)) for ab in chromas)
        values = {
            "chroma_loss": self.objective.chroma_loss(l, real_ab, fake_ab),
            "psnr": replicas.share_of_mean(metrics.psnr(fake, real)),
            "grey_psnr": replicas.share_of_mean(metrics.psnr(grey, real)),
            "colorfulness": replicas.share_of_mean(metrics.colorfulness(fake)),
            "real_colorfulness": replicas.share_of_mean(metrics.colorfulness(real)),
        }
        for name, value in zip(values, replicas.sum_over_replicas(values.values()), strict=True):
            self.val_means[name].update_state(value, sample_weight=tf.shape(l)[0])  # the last batch may be smaller
        return {name: mean.result() for name, mean in self.val_means.items()}

    def update_average(self) -> None:
        """Moves the averaged generator towards the generator; young averages move faster."""
        step = tf.cast(self.step, tf.float32)
        decay = tf.minimum(self.ema_decay, (1.0 + step) / (10.0 + step))
        for average, weight in zip(self.ema_generator.weights, self.generator.weights, strict=True):
            average.assign(decay * average + (1.0 - decay) * weight)


def _no_hints(l: tf.Tensor) -> tf.Tensor:
    """Hints (B, H, W, 3) that ask for nothing, for `l` (B, H, W, 1)."""
    return tf.repeat(tf.zeros_like(l), 3, axis=-1)
