"""What rules and dashboards ask for is what the processes measure, and each alert leads to a runbook and has a test.

    monitoring.py RULES.yaml        writes the dashboards' queries there, as rules that promtool can read
"""
import json
import pathlib
import re
import sys

import yaml

TOP = pathlib.Path(__file__).parents[2]
MONITORING = TOP / "deploy/monitoring"
# Of other exporters, which no source here registers; the names are those of postgres_exporter, node_exporter, kube-state-metrics.
FOREIGN = {
    "up", "ALERTS", "pg_up", "pg_database_size_bytes", "pg_locks_count", "pg_settings_max_connections", "pg_stat_activity_count",
    "pg_stat_activity_max_tx_duration", "pg_stat_database_numbackends", "pg_stat_database_xact_commit",
    "pg_stat_database_xact_rollback", "pg_stat_database_blks_hit", "pg_stat_database_blks_read", "pg_stat_database_deadlocks",
    "pg_stat_database_temp_files", "pg_stat_database_tup_inserted", "pg_stat_database_tup_updated", "pg_stat_database_tup_deleted",
    "node_filesystem_avail_bytes", "node_filesystem_size_bytes", "kube_job_status_failed",
}
problems = []


def measured():
    """The metrics that the sources register: a name in a macro of the crate `metrics`, or given to a function that ends in one."""
    names = {}
    for room in ("api/src", "jobs/domain/src", "jobs/queue/src", "workers/src"):
        for path in (TOP / room).rglob("*.rs"):
            text = path.read_text()
            if "metrics::" not in text:
                continue
            for name in re.findall(r'"(permanence_[a-z_]+[a-z])"', text):
                if re.search(r"metrics::histogram!\(\s*\"" + name, text):
                    names |= {name + end: path for end in ("_bucket", "_sum", "_count")}
                else:
                    names[name] = path
    return names


def asked(expression):
    """The metrics in a query: names that are neither labels, nor functions, nor words of the language."""
    bare = re.sub(r'"(\\.|[^"\\])*"', '""', expression)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]", " ", bare)
    bare = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", " ", bare)
    words = re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*(?!\s*\()(?![a-zA-Z0-9_:])", bare)
    language = {"by", "and", "or", "unless", "offset", "bool", "on", "without", "ignoring"}
    return {word for word in words if word not in language and not re.fullmatch(r"\d+[smhdwy]|[smhdwy]|e", word)}


rules = {path: yaml.safe_load(path.read_text()) for path in sorted(MONITORING.glob("*.rules.yaml"))}
each_rule = [(path.name, rule) for path, file in rules.items() for group in file["groups"] for rule in group["rules"]]
recorded = {rule["record"] for _, rule in each_rule if "record" in rule}
own = measured()
known = own.keys() | recorded | FOREIGN
used = set()


def check(where, expression):
    names = asked(expression)
    used.update(names)
    for name in sorted(names - known):
        problems.append(f"{where}: nobody measures {name}")


tested = set()
for path in MONITORING.glob("*.test.yaml"):
    for test in yaml.safe_load(path.read_text())["tests"]:
        for case in test.get("alert_rule_test", []):
            tested.add((case["alertname"], bool(case["exp_alerts"])))
for name, rule in each_rule:
    check(name, rule["expr"])
    if "alert" not in rule:
        continue
    alert = rule["alert"]
    runbook = TOP / rule["annotations"]["runbook"]
    if not runbook.is_file():
        problems.append(f"{alert}: there is no {rule['annotations']['runbook']}")
    elif f"`{alert}`" not in runbook.read_text():
        problems.append(f"{alert}: {runbook.name} says nothing of it")
    for speaks in (True, False):
        if (alert, speaks) not in tested:
            problems.append(f"{alert}: no test in which it {'speaks' if speaks else 'is silent'}")

queries, uids = [], set()
for path in sorted((MONITORING / "grafana/dashboards").glob("*.json")):
    dashboard = json.loads(path.read_text())
    if dashboard["uid"] in uids:
        problems.append(f"{path.name}: its uid is another's")
    uids.add(dashboard["uid"])
    ids = [panel["id"] for panel in dashboard["panels"]]
    if len(ids) != len(set(ids)):
        problems.append(f"{path.name}: two panels have one id")
    names = {variable["name"] for variable in dashboard["templating"]["list"]}
    for variable in dashboard["templating"]["list"]:
        check(f"{path.name}: {variable['name']}", re.fullmatch(r"label_values\((.*), \w+\)", variable["query"]["query"])[1])
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            where = f"{path.name}: {panel['title']}"
            filled = target["expr"].replace("$__rate_interval", "5m")
            for name in names:
                filled = filled.replace(f"${name}", ".*")
            if "$" in filled:
                problems.append(f"{where}: a variable that the dashboard has not: {filled}")
            check(where, filled)
            queries.append({"record": f"dashboard:panel:{len(queries)}", "expr": filled})
pathlib.Path(sys.argv[1]).write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": queries}]}))

# A histogram is drawn by its buckets or counted; a metric that nobody looks at is none that anybody misses.
bases = {re.sub(r"_(bucket|sum|count)$", "", name) if name.endswith(("_bucket", "_sum", "_count")) else name for name in own}
seen = {re.sub(r"_(bucket|sum|count)$", "", name) for name in used}
for name in sorted(bases - seen):
    problems.append(f"{name} is measured, and neither a rule nor a dashboard looks at it")
for problem in problems:
    print(f"monitoring: {problem}", file=sys.stderr)
if problems or len(own) < 20 or len(queries) < 20:
    sys.exit(1)
