#!/usr/bin/env bash
# A Ray head on this machine, on loopback, with token authentication.   local.sh start | stop | status
# It keeps its token and logs in $DSRAY_CLUSTER_HOME (default ~/.dsray/cluster) and stops only what it started.
# Ports: DSRAY_DASHBOARD_PORT (8265), DSRAY_GCS_PORT (6379).
set -euo pipefail
home=${DSRAY_CLUSTER_HOME:-$HOME/.dsray/cluster}
dashboard=${DSRAY_DASHBOARD_PORT:-8265}
gcs=${DSRAY_GCS_PORT:-6379}
temp=${TMPDIR:-/tmp}/dsray-$gcs   # short, since the names of sockets are limited to 107 bytes
here=$(cd "$(dirname "$0")/.." && pwd)
ray=$here/.venv/bin/ray
[ -x "$ray" ] || ray=$(command -v ray) || { echo "ray is not installed; run make install" >&2; exit 1; }
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=$home/token RAY_USAGE_STATS_ENABLED=0

# the processes of this cluster are those whose command line names its session folder or its GCS address
pids() { pgrep -f -- "(--gcs-address=127.0.0.1:$gcs|--gcs_server_port=$gcs|$temp/)" || true; }

case "${1:-}" in
start)
  [ -z "$(pids)" ] || { echo "already running; bash clusters/local.sh stop ends it" >&2; exit 1; }
  mkdir -p "$home"; chmod 700 "$home"
  [ -s "$home/token" ] || (umask 077; head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$home/token")
  "$ray" start --head --node-ip-address=127.0.0.1 --port="$gcs" --dashboard-host=127.0.0.1 \
    --dashboard-port="$dashboard" --temp-dir="$temp" --num-cpus="${DSRAY_CLUSTER_CPUS:-8}" \
    --disable-usage-stats >"$home/start.log" 2>&1 || { tail -n 20 "$home/start.log" >&2; exit 1; }
  echo "running; submit with:"
  echo "  RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=$home/token $ray job submit --address http://127.0.0.1:$dashboard --working-dir . -- $here/.venv/bin/python jobs/run.py jobs/experiments/quickstart.yaml"
  ;;
stop)
  for signal in TERM KILL; do
    for pid in $(pids); do kill -s "$signal" "$pid" 2>/dev/null || true; done
    for _ in $(seq 50); do [ -n "$(pids)" ] || break; sleep 0.1; done
  done
  [ -z "$(pids)" ] || { echo "some processes did not end: $(pids)" >&2; exit 1; }
  rm -rf "$temp"
  echo "stopped"
  ;;
status)
  if [ -n "$(pids)" ]; then echo "running on http://127.0.0.1:$dashboard"; else echo "not running"; exit 1; fi
  ;;
*) echo "usage: bash clusters/local.sh start | stop | status" >&2; exit 2 ;;
esac
