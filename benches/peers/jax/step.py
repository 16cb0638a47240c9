"""The training step of ../pytorch/step.py in JAX: one function, compiled, its buffers donated. See ../turns.py.

XLA takes as many threads as the process may use processors, which ../peers.py sets.
"""
import functools
import pathlib
import sys
import jax
import jax.numpy as jnp
import numpy
import optax

sys.path.append(str(pathlib.Path(__file__).parents[1]))
from turns import sizes, take_turns

layers, heads, width, context, vocabulary, batch, _ = sizes()


def initial(key):
    keys = iter(jax.random.split(key, 4 * layers + 2))

    def matrix(*shape):
        return 0.02 * jax.random.normal(next(keys), shape)

    def linear(d_in, d_out):
        return matrix(d_in, d_out), jnp.zeros(d_out)

    def norm():
        return jnp.ones(width), jnp.zeros(width)

    def block():
        return {"norm_1": norm(), "qkv": linear(width, 3 * width), "out": linear(width, width),
                "norm_2": norm(), "up": linear(width, 4 * width), "down": linear(4 * width, width)}

    return {"tokens": matrix(vocabulary, width), "positions": matrix(context, width),
            "blocks": [block() for _ in range(layers)], "norm": norm()}


def apply(layer, x):
    return x @ layer[0] + layer[1]


def normalise(layer, x):
    centred = x - x.mean(-1, keepdims=True)
    return centred * jax.lax.rsqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * layer[0] + layer[1]


def loss_of(parameters, x, y):
    b, n = x.shape
    h = parameters["tokens"][x] + parameters["positions"]  # [b, n, d]
    visible = jnp.tril(jnp.ones((n, n), bool))
    for block in parameters["blocks"]:
        parts = jnp.split(apply(block["qkv"], normalise(block["norm_1"], h)), 3, -1)
        q, k, v = (part.reshape(b, n, heads, -1).swapaxes(1, 2) for part in parts)  # [b, h, n, e]
        scores = jnp.where(visible, q @ k.swapaxes(2, 3) / numpy.sqrt(q.shape[-1]), -jnp.inf)
        heard = (jax.nn.softmax(scores) @ v).swapaxes(1, 2).reshape(b, n, -1)
        h = h + apply(block["out"], heard)
        h = h + apply(block["down"], jax.nn.gelu(apply(block["up"], normalise(block["norm_2"], h))))
    logits = normalise(parameters["norm"], h) @ parameters["tokens"].T
    return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()


adamw = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(1e-3, b2=0.99, weight_decay=0.1))


@functools.partial(jax.jit, donate_argnums=(0, 1))
def update(parameters, state, x, y):
    loss, gradients = jax.value_and_grad(loss_of)(parameters, x, y)
    change, state = adamw.update(gradients, state, parameters)
    return optax.apply_updates(parameters, change), state, loss


parameters = initial(jax.random.PRNGKey(1))
state = adamw.init(parameters)
texts = numpy.random.default_rng(1).integers(vocabulary, size=(16, batch, context + 1), dtype=numpy.int32)
done = 0


def step():
    global parameters, state, done
    text = texts[done % 16]
    done += 1
    parameters, state, loss = update(parameters, state, text[:, :-1], text[:, 1:])
    return float(loss)


take_turns(f"JAX {jax.__version__}", step)
