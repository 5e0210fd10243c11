#!/usr/bin/env bash
# A Ray head on this machine (Linux) with token authentication: dashboard and job API on loopback; Ray's own ports listen on
# all interfaces, so nothing answers without the token.     local.sh start | stop | status | submit
#   submit SCRIPT [ARG ...]   ray job submit of the current folder: local.sh submit jobs/run.py jobs/experiments/quickstart.yaml
# It keeps its token and logs in $DSRAY_CLUSTER_HOME (default ~/.dsray/cluster) and stops only what it started.
# Ports: DSRAY_DASHBOARD_PORT (8265), DSRAY_GCS_PORT (6379), outside Ray's range for workers, 10002 to 19999.
# Logical CPUs: DSRAY_CLUSTER_CPUS (8: data tasks and training actors each hold some and must not wait for each other).
set -euo pipefail
home=${DSRAY_CLUSTER_HOME:-$HOME/.dsray/cluster}
dashboard=${DSRAY_DASHBOARD_PORT:-8265}
gcs=${DSRAY_GCS_PORT:-6379}
temp=${TMPDIR:-/tmp}/dsray-$gcs   # short, since the names of sockets are limited to 107 bytes
here=$(cd "$(dirname "$0")/.." && pwd)
bin=$here/.venv/bin
if [ ! -x "$bin/ray" ]; then
  ray=$(command -v ray) || { echo "ray is not installed; run make install" >&2; exit 1; }
  bin=$(dirname "$ray")
fi
mark=DSRAY_CLUSTER_MARK=$home:$gcs
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=$home/token RAY_USAGE_STATS_ENABLED=0
unset RAY_ADDRESS RAY_AUTH_TOKEN   # those of another cluster

# What this cluster runs: processes that inherited its mark in their environment, and all that descends from them (Ray's
# workers write their titles over their environment).
pids() {
  local found more
  found=$(grep -lzxF -- "$mark" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3 || true)
  while :; do
    more=$(awk -v known="$found" 'BEGIN { n = split(known, p, "\n"); for (i = 1; i <= n; i++) in_it[p[i]] = 1 }
      { pid = $1; sub(/^.*\) /, ""); if (!(pid in in_it) && ($2 in in_it)) print pid }' < <(cat /proc/[0-9]*/stat 2>/dev/null || true))
    [ -n "$more" ] || break
    found=$found$'\n'$more
  done
  printf '%s\n' "$found" | sed '/^$/d'
}
alive() { for pid in $1; do if kill -0 "$pid" 2>/dev/null; then echo "$pid"; fi; done; }
end() {
  local all left
  all=$(pids)
  for signal in TERM KILL; do
    for pid in $(alive "$all"); do kill -s "$signal" "$pid" 2>/dev/null || true; done
    for _ in $(seq 30); do
      left=$(alive "$all")
      [ -n "$left" ] || break 2
      sleep 0.1
    done
  done
  all=$(pids)
  [ -z "$all" ] || { echo "some processes did not end:" $all >&2; return 1; }
  rm -rf "$temp"
}
failed() { tail -n 4 "$home/start.log" >&2; echo "not started; the whole log is $home/start.log" >&2; end; exit 1; }
# Jobs are accepted only some seconds after `ray start` returns: wait until one is.
ready() {
  "$bin/python" - "http://127.0.0.1:$dashboard" >>"$home/start.log" 2>&1 <<'PYTHON'
import sys
import time

from ray.job_submission import JobSubmissionClient

client, last = JobSubmissionClient(sys.argv[1]), time.monotonic() + 90
while True:
    try:
        client.submit_job(entrypoint="true", submission_id="ready")
        break
    except RuntimeError:
        if time.monotonic() > last:
            raise
        time.sleep(0.5)
while not client.get_job_status("ready").is_terminal():
    time.sleep(0.2)
client.delete_job("ready")
PYTHON
}

case "${1:-}" in
start)
  [ -z "$(pids)" ] || { echo "already running; bash clusters/local.sh stop ends it" >&2; exit 1; }
  mkdir -p "$home"; chmod 700 "$home"
  [ -s "$home/token" ] || (umask 077; head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$home/token")
  # two more ports, free ones, so that another Ray on this machine is not disturbed
  read -r agent client < <("$bin/python" -c 'import socket
taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(s.getsockname()[1] for s in taken))')
  # jobs find this installation's python first
  env PATH="$bin:$PATH" "$mark" "$bin/ray" start --head --node-ip-address=127.0.0.1 --port="$gcs" --dashboard-host=127.0.0.1 \
    --dashboard-port="$dashboard" --dashboard-agent-listen-port="$agent" --ray-client-server-port="$client" \
    --temp-dir="$temp" --num-cpus="${DSRAY_CLUSTER_CPUS:-8}" --disable-usage-stats >"$home/start.log" 2>&1 || failed
  ready || failed
  echo "running; submit with:"
  echo "  RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=$home/token $bin/ray job submit --address http://127.0.0.1:$dashboard --working-dir . -- python jobs/run.py jobs/experiments/quickstart.yaml"
  ;;
stop)
  end
  echo "stopped"
  ;;
status)
  if [ -n "$(pids)" ]; then echo "running on http://127.0.0.1:$dashboard"; else echo "not running"; exit 1; fi
  ;;
submit)
  [ -n "$(pids)" ] || { echo "not running; bash clusters/local.sh start starts it" >&2; exit 1; }
  exec "$bin/ray" job submit --address "http://127.0.0.1:$dashboard" --working-dir . -- python "${@:2}"
  ;;
*) echo "usage: bash clusters/local.sh start | stop | status | submit SCRIPT [ARG ...]" >&2; exit 2 ;;
esac
