"""Training on several processes at once, as torchrun starts them, or on one; on a GPU or without."""

import os
import time

import torch
import torch.distributed as dist


def set_up_ranks():
    """This process's rank, and how many there are."""
    if "RANK" in os.environ:
        dist.init_process_group("gloo")
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


def choose_device(name):
    """"auto" is a GPU where there is one: with several ranks, each takes one."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and dist.is_initialized():
        name = f"cuda:{dist.get_rank() % torch.cuda.device_count()}"
    return torch.device(name)


def part_of_time(begun, seconds):
    """How much of the time given is over, the same on every rank, so that all end with the same step."""
    part = torch.tensor([(time.time() - begun) / seconds])
    if dist.is_initialized():
        dist.broadcast(part, 0)
    return part.item()


def leave_together():
    """Waits for all ranks: torchrun would end those that still save once the first has gone."""
    if dist.is_initialized():
        dist.barrier()
        dist.destroy_process_group()
