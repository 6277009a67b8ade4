"""A training step of the RNN chapter with its own functions (vocabulary 1,027, h 256, n 32, T 35)."""

import torch

import notebooks


def test_step(measure):
    space = {"vocab": range(1027), "num_hiddens": 256, "device": torch.device("cpu"), "num_epochs": 1}
    exec(notebooks.definitions("rnn"), space)
    torch.manual_seed(0)
    space["X"], space["Y"] = torch.randint(1027, (2, 32, 35))
    forwards = {"朴素写法": space["forward_plain"], "一次输出": space["forward_fast"]}
    nets = {name: space["RNNScratch"](space["get_params"](), forward) for name, forward in forwards.items()}
    nets |= {"nn.RNN，独热": space["LibraryRNN"](embedding=False), "nn.RNN，嵌入": space["LibraryRNN"](embedding=True)}
    steps = {name: space["one_step"](net) for name, net in nets.items()}
    gain = measure("one training step of the RNN", steps, rounds=15, repeats=3)
    assert gain["一次输出"] >= 1.8
    assert gain["一次输出"] >= gain["nn.RNN，嵌入"]
