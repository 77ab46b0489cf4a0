"""Trained heads: from a prompt and its embedding to the quality of every level. numpy only."""

from argus_predictor.heads.artefact import load, save
from argus_predictor.heads.head import Head, Predicted

__all__ = ["Head", "Predicted", "load", "save"]
