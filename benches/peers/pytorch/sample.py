"""Lets PyTorch write as nanoGPT's sample.py does: for every token the last `context` ones go through the whole model.

Arguments: RUN_DIRECTORY TOKENS TIMES THREADS. It takes the model of a run of `transformer train`. Prints a JSON object:
the seconds of each time. With 0 times it writes once, always the likeliest token, and prints the text.
"""
import json
import pathlib
import struct
import sys
import time
import numpy
import torch
from torch.nn import functional as F
from gpt import Gpt

OURS = {"norm_1": "ln_1", "qkv": "attn.c_attn", "out": "attn.c_proj", "norm_2": "ln_2", "up": "mlp.c_fc", "down": "mlp.c_proj"}


def safetensors(path):
    """{name: tensor}: the length of a header in JSON, the header, the numbers."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    found = {}
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            numbers = numpy.frombuffer(data[8 + length + begin : 8 + length + end], "<f4")
            found[name] = torch.from_numpy(numbers.reshape(entry["shape"]).copy())
    return found


def load(run):
    config = json.loads((run / "config.json").read_text())
    sizes = (config[name] for name in ("n_layer", "n_head", "n_embd", "n_positions", "vocab_size"))
    model = Gpt(*sizes, bias=config["bias"]).eval()
    ours = safetensors(run / "model.safetensors")
    weights = {
        "tokens.weight": ours["transformer.wte.weight"],
        "head.weight": ours["transformer.wte.weight"],
        "positions.weight": ours["transformer.wpe.weight"],
    }
    for name in model.state_dict():
        first, *rest, kind = name.split(".")
        if first == "blocks":
            number, layer = rest
            theirs = ours[f"transformer.h.{number}.{OURS[layer]}.{kind}"]
            weights[name] = theirs.T if theirs.dim() == 2 else theirs  # a Linear holds its matrix transposed
        elif first == "norm":
            weights[name] = ours[f"transformer.ln_f.{kind}"]
    model.load_state_dict(weights)
    return model


@torch.no_grad()
def generate(model, ids, new, temperature=0.8, top_k=200):
    for _ in range(new):
        logits = model(ids[:, -model.context :])  # [1, v]
        if temperature == 0:
            token = logits.argmax(-1, keepdim=True)
        else:
            logits = logits / temperature
            least, _ = torch.topk(logits, min(top_k, logits.shape[-1]))
            logits[logits < least[:, [-1]]] = -float("inf")
            token = torch.multinomial(F.softmax(logits, -1), 1)
        ids = torch.cat((ids, token), 1)
    return ids


def main():
    run, new, times, threads = pathlib.Path(sys.argv[1]), *map(int, sys.argv[2:])
    torch.set_num_threads(threads)
    torch.manual_seed(1337)
    model = load(run)
    vocabulary = json.loads((run / "tokenizer.json").read_text())["model"]["vocab"]
    start = torch.tensor([[vocabulary["\n"]]])
    if times == 0:
        characters = {number: text for text, number in vocabulary.items()}
        ids = generate(model, start, new, temperature=0)[0].tolist()
        print(json.dumps({"text": "".join(characters[number] for number in ids)}))
        return
    seconds = []
    for _ in range(times):
        begun = time.perf_counter()
        generate(model, start, new)
        seconds.append(time.perf_counter() - begun)
    print(json.dumps({"seconds": seconds}))


main()
