import pickle

import numpy as np

from colorization.inference.hints import Hint
from colorization.serving.jobs import ColorizeJob, PredictJob


def test_jobs_survive_the_pipe():
    job = ColorizeJob(b"photo", hints=(Hint(x=1, y=2, color=(3, 4, 5)),))
    assert pickle.loads(pickle.dumps(job)) == job
    copy = pickle.loads(pickle.dumps(PredictJob("serving_default", {"image_bytes": np.array([b"a\0b"], object)})))
    assert copy.signature_name == "serving_default" and copy.inputs["image_bytes"].tolist() == [b"a\0b"]
