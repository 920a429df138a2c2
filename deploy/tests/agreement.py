"""What compose, Kubernetes and systemd say must agree with the sources: variables that are read, times to end, pools, links.

    agreement.py COMPOSE.json PRODUCTION.yaml
"""
import json
import pathlib
import re
import sys

import yaml

TOP = pathlib.Path(__file__).parents[2]
problems = []


def text(path):
    return (TOP / path).read_text()


def constant(path, pattern):
    found = re.search(pattern, text(path))
    if not found:
        raise SystemExit(f"agreement: {path} has no {pattern}")
    return int(found[1])


def seconds(duration):
    return sum(int(n) * {"h": 3600, "m": 60, "s": 1}[unit] for n, unit in re.findall(r"(\d+)([hms])", duration))


drains = {
    "worker": constant("workers/src/process.rs", r"const GRACE: Duration = Duration::from_secs\((\d+)\)"),
    "api": constant("api/src/observe.rs", r"const PATIENCE: Duration = Duration::from_secs\((\d+)\)"),
}
# Each queue with the pool that performs it.
queues = dict(re.findall(r'^    of\("(\w+)", "(\w+)"', text("workers/src/process.rs"), re.M))
pools = sorted(set(queues.values()))
documented = set(re.findall(r"^#?([A-Z][A-Z0-9_]+)=", text(".env.example"), re.M))
processes = {*pools, "api", "scheduler"}
# Secrets are for those who read them: whoever breaks into one process has no more than it needs.
STORES = {"api", *pools} - {"views"}
READERS = {
    "MASTER_KEYS": {"api", "privacy"}, "MASTER_KEYS_FILE": {"api", "privacy"}, "CERTIFICATE_KEY": {"privacy", "restore"},
    "JWT_ACCESS_KEYS": {"api"}, "JWT_REFRESH_KEY": {"api", "reminders"}, "ENCRYPTION_KEY": {"api"},
    "DATABASE_OWNER_URL": {"migrate", "restore"}, "DATABASE_SCALER_URL": {"migrate"}, "SMTP_URL": {"reminders"},
    "S3_SECRET_KEY": {*STORES, "restore"}, "AUDIT_S3_SECRET_KEY": {*STORES, "restore"} - {"backups"},
    "BACKUP_S3_SECRET_KEY": {"backups", "privacy", "restore"}, "BACKUP_DATABASE_URL": {"backups", "migrate", "restore"},
    "BACKUP_KEYS": {"backups", "restore"}, "BACKUP_KEYS_FILE": {"backups"}, "TRUSTED_PROXIES": {"api"},
}


def check_ending(where, process, given):
    # Ten seconds to close connections and, in a cluster, to be taken out of the balance.
    needed = drains["api" if process == "api" else "worker"] + 10
    if given < needed:
        problems.append(f"{where}: it is killed after {given} s, and its drain takes {needed}")


def check_variables(where, names, process=None):
    names = set(names)
    problems.extend(
        f"{where}: it is told {name}, and has no use for it" for name in sorted(names & READERS.keys()) if process and process not in READERS[name]
    )
    for name in sorted(set(names) - documented):
        problems.append(f"{where}: nobody reads {name}, or .env.example does not explain it")


compose = json.loads(pathlib.Path(sys.argv[1]).read_text())["services"]
ours = {name: service for name, service in compose.items() if re.match(r"permanence(-backups)?:", service.get("image", ""))}
if processes - ours.keys():
    problems.append(f"compose: {processes - ours.keys()} are missing")
for name, service in ours.items():
    check_variables(f"compose: {name}", service["environment"], name)
    check_ending(f"compose: {name}", name, seconds(service["stop_grace_period"]))
    if name in processes and service["command"] != [name]:
        problems.append(f"compose: {name} runs {service['command']}")

programs = re.search(r"^ARG POSTGRES=(\S+)", text("deploy/docker/Dockerfile"), re.M)[1]
if compose["postgres"]["image"] != f"postgres:{programs}":
    problems.append(f"compose: {compose['postgres']['image']} is dumped by the programs of {programs}")

deployments = [r for r in yaml.safe_load_all(pathlib.Path(sys.argv[2]).read_text()) if r["kind"] in ("Deployment", "ConfigMap", "ScaledObject")]
running, asked, fixed = set(), set(), set()
for resource in deployments:
    if resource["kind"] == "ConfigMap":
        check_variables("kubernetes: settings", resource["data"])
        continue
    if resource["kind"] == "ScaledObject":
        pool = resource["metadata"]["name"].removeprefix("pool-")
        asked |= {(queue, pool) for trigger in resource["spec"]["triggers"] for queue in re.findall(r"backlog\('(\w+)'\)", trigger["metadata"]["query"])}
        continue
    pod = resource["spec"]["template"]["spec"]
    container = pod["containers"][0]
    process = container["args"][0]
    running.add(process)
    if "replicas" in resource["spec"]:
        fixed.add(process)
    check_variables(f"kubernetes: {process}", (variable["name"] for variable in container["env"]), process)
    if process != "reminders" and "messaging" in str(container.get("envFrom")):
        problems.append(f"kubernetes: {process} is told how messages are sent")
    check_ending(f"kubernetes: {process}", process, pod["terminationGracePeriodSeconds"])
multiplied = {(queue, pool) for queue, pool in queues.items() if pool not in fixed}
if asked != multiplied:
    problems.append(f"kubernetes: the autoscaler asks for {sorted(asked)}, and {sorted(multiplied)} are performed by as many as are wanted")
if running != processes:
    problems.append(f"kubernetes: {running} run, not {processes}")

for unit, process in (("permanence@.service", "worker"), ("permanence-api.service", "api")):
    given = constant(f"deploy/systemd/{unit}", r"TimeoutStopSec=(\d+)")
    check_ending(f"systemd: {unit}", process, given)
    if re.search(r"MALLOC_\S+", text(f"deploy/systemd/{unit}"))[0] != re.search(r"MALLOC_\S+", text("deploy/docker/Dockerfile"))[0]:
        problems.append(f"systemd: {unit} has its memory otherwise than the image")
target = text("deploy/systemd/permanence.target")
problems += [f"systemd: {pool} is not in permanence.target" for pool in (*pools, "scheduler") if f"@{pool}.service" not in target]
jobs = yaml.safe_load(text("deploy/monitoring/prometheus.yaml"))["scrape_configs"]
watched = {t["labels"]["process"] for job in jobs if job["job_name"] == "permanence" for t in job["static_configs"]}
if watched != processes:
    problems.append(f"prometheus: {watched} are watched, not {processes}")

# What messages lead to must come through the gateway, and through whatever proxy is set up by the guide.
pages = {re.sub(r"/\{.*", "/", path) for path in re.findall(r'\.route\("(/[^"]+)"', text("api/src/pages/mod.rs"))}
guide, gateway = text("docs/DEPLOYMENT.md"), text("deploy/kubernetes/overlays/production/route.yaml")
for path in sorted({page if page.endswith("/") else f"/{page.split('/')[1]}" for page in pages}):
    if not re.search(rf"value: {path.rstrip('/')} }}", gateway):
        problems.append(f"route.yaml: {path} does not come through")
    if f"`{path}`" not in guide and f"`{path}/`" not in guide:
        problems.append(f"DEPLOYMENT.md: the proxy is not told to pass {path} on")

# Links of the pages for whoever is on call: a file, and in it the heading.
pages = [*(TOP / "deploy/runbooks").glob("*.md"), TOP / "docs/DEPLOYMENT.md"]
for page in pages:
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text()):
        path, _, heading = link.partition("#")
        aim = (page.parent / path).resolve() if path else page
        if not aim.exists():
            problems.append(f"{page.name}: no {link}")
            continue
        if heading:
            titles = re.findall(r"^#+ (.*)$", aim.read_text(), re.M)
            anchors = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
            if heading not in anchors:
                problems.append(f"{page.name}: {path or page.name} has no heading #{heading}")

for problem in problems:
    print(f"agreement: {problem}", file=sys.stderr)
if problems:
    sys.exit(1)
print(f"deploy/check: {len(ours)} services, {len(running)} deployments and the units agree with the sources")
