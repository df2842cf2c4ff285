#!/usr/bin/env python
"""Writes `recorded.json` and `printed.json`: what the scripts print under real PyTorch.

    python tests/programs/record.py [MNIST_ROOT]

Needs PyTorch 2.13, scikit-learn, einops and pandas; the scripts that read MNIST also torchvision
and its files, others torchvision alone. They keep their recorded values where these are absent.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
TARGET = HERE / "recorded.json"
PRINTED = HERE / "printed.json"

RUNS = [
    "sine.py",
    "digits.py logistic --runs 10",
    "digits.py linear --steps 1500",
    "digits.py relu --steps 2000",
    "digits.py relu --steps 2000 --runs 3",
    "digits.py tanh --steps 2000",
    "digits.py sigmoid --steps 2000",
    "digits.py deep",
    "digits.py cnn --steps 300",
    "digits.py cnn",
    "linear_regression.py",
    "classifiers.py",
    "spiral.py",
    "toy_line.py",
    "iris.py 60",
    "mlp_by_hand.py",
    "cnn_sgd.py",
    "mlp_adamw.py",
    "tensors.py",
]
MNIST_RUNS = [
    "mnist_cnn.py MNIST --steps 40",
    "mnist_cnn.py MNIST --epochs 10",
    "mlp_by_hand.py MNIST",
]

PROGRAMS = [
    "actor_critic.py",
    "bilstm_crf.py",
    "character_gpt.py",
    "coupling_flow.py",
    "custom_data.py",
    "custom_functions.py",
    "distillation_amp.py",
    "dqn.py",
    "forward_derivatives.py",
    "forward_forward.py",
    "graph_networks.py",
    "key_value_cache.py",
    "maml.py",
    "masked_language_model.py",
    "mixture_density_averages.py",
    "normalizing_flow.py",
    "parametrized_layers.py",
    "pinn.py",
    "reinforce.py",
    "saliency_and_attacks.py",
    "seq2seq_attention.py",
    "seq2seq_transformer.py",
    "sorted_statistics.py",
    "spectral_methods.py",
    "speech_ctc.py",
    "time_sequence.py",
    "unet.py",
    "vit.py",
    "wavenet_by_hand.py",
    "word2vec.py",
    "word_language_model.py",
    "word_language_model.py --model GRU --tied",
    "word_language_model.py --model Transformer --lr 5",
]
VISION_PROGRAMS = [
    "dcgan.py",
    "imagenet_resume.py",
    "mnist_adadelta.py",
    "neural_style.py",
    "resnet_onecycle.py",
    "siamese.py",
    "super_resolution.py",
    "vae.py",
]


def printed_by(run: str) -> str:
    """What a program prints; the files that it writes go to a folder of its own."""
    script, *arguments = run.split()
    command = [sys.executable, "-W", "ignore", str(HERE / "scripts" / script), *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder:
        out = subprocess.run(
            command, check=True, stdout=subprocess.PIPE, text=True, env=environment, cwd=folder
        )
    return out.stdout


def write(target: Path, recorded: dict[str, object]) -> None:
    lines = (f"{json.dumps(key)}: {json.dumps(value)}" for key, value in recorded.items())
    target.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def record_programs() -> None:
    recorded = json.loads(PRINTED.read_text()) if PRINTED.exists() else {}
    vision = importlib.util.find_spec("torchvision") is not None
    for run in PROGRAMS + (VISION_PROGRAMS if vision else []):
        recorded[run] = printed_by(run)
        print(run, file=sys.stderr)
    write(PRINTED, recorded)


def result_of(run: str, root: str) -> object:
    script, *arguments = run.split()
    arguments = [root if argument == "MNIST" else argument for argument in arguments]
    command = [sys.executable, "-W", "ignore", str(HERE / "scripts" / script), *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return out.stdout if script == "tensors.py" else json.loads(out.stdout.splitlines()[-1])


def main() -> None:
    recorded = json.loads(TARGET.read_text()) if TARGET.exists() else {}
    root = sys.argv[1] if len(sys.argv) > 1 else ""
    vision = root and importlib.util.find_spec("torchvision") is not None
    for run in RUNS + (MNIST_RUNS if vision else []):
        recorded[run] = result_of(run, root)
        print(run, file=sys.stderr)
    write(TARGET, recorded)
    record_programs()


if __name__ == "__main__":
    main()
