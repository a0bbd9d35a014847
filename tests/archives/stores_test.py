"""Archives at s3://, in a store that runs here."""

import boto3
from moto.server import ThreadedMotoServer

from tests.archives.photos import run_command, save_photo

KEY = "nobody"  # of a store that asks for none


class S3:
    """A bucket, and what reaches it."""

    url = "s3://bucket"

    def __init__(self):
        self._server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        self._server.start()
        endpoint = "http://{}:{}".format(*self._server.get_host_and_port())
        keys = {"aws_access_key_id": KEY, "aws_secret_access_key": KEY, "region_name": "us-east-1"}
        self._client = boto3.client("s3", endpoint_url=endpoint, **keys)
        self._client.create_bucket(Bucket="bucket")
        self.options = [f"--s3_endpoint_url={endpoint}", "--s3_region_name=us-east-1"]
        self.options += [f"--s3_access_key_id={KEY}", f"--s3_secret_access_key={KEY}"]

    def put(self, name, data):
        self._client.put_object(Bucket="bucket", Key=name, Body=data)

    def read(self):
        keys = [entry["Key"] for entry in self._client.list_objects_v2(Bucket="bucket")["Contents"]]
        return {key: self._client.get_object(Bucket="bucket", Key=key)["Body"].read() for key in keys}

    def stop(self):
        self._server.stop()


def test_a_store_gets_what_colorize_writes_and_only_what_is_missing(tiny_model_dir, tmp_path):
    names = ["1950/a.jpg", "1950/aunt/b.png"]
    photos = {name: save_photo(tmp_path / "in" / name, seed) for seed, name in enumerate(names)}
    model = f"--model_dir={tiny_model_dir}"
    run_command("colorize", tmp_path / "in", "--recursive", f"--output_dir={tmp_path}/out", model)
    store = S3()
    try:
        for name, data in {**photos, "1950/bad.jpg": b"no photo"}.items():
            store.put(f"in/{name}", data)
        inputs = store.read()
        args = [f"--input={store.url}/in/**", f"--output={store.url}/out", model, "--", *store.options]
        done = run_command("archive", *args)
        reason = "not a readable JPEG, PNG, WebP, BMP, GIF, TIFF or AVIF image"
        assert (done.returncode, done.stderr) == (1, f"{store.url}/in/1950/bad.jpg: {reason}\n")
        expected = {f"out/{name}": (tmp_path / "out" / name).read_bytes() for name in names}
        errors = {"out/errors.tsv": f"{store.url}/in/1950/bad.jpg\t{reason}\n".encode()}
        assert store.read() == inputs | expected | errors

        store.put("out/1950/a.jpg", b"there")
        done = run_command("archive", *args)
        assert "0 photos colorized" in done.stdout and "2 were there, 1 failed" in done.stdout
        assert store.read()["out/1950/a.jpg"] == b"there"
    finally:
        store.stop()
