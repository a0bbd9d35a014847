"""Photos from files, TFDS or TFRecord shards, as tf.data batches of (l, ab)."""
