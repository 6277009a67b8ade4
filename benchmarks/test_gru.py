"""A training step of the GRU chapters with their own functions (vocabulary 1,465, h 256, n 32, T 35)."""

import json
import subprocess

import pytest
import torch
from conftest import ROOT

import notebooks

SIZES = {"vocab": range(1465), "num_hiddens": 256, "num_steps": 35, "batch_size": 32, "num_epochs": 1}
PYTHON = ROOT / ".venv-mxnet" / "bin" / "python"


def test_torch_step(measure):
    space = {**SIZES, "device": torch.device("cpu")}
    exec(notebooks.definitions("gru"), space)
    torch.manual_seed(0)
    space["X"], space["Y"] = torch.randint(1465, (2, 32, 35))
    ways = {"照公式写": "forward_plain", "三组权重合一": "forward_fused", "手写反向传播": "forward_manual"}
    nets = {name: space["GRUScratch"](space["get_params"](), space[way]) for name, way in ways.items()}
    nets |= {"nn.GRU，独热向量": space["LibraryGRU"](space["get_params"]()), "nn.GRU，嵌入层": space["EmbeddingGRU"]()}
    steps = {name: space["whole_step"](net) for name, net in nets.items()}
    gain = measure("one training step of the GRU, torch", steps, rounds=8, repeats=2)
    best = gain["手写反向传播"]
    assert best >= 2.0
    assert best >= 1.4 * gain["nn.GRU，独热向量"]
    assert best >= gain["nn.GRU，嵌入层"]


DRIVER = """
import json, sys, warnings
warnings.filterwarnings("ignore")
vocab, num_hiddens, num_steps, batch_size = range(1465), 256, 35, 32
from d2lutils import time_in_turn
from mxnet import cpu
ctx = cpu()
exec(sys.stdin.read())
loss_fn = gluon.loss.SoftmaxCrossEntropyLoss()
random.seed(0)
X, Y = (nd.random.randint(0, 1465, shape=(32, 35)).astype("int32") for _ in range(2))
params, library = get_params(), GluonGRU()
print(json.dumps(time_in_turn({
    "plain": lambda: outputs_and_grads(gru, get_inputs(X), params),
    "fast": lambda: outputs_and_grads(gru_fast, X.T, params),
    "gluon on one-hot": lambda: outputs_and_grads(library, X.T, []),
}, rounds=5, repeats=1, sync=nd.waitall)))
"""


@pytest.mark.skipif(not PYTHON.exists(), reason="MXNET MISSING: run `make mxnet`")
def test_mxnet_step():
    source = notebooks.definitions("gru-mxnet")
    env = {"OPENBLAS_CORETYPE": "Haswell", "PATH": ""}
    done = subprocess.run([PYTHON, "-c", DRIVER], input=source, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stderr
    seconds = json.loads(done.stdout.splitlines()[-1])
    print("\none training step of the GRU, MXNet (forward and backward)")
    for name, s in seconds.items():
        print(f"  {name:42} {s * 1e3:10.3f} ms {seconds['plain'] / s:10.2f} x")
    assert seconds["plain"] / seconds["fast"] >= 3.0
