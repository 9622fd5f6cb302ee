"""Do the text's embeddings say what the captions say? A small reader, trained beside the text encoder.

Flow matching alone teaches a text encoder slowly which colour belongs to which noun: after some thousand steps
"navy top" still gave any top. So each group of phrases that exclude each other gets a query that attends to the
embeddings, as the transformer's cross-attention does, and reads off which phrase the caption holds, or none. The loss
goes into the text encoder; the reader itself is not part of the model.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F

from lake import SKYT
from portrait import EYES, HAIR, LIGHT, SKIN, STYLES, TOP

GROUPS = [
    [f"{colour} hair" for colour in HAIR],
    [f"{colour} skin" for colour in SKIN],
    [f"{colour} eyes" for colour in EYES],
    [f"{colour} top" for colour in TOP],
    list(LIGHT),
    STYLES,
    ["looking left", "looking right", "looking at the camera", "looking slightly off-camera"],
    ["young woman", "young man"],
    ["with long ", "with shoulder-length", "with curly", "with short"],
    ["glasses"],
    ["earrings"],
    ["smiling"],
    [f"A {time}" for time in SKYT],
    ["mountains"],
    ["pine trees"],
    ["a small boat"],
    ["soft clouds"],
    ["head toward the camera", "head turn toward the camera", "head to the left", "head to the right"],
    ["slightly turns", "slowly turns", "subtle head turn"],
    ["gives a subtle smile", "smiles", "starts to smile", "smile fades"],
    ["gentle breeze", "strong wind"],
    ["slow push-in", "fast push-in", "slow pull-out", "slow pan to the left", "slow pan to the right"],
    ["gentle lighting shift", "strong lighting shift"],
    ["blinks"],
    ["rises slowly"],
    ["ripples"],
    ["clouds drift"],
    ["boat drifts to the left", "boat drifts to the right"],
    ["holds still"],
    ["calm water"],
]
MOST = max(len(group) for group in GROUPS) + 1


def labels(texts):
    """[texts, groups]: the number of the phrase from 1 on, 0 for none."""
    return torch.tensor(
        [[next((i + 1 for i, phrase in enumerate(group) if phrase in text), 0) for group in GROUPS] for text in texts]
    )


class AttributeReader(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.query = nn.Parameter(torch.randn(len(GROUPS), dim) * 0.05)
        self.key = nn.Linear(dim, dim)
        self.heads = nn.Parameter(torch.zeros(len(GROUPS), dim, MOST))
        self.bias = nn.Parameter(torch.zeros(len(GROUPS), MOST))
        self.register_buffer("sizes", torch.tensor([len(group) + 1 for group in GROUPS]), persistent=False)

    def forward(self, hidden, real, texts):
        """Cross-entropy.   hidden: [texts, tokens, dim]; real: [texts, tokens], 1 where there is a token"""
        hidden, wanted = hidden.float(), labels(texts).to(hidden.device)
        keys = F.linear(hidden, self.key.weight.float(), self.key.bias)
        scores = torch.einsum("gd,bld->bgl", self.query.float(), keys) / hidden.shape[-1] ** 0.5
        seen = scores.masked_fill(real[:, None] == 0, -1e9).softmax(-1) @ hidden
        logits = torch.einsum("bgd,gdc->bgc", seen, self.heads) + self.bias
        logits = logits.masked_fill(torch.arange(MOST, device=hidden.device) >= self.sizes[:, None], -1e9)
        return F.cross_entropy(logits.flatten(0, 1), wanted.flatten())
