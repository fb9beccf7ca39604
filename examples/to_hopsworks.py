"""Shows a model that sprint published in Hopsworks' model registry. A plan's publish stage
names it as a mirror, with this file beside the plan:

    mirror:
      - to: command://hopsworks
        command: [python3, to_hopsworks.py]
        env: [HOPSWORKS_HOST, HOPSWORKS_PROJECT]
        secrets: {HOPSWORKS_API_KEY: env:HOPSWORKS_API_KEY}

It needs `pip install hopsworks` and sprint in PATH; for a store in a bucket env and secrets
also name what opens it, as AWS_REGION.

UNTRIED ON A SERVER: it was written by the documentation of Hopsworks' Python client and run
against a stand-in of it alone. Whether an upload that is cut leaves a version there that must
be deleted by hand was not tried either.

It may be told the same twice (sprint or this program may have been killed in between), so a
version that is there stays as it is. Hopsworks has no aliases: which one moved is not shown.
The licence is that of sprint: Apache-2.0.
"""
import json, os, subprocess, sys, tempfile

import hopsworks


def main():
    told = json.load(sys.stdin)
    name, version = told["model"], told["version"]
    registry = hopsworks.login(
        host=os.environ.get("HOPSWORKS_HOST"),
        project=os.environ.get("HOPSWORKS_PROJECT"),
        api_key_value=os.environ["HOPSWORKS_API_KEY"],
    ).get_model_registry()
    for there in registry.get_models(name) or []:
        if there.version == version:
            if told["digest"] not in (there.description or ""):
                sys.exit(f"version {version} of {name} there is not ours: it is left alone")
            return
    measured = told["metrics"] or {}
    metrics = {"macro_f1": measured["macro_f1"]} if measured.get("macro_f1") is not None else None
    with tempfile.TemporaryDirectory() as folder:
        release = os.path.join(folder, "release")
        # It compares every byte with its digest.
        subprocess.run(
            ["sprint", "artifacts", "get", "--store", told["store"], f"{name}@{version}", release],
            check=True, stdout=sys.stderr,
        )
        model = registry.python.create_model(
            name=name, version=version, metrics=metrics,
            description=f"Published by sprint, run {told.get('run', 'unknown')}, {told['digest']}",
        )
        model.save(release)


if __name__ == "__main__":
    main()
