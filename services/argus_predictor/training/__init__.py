"""Training of heads: from a profile and labels to a head and what is known of it.

A tenth of all prompts, told by their hash, is never trained on by any training. So a new head and
the one in place can be held against each other on prompts that neither has seen, whenever and on
whatever each was trained.
"""

from argus_predictor.training.comparing import Comparison, better, compared
from argus_predictor.training.making import Trained, train
from argus_predictor.training.samples import Label, Samples, samples_of
from argus_predictor.training.splitting import held_out, kept_apart

__all__ = [
    "Comparison",
    "Label",
    "Samples",
    "Trained",
    "better",
    "compared",
    "held_out",
    "kept_apart",
    "samples_of",
    "train",
]
