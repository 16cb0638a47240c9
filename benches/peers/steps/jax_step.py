"""The training step of torch_step.py in JAX, compiled as one function. Threads are set from outside (taskset).

Usage: jax_step.py CONFIG [--seconds S]      prints one JSON object
"""
import argparse, functools, json, resource, statistics, time
import jax, jax.numpy as jnp, numpy, optax
from configs import CONFIGS


def initial(key, layers, width, context, vocabulary):
    keys = iter(jax.random.split(key, 4 * layers + 2))
    matrix = lambda *shape: 0.02 * jax.random.normal(next(keys), shape)
    linear = lambda a, b: (matrix(a, b), jnp.zeros(b))
    norm = lambda: (jnp.ones(width), jnp.zeros(width))
    block = lambda: {"norm_1": norm(), "qkv": linear(width, 3 * width), "out": linear(width, width),
                     "norm_2": norm(), "up": linear(width, 4 * width), "down": linear(4 * width, width)}
    return {"tokens": matrix(vocabulary, width), "positions": matrix(context, width),
            "blocks": [block() for _ in range(layers)], "norm": norm()}


def apply(layer, x):
    return x @ layer[0] + layer[1]


def normalise(layer, x):
    centred = x - x.mean(-1, keepdims=True)
    return centred * jax.lax.rsqrt((centred ** 2).mean(-1, keepdims=True) + 1e-5) * layer[0] + layer[1]


def loss_of(parameters, x, y, heads):
    b, n = x.shape
    h = parameters["tokens"][x] + parameters["positions"]
    visible = jnp.tril(jnp.ones((n, n), bool))
    for block in parameters["blocks"]:
        parts = jnp.split(apply(block["qkv"], normalise(block["norm_1"], h)), 3, -1)
        q, k, v = (part.reshape(b, n, heads, -1).swapaxes(1, 2) for part in parts)
        scores = jnp.where(visible, q @ k.swapaxes(2, 3) / numpy.sqrt(q.shape[-1]), -jnp.inf)
        heard = (jax.nn.softmax(scores) @ v).swapaxes(1, 2).reshape(b, n, -1)
        h = h + apply(block["out"], heard)
        h = h + apply(block["down"], jax.nn.gelu(apply(block["up"], normalise(block["norm_2"], h))))
    logits = normalise(parameters["norm"], h) @ parameters["tokens"].T
    return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("config", choices=CONFIGS)
    arguments.add_argument("--seconds", type=float, default=8)
    arguments = arguments.parse_args()
    layers, heads, width, context, vocabulary, batch = CONFIGS[arguments.config]
    parameters = initial(jax.random.PRNGKey(1), layers, width, context, vocabulary)
    adamw = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(1e-3, b2=0.99, weight_decay=0.1))
    state = adamw.init(parameters)

    @functools.partial(jax.jit, donate_argnums=(0, 1))
    def update(parameters, state, x, y):
        loss, gradients = jax.value_and_grad(loss_of)(parameters, x, y, heads)
        change, state = adamw.update(gradients, state, parameters)
        return optax.apply_updates(parameters, change), state, loss

    data = numpy.random.default_rng(1).integers(vocabulary, size=(16, batch, context + 1))
    times, end = [], None
    while end is None or len(times) < 9 or time.perf_counter() < end:
        begun = time.perf_counter()
        text = data[len(times) % 16]
        parameters, state, loss = update(parameters, state, text[:, :-1], text[:, 1:])
        float(loss)
        times.append((time.perf_counter() - begun) * 1e3)
        if len(times) == 4:
            end = time.perf_counter() + arguments.seconds
    times = times[4:]  # compilation and warming up
    median = statistics.median(times)
    print(json.dumps({
        "who": "JAX " + jax.__version__,
        "config": arguments.config,
        "median_ms": median,
        "min_ms": min(times),
        "tokens_per_second": batch * context / median * 1e3,
        "peak_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }))


main()
