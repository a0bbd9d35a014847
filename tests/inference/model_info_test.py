import json

from colorization.inference import model_info

OPTIONS = {"quantization": "float32", "work_size": 160, "z_dim": 8, "source": "mine/3"}


def test_a_model_that_can_be_steered_says_what_it_takes():
    info = model_info.make_info(flavour="steer", image_size=None, **OPTIONS)
    assert [entry["name"] for entry in info["inputs"]] == ["l", "z", "hints"]
    assert [entry["name"] for entry in info["outputs"]] == ["ab"]
    assert "shape (1, 8)" in info["inputs"][1]["description"]
    assert "(1, any height, any width, 3)" in info["inputs"][2]["description"]
    assert (info["z_dim"], info["image_size"], info["work_size"]) == (8, None, 160)
    assert "with noise and hints" in info["description"]
    assert json.loads(json.dumps(info)) == info


def test_others_have_no_noise():
    info = model_info.make_info(flavour="chroma", image_size=(96, 128), **OPTIONS)
    assert "z_dim" not in info and info["image_size"] == [96, 128]
    assert [entry["name"] for entry in info["inputs"]] == ["l"]
    assert "shape (1, 96, 128, 1)" in info["inputs"][0]["description"]
    assert "without hints" in info["description"]
