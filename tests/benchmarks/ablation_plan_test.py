"""The plan of the ablation: rows differ by what they say, time is shared fairly, commands are accepted."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import ablation_plan as plan

ROOT = Path(__file__).parents[2]
SETTING = plan.Setting(image_size=96, mixed_precision="float32", seed=3)
RATE = {"images_per_second": 80.0, "load_average_before": 0.1}


def read_flags(words) -> dict[str, str]:
    """Flags and their values, flagfiles opened; the last one of a name counts."""
    values = {}
    for word in words:
        name, _, value = word.partition("=")
        if name == "--flagfile":
            lines = (ROOT / value).read_text(encoding="utf-8").splitlines()
            values |= read_flags(line for line in lines if line.startswith("--"))
        else:
            values[name.removeprefix("--")] = value
    return values


def differences(words, others) -> dict[str, str]:
    """Flags of `words` that `others` don't have, or have otherwise."""
    old = read_flags(others)
    return {name: value for name, value in read_flags(words).items() if old.get(name) != value}


def make_plan(number: int, rates=None, minutes: float = 4.0):
    rates = rates or [RATE] * len(plan.ROWS[number].phases)
    return plan.make_plan(number, rates, minutes=minutes, setting=SETTING)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (5, {"encoder_weights": "none", "encoder_rate_factor": "1"}),
        (6, {"classification_weight"}),
        (7, {"perceptual_weight", "perceptual_encoder_weights"}),
        (8, {"colorfulness_weight"}),
        (9, {"chroma_loss", "saturation_weight", "colorfulness_weight"}),
        (10, {"noise_fraction": "0"}),
    ],
)
def test_row_differs_from_the_base_by_what_its_name_says(number, expected):
    found = differences(plan.ROWS[number].phases[0], plan.BASE)
    assert found == expected if isinstance(expected, dict) else set(found) == expected


def test_last_rows_come_nearer_to_the_recipe():
    (losses,), (encoder,) = plan.ROWS[11].phases, plan.ROWS[12].phases
    loss_flags = {"chroma_loss", "saturation_weight", "ciede2000_weight", "colorfulness_weight", "colorfulness_margin"}
    recipe = read_flags(["--flagfile=flags/train_generator.flags"])
    assert differences(losses, plan.BASE) == {name: recipe[name] for name in loss_flags}
    assert differences(encoder, losses) == {name: recipe[name] for name in ("frozen_until", "encoder_rate_factor")}


def test_textbook_rows_differ_by_the_chroma_loss_alone():
    (l1,), (ours,) = plan.ROWS[1].phases, plan.ROWS[2].phases
    assert differences(l1, ours) == {"chroma_loss": "l1", "saturation_weight": "0"}
    assert set(differences(ours, plan.BASE)) == {"generator", "beta_1", "adversarial_weight"}


def test_adversarial_phase_keeps_the_loss_of_the_base():
    base, gan = plan.ROWS[4].phases
    assert base == plan.BASE == plan.ROWS[3].phases[0]
    recipe = read_flags(["--flagfile=flags/train_gan.flags"])
    found = differences(gan, base)
    assert found["adversarial_weight"] == recipe["adversarial_weight"] != "0"
    steps = {"max_steps", "validation_steps", "checkpoint_steps", "image_size"}  # of the recipe; said again for all
    optimizers = {"learning_rate", "encoder_rate_factor", "weight_decay", "discriminator_learning_rate", "beta_1"}
    assert set(found) - steps == optimizers | {"adversarial_weight"}


def test_steps_fill_the_time():
    assert plan.num_steps(4.0, 80.0) == 600
    assert plan.num_steps(0.001, 80.0) == 1


def test_two_phases_share_the_time_and_the_second_starts_from_the_first():
    slow = RATE | {"images_per_second": 40.0}
    steps, record = make_plan(4, [RATE, slow])
    assert [phase["steps"] for phase in record["phases"]] == [300, 150]
    assert record["steps"] == 450 and record["photos_seen"] == 14_400
    assert record["images_per_second"] == pytest.approx(14_400 / 240)
    assert [step.name for step in steps] == ["training 1", "training 2", "export", "evaluation"]
    first, second, export, evaluation = (read_flags(step.words) for step in steps)
    assert "init_run_dir" not in first and second["init_run_dir"] == first["run_dir"] == "RUN_DIR/train_0"
    assert first["max_steps"] == "300" and second["max_steps"] == "150" and second["seed"] == "3"
    assert first["image_size"] == second["image_size"] == "96" and second["mixed_precision"] == "float32"
    assert export["run_dir"] == second["run_dir"] and export["work_size"] == "96"
    assert evaluation["data_dir"] == second["val_data_dir"] == "VAL_DIR"
    assert steps[1].result == "train_1/checkpoints/ckpt-150.index"


def test_rate_is_measured_with_the_same_step():
    train = make_plan(3)[0][0].words
    changed = differences(plan.rate_words(plan.train_words(plan.BASE, SETTING)), train)
    assert set(changed) == {
        "data_dir",
        "run_dir",
        "num_val_photos",
        "validation_steps",
        "checkpoint_steps",
        "max_steps",
    }
    assert changed["max_steps"] == "70" and changed["validation_steps"] == "10"


@pytest.mark.parametrize("number", plan.ROWS)
def test_commands_are_accepted(number):
    steps, _ = make_plan(number)
    commands = [step.words for step in steps] if number == 4 else [steps[0].words]
    for _, _, module, *args in commands:
        done = subprocess.run(
            [sys.executable, "-m", module, "--only_check_args", *args], cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_placeholders_are_filled_as_whole_names():
    words = [
        "python",
        "--run_dir=RUN_DIR/train_0",
        "--data_dir=DATA_DIR",
        "--name=DATA_DIRS",
        "--flagfile=flags/a.flags",
    ]
    values = {"RUN_DIR": "/runs/row_1", "DATA_DIR": "/a=b/photos"}
    filled = ["python", "--run_dir=/runs/row_1/train_0", "--data_dir=/a=b/photos", "--name=DATA_DIRS", words[-1]]
    assert plan.fill_words(words, values) == filled


def test_table_shows_every_column_and_tells_of_other_load():
    metrics = {
        "num_photos": 276,
        "result": {"psnr": 22.996, "ciede2000": 11.284},
        "grey_baseline": {"psnr": 21.57, "ciede2000": 13.04},
        "original": {"colorfulness": 42.8},
        "colorfulness_delta": 16.47,
    }
    row = make_plan(3)[1] | {"git_commit": "abc123", "metrics": metrics}
    table = plan.format_table([row])
    line = "| 3 | base: our generator, our chroma loss, no GAN | 23.00 (21.57) | 11.28 | 16.5 | 80.0 | 600 | 19,200 |"
    assert table.splitlines()[2] == line
    assert table.splitlines()[0].count("|") == line.count("|")
    assert (
        "4 minutes" in table
        and "96 px, float32, seed 3" in table
        and "measured alone on the machine" in table
        and "abc123" in table
    )
    assert "276 photos" in table and "(grey: 13.04)" in table and "(grey: 42.8)" in table

    busy = row | {"phases": [row["phases"][0] | {"load_average_before": 2.3}]}
    assert "beside other work (load average 2.3 before)" in plan.format_table([row, busy])
