"""Training on several processes at once, as torchrun starts them, or on one."""

import os
import time

import torch
import torch.distributed as dist


def set_up_ranks():
    """This process's rank, and how many there are."""
    if "RANK" in os.environ:
        dist.init_process_group("gloo")
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


def part_of_time(begun, seconds):
    """How much of the time given is over, the same on every rank, so that all end with the same step."""
    part = torch.tensor([(time.time() - begun) / seconds])
    if dist.is_initialized():
        dist.broadcast(part, 0)
    return part.item()
