"""Keras on TensorFlow: the same measurements as `benchmarks.inception`."""

import os
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import tensorflow as tf

from benchmarks.inception_work import image_size, random_images
from benchmarks.timing import rates, time_runs
from benchmarks.work import Work, measure_one, usable_processors

LEARNING_RATE = 1e-3


def measure(work: Work) -> dict[str, Any]:
    tf.config.threading.set_intra_op_parallelism_threads(len(usable_processors()))
    size = image_size(work)
    network = keras.applications.InceptionV3(
        include_top=False, weights=None, input_shape=(size, size, 3)
    )
    images = tf.constant(random_images(size, work.batch_size))
    optimizer = keras.optimizers.SGD(LEARNING_RATE)
    optimizer.build(network.trainable_variables)

    @tf.function
    def infer() -> Any:
        return network(images, training=False)

    @tf.function
    def train() -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(network(images, training=True) ** 2)
        gradient = tape.gradient(loss, network.trainable_variables)
        optimizer.apply_gradients(zip(gradient, network.trainable_variables, strict=True))
        return loss

    step = train if work.mode == "train" else infer
    results = rates("images", work.batch_size, time_runs(lambda: step().numpy(), work.seconds))
    milliseconds = round(1e3 * work.batch_size / results["images_s_median"], 1)
    return {**results, "step_ms_median": milliseconds, "version": keras.__version__}


if __name__ == "__main__":
    measure_one("keras", measure)
