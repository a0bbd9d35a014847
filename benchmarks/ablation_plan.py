"""The ablation's rows, the commands that each needs, and the table of what came out.

Commands are kept with placeholders for folders (DATA_DIR, VAL_DIR, RUN_DIR, ENCODER_WEIGHTS), so that the record of a
run holds no paths of the machine that made it. No flags are defined here: tests can import this.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

BATCH_SIZE = 32
# Steps between two readings of the rate, and how many readings count; one more before them and one after don't.
RATE_STEPS, NUM_RATES = 10, 5
IDLE_LOAD = 0.5  # load average, in processes, below which nothing else to speak of is running

# What all rows share, said even where a recipe says the same today. A row's own flags come later: the last one wins.
SHARED = (
    "--encoder_weights=ENCODER_WEIGHTS",
    f"--batch_size={BATCH_SIZE}",
    "--min_area=0.3",
    "--aged_share=0.5",
    "--chroma_loss=huber",
    "--saturation_weight=3",
    "--noise_fraction=0.25",
    "--hint_fraction=0",
    "--classification_weight=0",
    "--perceptual_weight=0",
    "--colorfulness_weight=0",
    "--colorfulness_margin=0",
    "--ciede2000_weight=0",
    "--overshoot_weight=0",
)
BASE = (
    "--flagfile=flags/train_generator.flags",
    *SHARED,
    "--learning_rate=1e-3",
    "--encoder_rate_factor=0.05",
    "--frozen_until=5",
    "--weight_decay=1e-4",
)
# The paper's generator loss is GAN + 100 L1, the mean over ab in [-1, 1]; here L1 is 11 times that mean (both channels
# summed, in units of 20 of 110), which leaves 0.11 for the GAN. Its rate of 2e-4 is for single photos: by the
# square-root rule 1.1e-3 for 32, so the recipe's 1e-3 stays. beta_1 is the paper's.
# Papers: Isola et al. 2017 (arXiv:1611.07004); square-root rule, Hoffer et al. 2017 (arXiv:1705.08741).
TEXTBOOK = (*BASE, "--generator=pix2pix_unet", "--beta_1=0.5", "--adversarial_weight=0.11")

RECIPE_LOSSES = (  # those of flags/train_generator.flags
    "--chroma_loss=log_rgb",
    "--saturation_weight=0",
    "--ciede2000_weight=2",
    "--colorfulness_weight=2",
    "--colorfulness_margin=3",
)


@dataclasses.dataclass(frozen=True)
class Setting:
    """What all rows of one table have in common beside their flags.

    Attributes:
      image_size: side of the training crops in pixels, and the work size: no network is seen at another size than it
        learned.
      mixed_precision: arithmetic, as for `colorization.train`; bfloat16 pays only where the processor has it.
      seed: of every run.
    """

    image_size: int = 128
    mixed_precision: str = "bfloat16"
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
      name: what it is.
      phases: flags of each training run; they share the row's time equally, and each starts from the one before.
    """

    name: str
    phases: tuple[tuple[str, ...], ...]


ROWS = {
    1: Row("pix2pix U-Net, L1 + GAN", ((*TEXTBOOK, "--chroma_loss=l1", "--saturation_weight=0"),)),
    2: Row("pix2pix U-Net, our chroma loss + GAN", (TEXTBOOK,)),
    3: Row("base: our generator, our chroma loss, no GAN", (BASE,)),
    # Optimizers and adversarial weight of the recipe; the rest of the loss is the base's, so that only the GAN differs.
    4: Row("base + GAN in the second half", (BASE, ("--flagfile=flags/train_gan.flags", *SHARED))),
    # A new encoder needs the decoder's rate; at a pretrained one's it would hardly leave its random weights.
    5: Row("base, encoder from scratch", ((*BASE, "--encoder_weights=none", "--encoder_rate_factor=1"),)),
    6: Row("base + joint classification", ((*BASE, "--classification_weight=0.1"),)),
    7: Row(
        "base + perceptual loss",
        ((*BASE, "--perceptual_weight=0.5", "--perceptual_encoder_weights=ENCODER_WEIGHTS"),),
    ),
    8: Row("base + colorfulness loss", ((*BASE, "--colorfulness_weight=0.5"),)),
    9: Row(
        "base, logarithmic chroma loss, + colorfulness loss",
        ((*BASE, "--chroma_loss=log", "--saturation_weight=0", "--colorfulness_weight=0.5"),),
    ),
    10: Row("base without noise", ((*BASE, "--noise_fraction=0"),)),
    11: Row("base, logarithmic RGB loss, + CIEDE2000 and colorfulness losses", ((*BASE, *RECIPE_LOSSES),)),
    12: Row(
        "the same, encoder trained from block 3 on, at 25 % of the decoder's rate",
        ((*BASE, *RECIPE_LOSSES, "--frozen_until=2", "--encoder_rate_factor=0.25"),),
    ),
}


@dataclasses.dataclass(frozen=True)
class Step:
    """One command of a row.

    Attributes:
      name: what the command does, for messages.
      words: the command, with placeholders.
      result: glob, below the row's folder, of what is there when it is done.
    """

    name: str
    words: tuple[str, ...]
    result: str


def train_words(flags: Sequence[str], setting: Setting) -> tuple[str, ...]:
    """The training command of a phase, without data, folders and steps."""
    shared = (f"--{name}={value}" for name, value in dataclasses.asdict(setting).items())
    return ("python", "-m", "colorization.train", *flags, *shared)


def rate_words(train: Sequence[str]) -> tuple[str, ...]:
    """The same training command on a few photos; as little validation as there can be."""
    return (
        *train,
        "--data_dir=PHOTOS",
        "--run_dir=RUN_DIR",
        "--num_val_photos=1",
        f"--validation_steps={RATE_STEPS}",
        f"--checkpoint_steps={10**9}",
        f"--max_steps={RATE_STEPS * (NUM_RATES + 2)}",
    )


def num_steps(minutes: float, images_per_second: float) -> int:
    """Steps that fit into so many minutes, at least one."""
    return max(1, round(minutes * 60.0 * images_per_second / BATCH_SIZE))


def make_plan(
    number: int, rates: Sequence[Mapping[str, Any]], *, minutes: float, setting: Setting
) -> tuple[list[Step], dict[str, Any]]:
    """Lays out what a row runs.

    Args:
      number: the row's.
      rates: of each of its phases, as measured: `images_per_second`, and what else the record shall keep.
      minutes: training time of the row.
      setting: what all rows share.

    Returns:
      The commands in their order; and what a record of them says (JSON-ready): row, name, minutes, setting, phases,
      images_per_second (photos seen by the time for them), steps, photos_seen, commands.
    """
    row, steps, phases = ROWS[number], [], []
    for index, (flags, rate) in enumerate(zip(row.phases, rates, strict=True)):
        count = num_steps(minutes / len(row.phases), rate["images_per_second"])
        phases.append({**rate, "steps": count})
        words = (
            *train_words(flags, setting),
            f"--max_steps={count}",
            f"--validation_steps={math.ceil(count / 4)}",
            "--checkpoint_steps=100",
            "--data_dir=DATA_DIR",
            "--val_data_dir=VAL_DIR",
            f"--run_dir=RUN_DIR/train_{index}",
            *([f"--init_run_dir=RUN_DIR/train_{index - 1}"] if index else []),
        )
        steps.append(Step(f"training {index + 1}", words, f"train_{index}/checkpoints/ckpt-{count}.index"))
    steps += _export_and_evaluation(f"train_{len(phases) - 1}", setting.image_size)
    photos = BATCH_SIZE * sum(phase["steps"] for phase in phases)
    seconds = sum(BATCH_SIZE * phase["steps"] / phase["images_per_second"] for phase in phases)
    return steps, {
        "row": number,
        "name": row.name,
        "minutes": minutes,
        "setting": dataclasses.asdict(setting),
        "phases": phases,
        "images_per_second": photos / seconds,
        "steps": photos // BATCH_SIZE,
        "photos_seen": photos,
        "commands": [" ".join(step.words) for step in steps],
    }


def _export_and_evaluation(train_dir: str, work_size: int) -> list[Step]:
    """What follows training, whose last run is in a folder of this name."""
    export = ("--export_dir=RUN_DIR/model", f"--work_size={work_size}")
    evaluate = ("--data_dir=VAL_DIR", "--model_dir=RUN_DIR/model", "--output_dir=RUN_DIR/evaluation")
    return [
        Step(
            "export",
            ("python", "-m", "colorization.export", f"--run_dir=RUN_DIR/{train_dir}", *export),
            "model/[0-9]*/saved_model.pb",
        ),
        Step(
            "evaluation",
            ("python", "-m", "colorization.evaluate", "--flagfile=flags/evaluate.flags", *evaluate),
            "evaluation/metrics.json",
        ),
    ]


def fill_words(words: Sequence[str], values: Mapping[str, str]) -> list[str]:
    """Puts values for placeholders: a whole word, or the first part of a flag's value (`--run_dir=RUN_DIR/model`)."""
    filled = []
    for word in words:
        flag, equals, value = word.rpartition("=")
        first, slash, rest = value.partition("/")
        filled.append(flag + equals + values.get(first, first) + slash + rest)
    return filled


def format_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The Markdown table, with what a reader needs to judge it.

    Args:
      rows: one or more records of `make_plan`, its phases with `load_average_before`, and with `git_commit` and
        `metrics` (as `evaluate` writes them).

    Returns:
      Lines, the last one ended too.
    """
    lines = [
        "| | trained | PSNR, dB (grey's) | CIEDE2000 | colorfulness difference | images/s | steps | photos seen |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        metrics = row["metrics"]
        psnr = f"{metrics['result']['psnr']:.2f} ({metrics['grey_baseline']['psnr']:.2f})"
        quality = f"{psnr} | {metrics['result']['ciede2000']:.2f} | {metrics['colorfulness_delta']:.1f}"
        effort = f"{row['images_per_second']:.1f} | {row['steps']:,} | {row['photos_seen']:,}"
        lines.append(f"| {row['row']} | {row['name']} | {quality} | {effort} |")
    first, setting, metrics = rows[0], rows[0]["setting"], rows[0]["metrics"]
    load = max(phase["load_average_before"] for row in rows for phase in row["phases"])
    alone = "alone on the machine" if load <= IDLE_LOAD else f"beside other work (load average {load:.1f} before)"
    commits = sorted({str(row["git_commit"]) for row in rows})
    lines += [
        "",
        f"Each row had the steps that fit into {first['minutes']:g} minutes at its own images/s, measured {alone}; its "
        f"schedule ended there. Batches of {BATCH_SIZE}, {setting['image_size']} px, {setting['mixed_precision']}, "
        f"seed {setting['seed']}, one run each, commit {', '.join(commits)}.",
        "",
        f"Measured on {metrics['num_photos']} photos at 256x256. Lower is better for CIEDE2000 "
        f"(grey: {metrics['grey_baseline']['ciede2000']:.2f}) and for the difference between the mean colorfulness of "
        f"results and originals (grey: {metrics['original']['colorfulness']:.1f}).",
    ]
    return "\n".join(lines) + "\n"
