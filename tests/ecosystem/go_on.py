"""Goes on training an exported model on several processes.

    torchrun --nproc_per_node=2 tests/ecosystem/go_on.py EXPORTED TEXT OUT
"""

import sys

import torch
import torch.distributed
from torch.nn.parallel import DistributedDataParallel
from transformers import AutoModelForCausalLM, AutoTokenizer

STEPS, BATCH = 30, 4

exported, text, out = sys.argv[1:]
torch.distributed.init_process_group("gloo")  # "nccl" on GPUs
rank = torch.distributed.get_rank()
torch.manual_seed(rank)

tokenizer = AutoTokenizer.from_pretrained(exported)
model = DistributedDataParallel(AutoModelForCausalLM.from_pretrained(exported).train())
tokens = torch.tensor(tokenizer(open(text).read())["input_ids"])
length = model.module.config.max_position_embeddings
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
for step in range(STEPS):
    starts = torch.randint(len(tokens) - length, (BATCH,)).tolist()
    batch = torch.stack([tokens[start : start + length] for start in starts])
    loss = model(input_ids=batch, labels=batch).loss
    loss.backward()  # gradients are averaged over the processes
    optimizer.step()
    optimizer.zero_grad()
    if rank == 0 and step in (0, STEPS - 1):
        print(f"loss of step {step}: {loss.item()}")
if rank == 0:
    model.module.save_pretrained(out)
    tokenizer.save_pretrained(out)
torch.distributed.destroy_process_group()
