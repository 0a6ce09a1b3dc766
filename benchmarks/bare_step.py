"""The training step without the loop, on the same batches: `bare_step CONFIG STEPS`.

Prints a JSON object: step -> the time after it, for every `log_every_n_steps` steps.
"""

import json
import sys
import time
from tempfile import TemporaryDirectory

import jax

from seq2seq_jax.config import load_config, resolve
from seq2seq_jax.devices.memory import tune_malloc
from seq2seq_jax.devices.parallel import Devices
from seq2seq_jax.models.build import build_model, init_params
from seq2seq_jax.problems.protocol import problem_of
from seq2seq_jax.storage.workdir import Workdir
from seq2seq_jax.training.optimizers import OptimizerConfig, make_optimizer
from seq2seq_jax.training.train_step import create_train_state, make_train_step


def bare_step_moments(config_file: str, steps: int) -> dict[int, float]:
    """Run the steps.

    Args:
      config_file: The configuration.
      steps: The number of steps.

    Returns:
      Logged step -> the time in seconds after it.
    """
    config = resolve(load_config(config_file), [])
    with TemporaryDirectory() as folder:
        data = problem_of(config).prepare_training(config, Workdir(folder), Devices())
    batches = [next(data.batches) for _ in range(steps)]
    sizes = data.vocabularies.source.size, data.vocabularies.target.size
    model = build_model(config, *sizes)
    optimizer = make_optimizer(OptimizerConfig.from_config(config.optimizer))
    step = Devices().compile_step(make_train_step(model, optimizer))
    state = create_train_state(init_params(model, config.seed), optimizer)
    moments, pending = {}, []
    for number, batch in enumerate(batches, start=1):
        state, metrics = step(state, batch)
        pending.append(metrics)
        if number % config.log_every_n_steps == 0:
            jax.device_get(pending)
            pending = []
            moments[number] = time.perf_counter()
    return moments


if __name__ == "__main__":
    tune_malloc()
    print(json.dumps(bare_step_moments(sys.argv[1], int(sys.argv[2]))))
