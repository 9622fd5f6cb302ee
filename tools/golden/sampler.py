# Writes golden/diffusers/sampler: noise, noise levels and whole trajectories.
# Versions: tools/requirements.txt, on a CPU with AVX2.
import json
import os

import torch
from diffusers import FlowMatchEulerDiscreteScheduler, UniPCMultistepScheduler
from safetensors.torch import save_file

folder = os.path.join(os.path.dirname(__file__), "../../golden/diffusers/sampler")
os.makedirs(f"{folder}/refused", exist_ok=True)

# ---- noise ----
tensors = {}
for seed in [0, 1, 42, -1, 2**32 + 5, 2**63, 2**64 - 7]:
    for count in [1, 2, 5, 15, 16, 17, 31, 32, 33, 100, 700]:
        generator = torch.Generator("cpu").manual_seed(seed)
        tensors[f"{seed % 2**64}.{count}"] = torch.randn(count, generator=generator)
generator = torch.Generator("cpu").manual_seed(3)
for i, count in enumerate([5, 20, 3, 16, 1]):
    tensors[f"sequence.{i}"] = torch.randn(count, generator=generator)
save_file(tensors, f"{folder}/noise.safetensors")

# ---- noise levels ----
wan = dict(prediction_type="flow_prediction", use_flow_sigmas=True)


def unipc(**options):
    return UniPCMultistepScheduler(**wan, **options)


def euler(shift, **options):
    return FlowMatchEulerDiscreteScheduler(shift=shift, **options)


tensors = {}
for steps in [1, 2, 3, 4, 5, 10, 20, 30, 50, 100]:
    for shift in [1.0, 3.0, 5.0, 8.0]:
        for name, scheduler in [("unipc", unipc(flow_shift=shift)), ("euler", euler(shift))]:
            scheduler.set_timesteps(steps)
            tensors[f"{name}.{shift:g}.{steps}.sigmas"] = scheduler.sigmas.float()
            tensors[f"{name}.{shift:g}.{steps}.timesteps"] = scheduler.timesteps.float()
save_file(tensors, f"{folder}/levels.safetensors")

# ---- trajectories ----
# Each step's model output is a fixed random tensor. From step `start` on (an image-to-image run).
elements = 64
many, few = [1, 2, 3, 4, 5, 10, 20, 50], [1, 2, 3, 7, 20]
cases = {
    "unipc": (unipc(flow_shift=5.0), many),
    "unipc_shift_1": (unipc(flow_shift=1.0), few),
    "unipc_order_1": (unipc(flow_shift=3.0, solver_order=1), few),
    "unipc_order_3": (unipc(flow_shift=3.0, solver_order=3), few),
    "unipc_bh1": (unipc(flow_shift=3.0, solver_type="bh1", final_sigmas_type="sigma_min"), few),
    "unipc_no_corrector": (unipc(flow_shift=3.0, disable_corrector=[0, 2]), few),
    "unipc_full_order": (unipc(flow_shift=3.0, lower_order_final=False, final_sigmas_type="sigma_min"), few),
    "euler": (euler(5.0), many),
    "euler_shift_1": (euler(1.0), few),
}
generator = torch.Generator("cpu").manual_seed(0)
tensors = {
    "noise": torch.randn(1, 1, elements, generator=generator),
    "original": torch.randn(1, 1, elements, generator=generator),
    "noise_pred": torch.randn(max(many), 1, 1, elements, generator=generator),
}


def run(scheduler, steps, start, sample):
    scheduler.set_timesteps(steps)
    scheduler.set_begin_index(start)
    result = []
    for i in range(start, steps):
        sample = scheduler.step(tensors["noise_pred"][i], scheduler.timesteps[i], sample, return_dict=False)[0]
        assert sample.isfinite().all()
        result.append(sample)
    return torch.stack(result)


for name, (scheduler, counts) in cases.items():
    scheduler.to_json_file(f"{folder}/{name}.json")
    for steps in counts:
        tensors[f"{name}.{steps}"] = run(scheduler, steps, 0, tensors["noise"])
for name in ["unipc", "euler"]:
    scheduler, steps, start = cases[name][0], 20, 8
    scheduler.set_timesteps(steps)
    scheduler.set_begin_index(start)
    timestep = scheduler.timesteps[start : start + 1]
    if name == "unipc":
        noised = scheduler.add_noise(tensors["original"], tensors["noise"], timestep)
    else:
        noised = scheduler.scale_noise(tensors["original"], timestep, tensors["noise"])
    tensors[f"{name}.noised"] = noised
    tensors[f"{name}.from_8"] = run(scheduler, steps, start, noised)
save_file(tensors, f"{folder}/trajectories.safetensors")

# Configs that must be refused.
for name, options in {
    "karras": {**wan, "use_karras_sigmas": True},
    "epsilon": {"prediction_type": "epsilon"},
    "data_prediction_off": {**wan, "predict_x0": False},
    "order_9": {**wan, "solver_order": 9},
    "no_limit": {**wan, "lower_order_final": False},
}.items():
    UniPCMultistepScheduler(**options).to_json_file(f"{folder}/refused/{name}.json")
euler(1.0, use_dynamic_shifting=True).to_json_file(f"{folder}/refused/dynamic.json")
with open(f"{folder}/refused/other.json", "w") as file:
    json.dump({"_class_name": "DDIMScheduler", "flow_shift": 3.0}, file)
