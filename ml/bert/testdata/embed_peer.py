"""The embeddings of a BERT encoder by ONNX Runtime, in turns with ours (peer_test.go).

usage: embed_peer.py ENCODER IDS [plain]     needs onnxruntime, onnx, numpy, safetensors

Builds the encoder with mean pooling as an ONNX graph: of the operators that ONNX Runtime's own
optimizer of BERT makes (plain: of those that an export has). IDS is a JSON list of lists of ids.
Reads lines, "order" or "sorted", embeds all texts in batches of 32, each padded to its longest,
and answers {"ms": ...}; "vectors N" answers the first N texts' vectors; "one N" runs the first N
texts one by one, on inputs that are ready, and answers the time of each, {"all": [...]}.
"""
import json, os, sys, tempfile, time
import numpy as np, onnx, onnxruntime as ort
from onnx import TensorProto as T, helper as h, numpy_helper
from safetensors.numpy import load_file


def build(folder, fused):
    c = json.load(open(os.path.join(folder, "config.json")))
    heads, hidden, eps = c["num_attention_heads"], c["hidden_size"], c.get("layer_norm_eps", 1e-12)
    w = {n.removeprefix("bert."): a.astype(np.float32) for n, a in load_file(os.path.join(folder, "model.safetensors")).items() if a.dtype != np.int64}
    nodes, init = [], {}

    def const(name, a):
        init.setdefault(name, numpy_helper.from_array(np.ascontiguousarray(a), name))
        return name

    def op(kind, inputs, domain="", outputs=1, **attr):
        out = [f"v{len(nodes)}_{i}" for i in range(outputs)]
        nodes.append(h.make_node(kind, inputs, out, domain=domain, **attr))
        return out[0]

    def weight(name):
        return const(name + ".T", w[name].T)

    def norm(x, name):
        return op("LayerNormalization", [x, const(name + ".w", w[name + ".weight"]), const(name + ".b", w[name + ".bias"])], axis=-1, epsilon=eps)

    def dense(x, name):
        return op("Add", [op("MatMul", [x, weight(name + ".weight")]), const(name + ".bias", w[name + ".bias"])])

    def add_norm(x, y, name, bias=None):
        if not fused:
            return norm(op("Add", [x, y]), name)
        extra = [] if bias is None else [const(bias, w[bias])]
        return op("SkipLayerNormalization", [x, y, const(name + ".w", w[name + ".weight"]), const(name + ".b", w[name + ".bias"])] + extra, "com.microsoft", epsilon=eps)

    zero = const("zero", np.array([0], np.int64))
    positions = op("Slice", [const("pos", w["embeddings.position_embeddings.weight"]), zero, op("Shape", ["input_ids"], start=1, end=2), zero])
    x = op("Add", [op("Gather", [const("word", w["embeddings.word_embeddings.weight"]), "input_ids"]), op("Gather", [const("type", w["embeddings.token_type_embeddings.weight"]), "token_type_ids"])])
    x = norm(op("Add", [x, positions]), "embeddings.LayerNorm")
    mask = op("Cast", ["attention_mask"], to=T.FLOAT)
    seen = op("Cast", ["attention_mask"], to=T.INT32)
    bias = op("Mul", [op("Sub", [const("f1", np.float32(1)), op("Unsqueeze", [mask, const("axes", np.array([1, 2], np.int64))])]), const("far", np.float32(-1e9))])
    for i in range(c["num_hidden_layers"]):
        l = f"encoder.layer.{i}."
        s = l + "attention.self."
        if fused:
            qkv = const(l + "qkv", np.concatenate([w[s + p + ".weight"].T for p in ("query", "key", "value")], 1))
            b = const(l + "qkvb", np.concatenate([w[s + p + ".bias"] for p in ("query", "key", "value")]))
            a = op("Attention", [x, qkv, b, seen], "com.microsoft", num_heads=heads)
        else:
            split = const("split", np.array([0, 0, heads, hidden // heads], np.int64))
            q, k, v = (op("Transpose", [op("Reshape", [dense(x, s + p), split])], perm=perm) for p, perm in (("query", [0, 2, 1, 3]), ("key", [0, 2, 3, 1]), ("value", [0, 2, 1, 3])))
            scores = op("Add", [op("Div", [op("MatMul", [q, k]), const("root", np.float32((hidden // heads) ** .5))]), bias])
            a = op("MatMul", [op("Softmax", [scores], axis=-1), v])
            a = op("Reshape", [op("Transpose", [a], perm=[0, 2, 1, 3]), const("join", np.array([0, 0, hidden], np.int64))])
        name = l + "attention.output."
        if fused:
            x = add_norm(op("MatMul", [a, weight(name + "dense.weight")]), x, name + "LayerNorm", name + "dense.bias")
            f = op("BiasGelu", [op("MatMul", [x, weight(l + "intermediate.dense.weight")]), const(l + "ib", w[l + "intermediate.dense.bias"])], "com.microsoft")
            x = add_norm(op("MatMul", [f, weight(l + "output.dense.weight")]), x, l + "output.LayerNorm", l + "output.dense.bias")
            continue
        x = add_norm(dense(a, name + "dense"), x, name + "LayerNorm")
        f = dense(x, l + "intermediate.dense")
        f = op("Mul", [op("Mul", [f, op("Add", [op("Erf", [op("Div", [f, const("r2", np.float32(2 ** .5))])]), "f1"])]), const("half", np.float32(.5))])
        x = add_norm(dense(f, l + "output.dense"), x, l + "output.LayerNorm")
    m = op("Unsqueeze", [mask, const("last", np.array([2], np.int64))])
    total = op("ReduceSum", [op("Mul", [x, m]), const("ax1", np.array([1], np.int64))], keepdims=0)
    mean = op("Div", [total, op("ReduceSum", [m, "ax1"], keepdims=0)])
    nodes.append(h.make_node("LpNormalization", [mean], ["vectors"], axis=-1, p=2))
    ins = [h.make_tensor_value_info(n, T.INT64, ["b", "s"]) for n in ("input_ids", "attention_mask", "token_type_ids")]
    graph = h.make_graph(nodes, "encoder", ins, [h.make_tensor_value_info("vectors", T.FLOAT, ["b", hidden])], list(init.values()))
    return h.make_model(graph, opset_imports=[h.make_opsetid("", 17), h.make_opsetid("com.microsoft", 1)], ir_version=8)


def main():
    folder, ids = sys.argv[1], json.load(open(sys.argv[2]))
    fused = sys.argv[3:] != ["plain"]
    o = ort.SessionOptions()
    o.intra_op_num_threads = os.cpu_count()
    with tempfile.NamedTemporaryFile(suffix=".onnx") as f:
        onnx.save(build(folder, fused), f.name)
        session = ort.InferenceSession(f.name, o, providers=["CPUExecutionProvider"])

    def run(order):
        out = [None] * len(ids)
        for at in range(0, len(order), 32):
            batch = order[at : at + 32]
            longest = max(len(ids[i]) for i in batch)
            x, m = np.zeros((len(batch), longest), np.int64), np.zeros((len(batch), longest), np.int64)
            for r, i in enumerate(batch):
                x[r, : len(ids[i])], m[r, : len(ids[i])] = ids[i], 1
            (v,) = session.run(None, {"input_ids": x, "attention_mask": m, "token_type_ids": np.zeros_like(x)})
            for r, i in enumerate(batch):
                out[i] = v[r]
        return out

    print(json.dumps({"peer": f"onnxruntime {ort.__version__}, {o.intra_op_num_threads} threads, {'fused' if fused else 'plain'}"}), flush=True)
    for line in sys.stdin:
        what, n = (line.split() + ["0"])[:2]
        if what == "vectors":
            print(json.dumps({"vectors": [v.tolist() for v in run(list(range(int(n))))[: int(n)]]}), flush=True)
            continue
        if what == "one":
            all = []
            for t in ids[: int(n)]:
                x = np.array([t], np.int64)
                feed = {"input_ids": x, "attention_mask": np.ones_like(x), "token_type_ids": np.zeros_like(x)}
                began = time.perf_counter()
                session.run(None, feed)
                all.append(1e3 * (time.perf_counter() - began))
            print(json.dumps({"all": all}), flush=True)
            continue
        began = time.perf_counter()
        order = list(range(len(ids)))
        run(sorted(order, key=lambda i: len(ids[i])) if what == "sorted" else order)
        print(json.dumps({"ms": 1e3 * (time.perf_counter() - began)}), flush=True)


main()
