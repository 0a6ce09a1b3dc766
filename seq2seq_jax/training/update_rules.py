"""Update rules: the factories that `optimizer.name` can choose.

A factory takes the learning rate, which is a number or a schedule, and the keywords of
`optimizer.params`. It returns an optax transformation. Any function of that form can be named by
its dotted path: `optimizer.name=optax.contrib.muon`.
"""

from typing import Annotated

import optax

from seq2seq_jax.schema.parameters import Aliases
from seq2seq_jax.schema.rules import FACTOR, FRACTION, above, at_least
from seq2seq_jax.training.schedules import Schedule

_LearningRate = float | Schedule
_FirstMoment = Annotated[float, FRACTION, Aliases(("beta1",))]
_SecondMoment = Annotated[float, FRACTION, Aliases(("beta2",))]
_Epsilon = Annotated[float, above(0), Aliases(("epsilon",))]
_Nesterov = Annotated[bool, Aliases(("use_nesterov",))]
_WeightDecay = Annotated[float, FACTOR]


def Adam(
    learning_rate: _LearningRate,
    b1: _FirstMoment = 0.9,
    b2: _SecondMoment = 0.999,
    eps: _Epsilon = 1e-8,
) -> optax.GradientTransformation:
    """Return Adam (Kingma and Ba 2015, arXiv:1412.6980).

    Unlike TensorFlow, optax adds epsilon to the bias-corrected root.

    Args:
      learning_rate: A number or a schedule.
      b1: Decay of the mean of gradients.
      b2: Decay of the mean of squared gradients.
      eps: Small constant that keeps the division finite.
    """
    return optax.adam(learning_rate, b1=b1, b2=b2, eps=eps)


def AdamW(
    learning_rate: _LearningRate,
    b1: _FirstMoment = 0.9,
    b2: _SecondMoment = 0.999,
    eps: _Epsilon = 1e-8,
    weight_decay: _WeightDecay = 1e-4,
) -> optax.GradientTransformation:
    """Return Adam with decoupled weight decay (Loshchilov and Hutter 2019, arXiv:1711.05101).

    Args:
      learning_rate: A number or a schedule.
      b1: Decay of the mean of gradients.
      b2: Decay of the mean of squared gradients.
      eps: Small constant that keeps the division finite.
      weight_decay: Decoupled weight decay.
    """
    return optax.adamw(learning_rate, b1=b1, b2=b2, eps=eps, weight_decay=weight_decay)


def SGD(learning_rate: _LearningRate) -> optax.GradientTransformation:
    """Return stochastic gradient descent without momentum.

    Args:
      learning_rate: A number or a schedule.
    """
    return optax.sgd(learning_rate)


def Momentum(
    learning_rate: _LearningRate,
    momentum: Annotated[float, FRACTION] = 0.9,
    nesterov: _Nesterov = False,
) -> optax.GradientTransformation:
    """Return stochastic gradient descent with momentum.

    Unlike TensorFlow, optax decays all rows of an embedding table, not only those in the batch.

    Args:
      learning_rate: A number or a schedule.
      momentum: Decay of the accumulated gradient.
      nesterov: Use Nesterov's momentum.
    """
    return optax.sgd(learning_rate, momentum=momentum, nesterov=nesterov)


def RMSProp(
    learning_rate: _LearningRate,
    decay: Annotated[float, FRACTION, Aliases(("rho",))] = 0.9,
    eps: _Epsilon = 1e-8,
    initial_scale: Annotated[float, at_least(0)] = 0.0,
    centered: bool = False,
    momentum: Annotated[float, FRACTION] = 0.0,
    nesterov: _Nesterov = False,
) -> optax.GradientTransformation:
    """Return RMSProp (Tieleman and Hinton 2012).

    Unlike TensorFlow, optax decays all rows of an embedding table, not only those in the batch.

    Args:
      learning_rate: A number or a schedule.
      decay: Decay of the mean of squared gradients.
      eps: Small constant that keeps the division finite.
      initial_scale: Initial mean of squared gradients.
      centered: Divide by the standard deviation instead of the root mean square.
      momentum: Momentum on the scaled gradients.
      nesterov: Use Nesterov's momentum.
    """
    return optax.rmsprop(
        learning_rate,
        decay=decay,
        eps=eps,
        initial_scale=initial_scale,
        centered=centered,
        momentum=momentum,
        nesterov=nesterov,
    )


def Adagrad(
    learning_rate: _LearningRate,
    initial_accumulator_value: Annotated[float, at_least(0)] = 0.1,
    eps: _Epsilon = 1e-7,
) -> optax.GradientTransformation:
    """Return Adagrad (Duchi, Hazan and Singer 2011).

    Args:
      learning_rate: A number or a schedule.
      initial_accumulator_value: Initial sum of squared gradients.
      eps: Small constant that keeps the division finite.
    """
    return optax.adagrad(learning_rate, initial_accumulator_value, eps)


def Adadelta(
    learning_rate: _LearningRate,
    rho: Annotated[float, FRACTION] = 0.9,
    eps: _Epsilon = 1e-6,
    weight_decay: _WeightDecay = 0.0,
) -> optax.GradientTransformation:
    """Return Adadelta (Zeiler 2012, arXiv:1212.5701).

    Args:
      learning_rate: A number or a schedule.
      rho: Decay of both means of squares.
      eps: Small constant that keeps the division finite.
      weight_decay: Decoupled weight decay.
    """
    return optax.adadelta(learning_rate, rho=rho, eps=eps, weight_decay=weight_decay)


def Adafactor(
    learning_rate: _LearningRate,
    min_dim_size_to_factor: Annotated[int, at_least(1)] = 128,
    decay_rate: Annotated[float, FRACTION] = 0.8,
    decay_offset: Annotated[int, at_least(0)] = 0,
    multiply_by_parameter_scale: bool = True,
    clipping_threshold: Annotated[float, above(0)] = 1.0,
    eps: _Epsilon = 1e-30,
    factored: bool = True,
) -> optax.GradientTransformation:
    """Return Adafactor (Shazeer and Stern 2018, arXiv:1804.04235).

    Args:
      learning_rate: A number or a schedule.
      min_dim_size_to_factor: Smaller matrices are not factored.
      decay_rate: Exponent of the decay of second moments.
      decay_offset: Steps by which that decay starts later.
      multiply_by_parameter_scale: Scale the updates by the root mean square of the parameters.
      clipping_threshold: Largest root mean square of an update.
      eps: Small constant that keeps the division finite.
      factored: Store row and column sums instead of the full second moments.
    """
    return optax.adafactor(
        learning_rate,
        min_dim_size_to_factor=min_dim_size_to_factor,
        decay_rate=decay_rate,
        decay_offset=decay_offset,
        multiply_by_parameter_scale=multiply_by_parameter_scale,
        clipping_threshold=clipping_threshold,
        eps=eps,
        factored=factored,
    )
