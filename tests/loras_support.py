"""LoRAs of random weights, written as a training writes them."""

from __future__ import annotations

import torch
from peft import LoraConfig, get_peft_model_state_dict
from safetensors.torch import load, save_file

from argus_worker.families import find_family


def write_lora(case, path, seed, part=None):
    """As a training would: through the pipeline's own writer, with weights that are not zeros."""
    pipeline, net = case.build(), part or find_family(case.family).DENOISER
    targets = [
        name
        for name, module in getattr(pipeline, net).named_modules()
        if isinstance(module, torch.nn.Linear)
        and name.rpartition(".")[2] in ("to_q", "to_v", "q_proj")
    ]
    assert targets
    adapted = getattr(pipeline, net)
    adapted.add_adapter(LoraConfig(r=2, lora_alpha=4, target_modules=targets))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_" in name:
                parameter.normal_(std=0.3, generator=generator)
    if part is None:
        adapted.save_lora_adapter(path.parent, weight_name=path.name)
        found = load(path.read_bytes())
    else:
        # transformers' own models have no writer of diffusers' form.
        found = get_peft_model_state_dict(adapted, adapter_name="default")
    weights = {f"{net}.{key}": value for key, value in found.items()}
    save_file(weights, path)
    return path
