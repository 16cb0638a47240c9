"""One training step in PyTorch: eager or, with --compile, compiled; with --bf16 under autocast. See ../turns.py."""
import pathlib
import sys
import torch
from torch import nn
from gpt import Gpt

sys.path.append(str(pathlib.Path(__file__).parents[1]))
from turns import sizes, take_turns

compiled, bf16 = (flag in sys.argv for flag in ("--compile", "--bf16"))
sys.argv = [word for word in sys.argv if not word.startswith("--")]
*model_sizes, batch, threads = sizes()
layers, heads, width, context, vocabulary = model_sizes
torch.set_num_threads(threads)
torch.manual_seed(1)
model = Gpt(*model_sizes)
loss_of = torch.compile(model) if compiled else model
adamw = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.99), weight_decay=0.1, fused=True)
texts = torch.randint(vocabulary, (16, batch, context + 1))
done = 0


def step():
    global done
    text = texts[done % 16]
    done += 1
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        loss = loss_of(text[:, :-1].contiguous(), text[:, 1:].contiguous())
    adamw.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    adamw.step()
    return loss.item()


kind = ("compiled" if compiled else "eager") + (" bf16" if bf16 else "")
take_turns(f"PyTorch {torch.__version__.split('+')[0]} {kind}", step)
