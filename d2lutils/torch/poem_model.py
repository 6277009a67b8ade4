"""Train the poem model that comes with the book: ``python -m d2lutils.torch.poem_model [FOLDER]``.

5.2 million parameters, 16 epochs over the 39,849 training poems; 40 minutes on two CPU cores with bfloat16 products.
"""

import argparse

import numpy as np
import torch

from ..data import load_quan_tangshi
from ..poetry import load_poem_model, poem_corpus, save_poem_model, simplify
from ..poetry.texts import PAD
from .functional import try_gpu
from .poems import PoemLSTM, evaluate_poems, train_poems

__all__ = ["as_tensors", "build", "export", "main"]

SETTINGS = {"embed_size": 256, "num_hiddens": 512, "num_layers": 2, "dropout": 0.4, "tied": True}
TRAINING = {"num_epochs": 16, "lr": 3e-3, "batch_size": 100, "bfloat16": True, "seed": 0}


def as_tensors(net):
    """A tied PoemLSTM's weights as :class:`~d2lutils.poetry.writer.PoemWriter` names them: name to NumPy array."""
    state = {name: value.detach().float().cpu().numpy() for name, value in net.state_dict().items()}
    tensors = {"embedding": state["embedding.weight"], "output_bias": state["output.bias"],
               "project": state["project.weight"], "project_bias": state["project.bias"]}  # fmt: skip
    for layer in range(net.lstm.num_layers):
        tensors[f"weight_{layer}"] = np.hstack([state[f"lstm.weight_{kind}_l{layer}"] for kind in ("ih", "hh")])
        tensors[f"bias_{layer}"] = state[f"lstm.bias_ih_l{layer}"] + state[f"lstm.bias_hh_l{layer}"]
    return tensors


def build(writer, device=None):
    """The PoemLSTM with a writer's (dequantised) weights, to evaluate what is shipped."""
    settings = {key: writer.about["settings"][key] for key in SETTINGS}
    net, t = PoemLSTM(len(writer.vocab), **settings), writer.tensors
    state = {"embedding.weight": t["embedding"], "output.weight": t["embedding"], "output.bias": t["output_bias"],
             "project.weight": t["project"], "project.bias": t["project_bias"]}  # fmt: skip
    for layer in range(writer.num_layers):
        weight, bias = t[f"weight_{layer}"], t[f"bias_{layer}"]
        size = weight.shape[1] - len(bias) // 4
        state |= {f"lstm.weight_ih_l{layer}": weight[:, :size], f"lstm.weight_hh_l{layer}": weight[:, size:],
                  f"lstm.bias_ih_l{layer}": bias, f"lstm.bias_hh_l{layer}": np.zeros_like(bias)}  # fmt: skip
    net.load_state_dict({name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in state.items()})
    return net.eval().to(device)


def export(folder, net, corpus, originals, log):
    """Save the model for PoemWriter, with the loss before and after int8 on the validation poems; returns the bytes."""
    valid, pad = corpus.encode(corpus.valid), corpus.vocab[PAD]
    characters = {old: new for old, new in zip("".join(originals), "".join(simplify(originals)), strict=True)}
    variants = {old: new for old, new in sorted(characters.items()) if old != new and new in corpus.vocab}
    about = {"settings": SETTINGS | TRAINING, "log": log, "float32_loss": evaluate_poems(net, valid, pad=pad)}
    tokens = corpus.vocab.idx_to_token
    save_poem_model(folder, as_tensors(net), tokens, variants, **about)
    about["int8_loss"] = evaluate_poems(build(load_poem_model(folder)), valid, pad=pad)
    return save_poem_model(folder, as_tensors(net), tokens, variants, **about)


def main(argv=None):
    """Train and export."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", default="data/poem", help="where the model goes (default: data/poem)")
    args = parser.parse_args(argv)
    originals = [poem.text for poem in load_quan_tangshi()]
    corpus, device = poem_corpus(simplify(originals)), try_gpu()
    torch.manual_seed(TRAINING["seed"])
    net, log = PoemLSTM(len(corpus.vocab), **SETTINGS).to(device), []

    def report(epoch, history):
        log.append([round(history.loss[-1], 4), round(history.valid_loss[-1], 4)])
        print(f"epoch {epoch}: loss {log[-1][0]}, validation {log[-1][1]}, {history.seconds:.0f} s", flush=True)

    train, valid = corpus.encode(corpus.train), corpus.encode(corpus.valid)
    train_poems(net, train, valid, pad=corpus.vocab[PAD], on_epoch=report, device=device, **TRAINING)
    print(f"{export(args.folder, net.cpu(), corpus, originals, log):,} bytes in {args.folder}")


if __name__ == "__main__":
    main()
