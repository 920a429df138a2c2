"""What a cluster would be given: valid for its version, strictly, and by the rules of the house.

    manifests.py BUILT.yaml...      built by kustomize; writes those that others define beside the first as defined.json
"""
import json
import pathlib
import sys

import kubernetes_validate
import yaml

VERSION = "1.33"
problems = []
defined = []
count = 0


def expect(holds, where, what):
    if not holds:
        problems.append(f"{where}: {what}")


def check_pod(where, pod):
    own, spec = pod["metadata"]["labels"], pod["spec"]
    expect("app.kubernetes.io/part-of" in own, where, "its pods are in no network policy without app.kubernetes.io/part-of")
    expect(spec.get("automountServiceAccountToken") is False, where, "it needs no token of the cluster")
    expect(spec["securityContext"].get("runAsNonRoot") is True, where, "runAsNonRoot is not set")
    for container in spec["containers"]:
        security = container["securityContext"]
        expect(security.get("readOnlyRootFilesystem") is True, where, "its root file system can be written")
        expect(security.get("allowPrivilegeEscalation") is False, where, "it may gain privileges")
        expect(security["capabilities"] == {"drop": ["ALL"]}, where, "it keeps capabilities")
        expect("memory" in container["resources"]["limits"], where, "its memory has no limit")
        expect(not container["image"].endswith(":latest") and ":" in container["image"], where, "its image has no version")
        for variable in container.get("env", []):
            secret = any(word in variable["name"] for word in ("_KEY", "_URL", "PASSWORD", "TOKEN", "SECRET"))
            public = variable["name"].endswith(("_FILE", "ACCESS_KEY_ID"))
            expect(not (secret and "value" in variable and not public), where, f"{variable['name']} is not by reference")


def check_file(path):
    global count
    resources = [resource for resource in yaml.safe_load_all(path.read_text()) if resource]
    labels = [
        resource["spec"]["template"]["metadata"]["labels"] for resource in resources if resource["kind"] in ("Deployment", "Job")
    ]
    for resource in resources:
        where = f"{path.name}: {resource['kind']} {resource['metadata']['name']}"
        if resource["apiVersion"].startswith(("keda.sh/", "gateway.networking.k8s.io/")):
            defined.append(resource)
        else:
            count += 1
            try:
                kubernetes_validate.validate(resource, VERSION, strict=True)
            except kubernetes_validate.ValidationError as error:
                problems.append(f"{where}: {error.message} at {list(error.path)}")
        expect(resource["kind"] != "Secret", where, "a secret stands in the repository")
        if resource["kind"] in ("Deployment", "Job"):
            check_pod(where, resource["spec"]["template"])
        if resource["kind"] == "Deployment":
            container = resource["spec"]["template"]["spec"]["containers"][0]
            expect("livenessProbe" in container, where, "nobody restarts it")
        selector = {
            "NetworkPolicy": lambda spec: spec["podSelector"],
            "PodDisruptionBudget": lambda spec: spec["selector"],
            "Service": lambda spec: {"matchLabels": spec["selector"]},
        }.get(resource["kind"])
        if selector:
            wanted = selector(resource["spec"]).get("matchLabels", {})
            met = [own for own in labels if wanted.items() <= own.items()]
            expect(met, where, f"it selects no pod: {wanted}")
            expect(resource["kind"] == "NetworkPolicy" or len(met) == 1, where, f"it selects {len(met)} workloads, not its own")


files = [pathlib.Path(name) for name in sys.argv[1:]]
for file in files:
    check_file(file)
production = [resource for resource in defined if resource["kind"] == "ScaledObject"]
for scaled in production:
    name = scaled["metadata"]["name"]
    target = scaled["spec"]["scaleTargetRef"]["name"]
    expect(target == name, name, f"it scales {target}")
expect(production, "production", "nothing scales")
files[0].with_name("defined.json").write_text(json.dumps(defined))
for problem in problems:
    print(f"manifests: {problem}", file=sys.stderr)
if problems:
    sys.exit(1)
print(f"deploy/check: {count} resources are valid for Kubernetes {VERSION}")
