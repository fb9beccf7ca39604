"""infinity.py ENCODER FOLDER PORT: a linear head on an encoder, exported to ONNX into FOLDER, served by Infinity.

Infinity 0.0.78 hands the whole path of the ONNX file to a library that takes its name alone,
and then finds none: the call is given the name here.
"""

import json
import pathlib
import sys

from optimum.onnxruntime import ORTModelForSequenceClassification
from transformers import AutoTokenizer

from infinity_emb.cli import cli
from infinity_emb.transformer.classifier import optimum as classifier

encoder, folder, port = sys.argv[1:]
tokenizer = AutoTokenizer.from_pretrained(encoder)
tokenizer.model_max_length = 128
tokenizer.save_pretrained(folder)
model = ORTModelForSequenceClassification.from_pretrained(encoder, export=True)
model.save_pretrained(folder)
config = pathlib.Path(folder, "config.json")
said = json.loads(config.read_text())  # what is left out is what tells Infinity a classifier
said |= {"architectures": ["BertForSequenceClassification"], "id2label": {"0": "fire", "1": "money"}, "label2id": {"fire": 0, "money": 1}}
config.write_text(json.dumps(said))

optimize = classifier.optimize_model
classifier.optimize_model = lambda *, file_name, **rest: optimize(file_name=pathlib.Path(file_name).name, **rest)
sys.argv = ["infinity_emb", "v2", "--model-id", folder, "--served-model-name", "m", "--engine", "optimum", "--device", "cpu", "--port", port, "--no-model-warmup"]
cli()
