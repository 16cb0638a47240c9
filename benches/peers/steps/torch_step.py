"""One GPT training step in PyTorch on the CPU, timed: forward, loss, backward, clipping, AdamW, f32, random tokens.

Usage: torch_step.py CONFIG [--compile] [--threads N] [--seconds S]      prints one JSON object
"""
import argparse, json, resource, statistics, time
import torch
from torch import nn
from torch.nn import functional as F
from configs import CONFIGS


class Block(nn.Module):
    def __init__(self, heads, width):
        super().__init__()
        self.heads = heads
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        b, n, d = x.shape
        parts = self.qkv(self.norm_1(x)).split(d, dim=-1)
        q, k, v = (part.reshape(b, n, self.heads, -1).transpose(1, 2) for part in parts)
        heard = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(heard.transpose(1, 2).reshape(b, n, d))
        return x + self.down(F.gelu(self.up(self.norm_2(x)), approximate="tanh"))


class Gpt(nn.Module):
    def __init__(self, layers, heads, width, context, vocabulary):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
        self.blocks = nn.ModuleList(Block(heads, width) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.normal_(parameter, std=0.02)

    def forward(self, x, y):
        h = self.tokens(x) + self.positions.weight[: x.shape[1]]
        for block in self.blocks:
            h = block(h)
        logits = self.norm(h) @ self.tokens.weight.T  # the tied head
        return F.cross_entropy(logits.flatten(0, 1), y.flatten())


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("config", choices=CONFIGS)
    arguments.add_argument("--compile", action="store_true")
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--seconds", type=float, default=8)
    arguments = arguments.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    layers, heads, width, context, vocabulary, batch = CONFIGS[arguments.config]
    model = Gpt(layers, heads, width, context, vocabulary)
    step_of = torch.compile(model) if arguments.compile else model
    adamw = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.99), weight_decay=0.1, fused=True)
    data = torch.randint(vocabulary, (16, batch, context + 1))

    def step(i):
        begun = time.perf_counter()
        text = data[i % 16]
        loss = step_of(text[:, :-1].contiguous(), text[:, 1:].contiguous())
        adamw.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adamw.step()
        loss.item()
        return (time.perf_counter() - begun) * 1e3

    for i in range(4):
        step(i)
    times, end = [], time.perf_counter() + arguments.seconds
    while len(times) < 5 or time.perf_counter() < end:
        times.append(step(len(times)))
    median = statistics.median(times)
    print(json.dumps({
        "who": "PyTorch " + torch.__version__ + (" compiled" if arguments.compile else " eager"),
        "config": arguments.config,
        "median_ms": median,
        "min_ms": min(times),
        "tokens_per_second": batch * context / median * 1e3,
        "peak_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }))


main()
