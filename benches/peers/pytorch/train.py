"""Trains the character model in PyTorch as nanoGPT's train.py does, with the flags that its README gives for a CPU.

Arguments: TEXT THREADS [UPDATES]. 4 layers, 4 heads, 128 wide, context 64, batch 12, no dropout, no bias; AdamW at 1e-3,
100 updates of warm-up, cosine to 1e-4, weight decay 0.1 for matrices, clipping at 1; the loss on 20 batches every 250
updates, with a checkpoint where it is lower. Prints a JSON object.
"""
import json
import math
import pathlib
import sys
import tempfile
import time
import torch
from torch import nn
from gpt import Gpt

CONTEXT, BATCH, WARM_UP, RATE, LEAST = 64, 12, 100, 1e-3, 1e-4


def main():
    begun = time.perf_counter()
    text = pathlib.Path(sys.argv[1]).read_text()
    updates = int(sys.argv[3]) if len(sys.argv) > 3 else 2000
    torch.set_num_threads(int(sys.argv[2]))
    torch.manual_seed(1337)
    numbers = {character: number for number, character in enumerate(sorted(set(text)))}
    ids = torch.tensor([numbers[character] for character in text])
    cut = int(0.9 * len(ids))
    parts = {"train": ids[:cut], "val": ids[cut:]}
    model = Gpt(4, 4, 128, CONTEXT, len(numbers), bias=False)
    matrices = [parameter for parameter in model.parameters() if parameter.dim() >= 2]
    others = [parameter for parameter in model.parameters() if parameter.dim() < 2]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    adamw = torch.optim.AdamW(groups, lr=RATE, betas=(0.9, 0.99))
    checkpoint = pathlib.Path(tempfile.mkdtemp()) / "ckpt.pt"

    def batch(part):
        data = parts[part]
        starts = torch.randint(len(data) - CONTEXT, (BATCH,)).tolist()
        x = torch.stack([data[i : i + CONTEXT] for i in starts])
        y = torch.stack([data[i + 1 : i + 1 + CONTEXT] for i in starts])
        return x, y

    def rate(update):
        if update < WARM_UP:
            return RATE * (update + 1) / (WARM_UP + 1)
        along = (update - WARM_UP) / (updates - WARM_UP)
        return LEAST + 0.5 * (1 + math.cos(math.pi * along)) * (RATE - LEAST)

    @torch.no_grad()
    def estimate():
        model.eval()
        losses = {part: sum(model(*batch(part)).item() for _ in range(20)) / 20 for part in parts}
        model.train()
        return losses["val"]

    best = math.inf
    for update in range(updates + 1):
        for group in adamw.param_groups:
            group["lr"] = rate(update)
        if update % 250 == 0 or update == updates:
            estimated = estimate()
            print(f"update {update}: validation loss {estimated:.4f}, {time.perf_counter() - begun:.0f} s", file=sys.stderr)
            if estimated < best:
                best = estimated
                torch.save({"model": model.state_dict(), "optimizer": adamw.state_dict()}, checkpoint)
        if update == updates:
            break
        loss = model(*batch("train"))
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adamw.step()
        adamw.zero_grad(set_to_none=True)
        loss.item()  # nanoGPT prints it
    seconds = time.perf_counter() - begun

    # Not part of the time: the loss on the whole validation part, in windows side by side, as ours is told.
    with torch.no_grad():
        model.eval()
        data = parts["val"]
        n = (len(data) - 1) // CONTEXT
        x, y = data[: n * CONTEXT].view(n, CONTEXT), data[1 : n * CONTEXT + 1].view(n, CONTEXT)
        windows = [(x[i : i + 100], y[i : i + 100]) for i in range(0, n, 100)]
        whole = sum(model(*window).item() * len(window[0]) for window in windows) / n
    print(json.dumps({"seconds": seconds, "val_loss": whole, "val_loss_20_batches": estimated, "updates": updates}))


main()
