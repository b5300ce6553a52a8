#!/usr/bin/env bash
# The cluster as users start it: builds the images, `up`, a study on workers that are scaled, stopped
# and killed, and the same study run here; both must have the same scores, byte for byte.
# Not part of the ordinary test run: it needs Docker, some 20 GB of disk and a quarter of an hour.
#
#   tests/compose.sh
#
# PYTHON           that has memtail[cluster]                    [.venv/bin/python]
# BASE_IMAGES      a command that makes the base images named to it, where no registry is reached
# MEMTAIL_MINIO_IMAGE  a MinIO image; without one, one is made of a minio binary: of the PATH, or by Go
# TIME_LIMIT       seconds for everything                       [2400]
# KEEP             1 leaves the cluster up
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
python=$(realpath -s "${PYTHON:-$root/.venv/bin/python}")
python_image=python:3.11-slim-bookworm redis_image=redis:7-bookworm
minio_source=github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c
study=(digits --set training.epochs=100 --set training.precision=float32 --trials 240 --stack 10)
project=memtail-test-$$
begun=$SECONDS since=$SECONDS

{ # what waits for too long is ended, and then this script, which cleans up
  sleep "${TIME_LIMIT:-2400}"
  kill -TERM $$
  pkill -TERM -P $$
} >/dev/null 2>&1 &
clock=$!

if docker compose version >/dev/null 2>&1; then compose=(docker compose); else compose=(docker-compose); fi
dc() {
  "${compose[@]}" --project-directory "$root" --env-file "$work/.env" -p "$project" \
    -f "$root/docker-compose.yml" -f "$root/compose.keys.yml" "$@"
}
memtail() { (cd "$work" && PYTHONPATH=$root "$python" -m cli.main "$@"); } # reads .env there
say() { printf '%5d s  %s\n' $((SECONDS - begun)) "$*"; }
took() { say "$* (took $((SECONDS - since)) s)" && since=$SECONDS; }
die() { say "FAILED: $*" >&2; exit 1; }

# shellcheck disable=SC2329
clean_up() {
  local code=$?
  trap - EXIT TERM
  pkill -TERM -P "$clock" || true
  if ((code)) && [[ -e $work/.env ]]; then
    dc ps || true
    dc logs --no-color --tail 40 || true
  fi
  if [[ ${KEEP:-} == 1 ]]; then
    say "left up: project $project, settings in $work"
  else
    dc down --volumes --remove-orphans --timeout 10 >/dev/null 2>&1 || true
    docker image rm "memtail-test-minio:$$" >/dev/null 2>&1 || true
    rm -rf "$work"
    took "cleaned up"
  fi
  exit "$code"
}
trap clean_up EXIT
trap 'say "out of time"; exit 143' TERM

# --- images -------------------------------------------------------------------------------------
missing=()
for image in "$python_image" "$redis_image"; do
  docker image inspect "$image" >/dev/null 2>&1 || missing+=("$image")
done
if ((${#missing[@]})) && [[ -n ${BASE_IMAGES:-} ]]; then "$BASE_IMAGES" "${missing[@]}"; fi

if [[ -z ${MEMTAIL_MINIO_IMAGE:-} ]]; then
  mkdir "$work/minio"
  if ! binary=$(command -v minio); then
    GOBIN=$work/go CGO_ENABLED=0 go install "$minio_source"
    binary=$work/go/minio
  fi
  cp "$binary" "$work/minio/minio"
  printf 'FROM %s\nCOPY minio /usr/bin/minio\nENTRYPOINT ["minio"]\n' "$python_image" >"$work/minio/Dockerfile"
  MEMTAIL_MINIO_IMAGE=memtail-test-minio:$$
  docker build --quiet --tag "$MEMTAIL_MINIO_IMAGE" "$work/minio" >/dev/null
  took "MinIO's image, of $("$binary" --version | head -1)"
fi

"$python" - "$root/.env.example" "$project" "$MEMTAIL_MINIO_IMAGE" >"$work/.env" <<'end'
import re, secrets, socket, sys

example, project, minio = sys.argv[1:]
free = [socket.socket() for _ in range(3)]
for each in free:
    each.bind(("127.0.0.1", 0))
redis_port, s3_port, dashboard_port = (each.getsockname()[1] for each in free)
text = re.sub("(?m)=$", lambda _: "=" + secrets.token_hex(20), open(example).read())
text = text.replace(":9000", f":{s3_port}").replace(":6379", f":{redis_port}")
print(re.sub("(?m)^#(MEMTAIL_WORKER_S3.*)", r"\1", text))
print(f"COMPOSE_PROJECT_NAME={project}\nMEMTAIL_MINIO_IMAGE={minio}")
print(f"MEMTAIL_REDIS_PORT={redis_port}\nMEMTAIL_S3_PORT={s3_port}")
print(f"MEMTAIL_DASHBOARD_PORT={dashboard_port}")
end
unset MEMTAIL_MINIO_IMAGE
setting() { sed -n "s/^$1=//p" "$work/.env" | tail -1; }

: >"$work/empty"
if refused=$("${compose[@]}" --project-directory "$root" --env-file "$work/empty" -f "$root/docker-compose.yml" config 2>&1); then
  die "compose takes no .env for an answer"
fi
say "without .env: $(tail -1 <<<"$refused")"
dc build >"$work/build.log" 2>&1 || { tail -30 "$work/build.log"; die "no image"; }
took "worker and aggregator built"
docker images --format '           {{.Repository}}:{{.Tag}}  {{.Size}}' | grep -E 'memtail|bookworm' || true

# --- up -----------------------------------------------------------------------------------------
dc up -d redis minio >"$work/up.log" 2>&1 || { cat "$work/up.log"; die "no servers"; }
ids() { dc ps -q "$@"; }
health() { docker inspect --format '{{.State.Status}}/{{if .State.Health}}{{.State.Health.Status}}{{end}}' "$@"; }
healthy() { # SECONDS SERVICE…: wait until all their containers are
  local deadline=$((SECONDS + $1))
  shift
  # shellcheck disable=SC2046
  while grep -qv '^running/healthy$' <<<"$(health $(ids "$@"))"; do
    ((SECONDS < deadline)) || die "not healthy: $(health $(ids "$@") | tr '\n' ' ')"
    sleep 1
  done
}
healthy 90 redis minio
took "redis and minio healthy"

# The workers' own key, with no rights but those of the policy.
(cd "$work" && "$python" - "$root/services/worker/policy.json" "127.0.0.1:$(setting MEMTAIL_S3_PORT)") <<'end'
import sys
from dotenv import dotenv_values
from minio import MinioAdmin
from minio.credentials import StaticProvider

policy, endpoint = sys.argv[1:]
env = dotenv_values(".env")
root = StaticProvider(env["MEMTAIL_S3_ACCESS_KEY"], env["MEMTAIL_S3_SECRET_KEY"])
admin = MinioAdmin(endpoint=endpoint, credentials=root, secure=False)
admin.policy_add("memtail-worker", policy)
admin.user_add(env["MEMTAIL_WORKER_S3_ACCESS_KEY"], env["MEMTAIL_WORKER_S3_SECRET_KEY"])
admin.policy_set("memtail-worker", env["MEMTAIL_WORKER_S3_ACCESS_KEY"])
end
dc up -d >>"$work/up.log" 2>&1 || { cat "$work/up.log"; die "up"; }
took "all up"
healthy 180
took "all healthy"
dc ps

# --- the dashboard ------------------------------------------------------------------------------
dashboard=http://127.0.0.1:$(setting MEMTAIL_DASHBOARD_PORT)
asked() { # CODE ARGUMENTS…: what curl gets, with that status
  local expected=$1 status
  shift
  status=$(curl --noproxy '*' --silent --output "$work/answer" --write-out '%{http_code}' "$@")
  [[ $status == "$expected" ]] || die "the dashboard answered $status to $*: $(head -c 300 "$work/answer")"
}
asked 200 "$dashboard/healthz"
asked 200 "$dashboard/"
grep -q 'No study is here yet' "$work/answer" || die "the dashboard shows a study before there is one"
asked 401 --request POST --json '{"shipped": "digits"}' "$dashboard/api/v1/studies"
asked 401 --request POST --json '{"shipped": "digits"}' --header "Authorization: Bearer none" "$dashboard/api/v1/studies"
took "the dashboard answers, and lets nobody write without the token"

# --- a study, with faults -----------------------------------------------------------------------
memtail submit "${study[@]}" | tee "$work/submit.log"
took "submitted"
id=$(sed -n 's/.*memtail watch  *\([^ ]*\) .*/\1/p' "$work/submit.log")
at_work() { # the container of a worker that trains, unlike $1, once there is one
  for _ in $(seq 60); do
    memtail workers --json | "$python" -c '
import json, sys
for each in json.load(sys.stdin)["workers"]:
    if each["trains"] and each["host"] != sys.argv[1]:
        print(each["host"], each["trains"][0]["shard"])
        break
else:
    sys.exit(1)' "${1:-}" && return
    sleep 1
  done
  die "no worker trains"
}
dc up -d --scale worker=3 >>"$work/up.log" 2>&1
took "scaled to 3 workers"

read -r first shard < <(at_work)
docker stop "$first" >/dev/null
took "stopped $first in the middle of $shard, exit code $(docker inspect --format '{{.State.ExitCode}}' "$first")"
docker logs "$first" 2>&1 | tail -4
memtail status "$id"

read -r second shard < <(at_work "$first")
docker kill "$second" >/dev/null
took "killed $second in the middle of $shard"
memtail workers

dc up -d --scale worker=3 >>"$work/up.log" 2>&1
took "3 workers again"

# --- its end ------------------------------------------------------------------------------------
timeout 900 "$BASH" -c 'cd "$1" && PYTHONPATH=$2 exec "$3" -m cli.main watch "$4"' - "$work" "$root" "$python" "$id"
took "watched to the end"
memtail fetch "$id" -o report >/dev/null
for file in index.html summary.json scores.parquet; do
  [[ -s $work/report/$file ]] || die "the report lacks $file"
done
asked 200 "$dashboard/studies/$id"
grep -q 'are memorized' "$work/answer" || die "the dashboard does not show what was found"
asked 200 "$dashboard/studies/$id/report/"
cmp "$work/answer" "$work/report/index.html" || die "the dashboard shows another report"
asked 200 "$dashboard/metrics"
grep -q '^memtail_' "$work/answer" || die "no metrics"
took "fetched: $(du -sh "$work/report" | cut -f1), $(find "$work/report" -type f | wc -l) files"
dc logs --no-color aggregator | grep -E 'lost|published|enqueuing' || true
memtail run "${study[@]}" --store local --workers 2 | tail -2
took "the same study, run here"
cmp "$work/report/scores.parquet" "$work/local/studies/$id/report/scores.parquet" || die "other scores"
say "the scores are the same bytes: $(sha256sum <"$work/report/scores.parquet" | cut -c1-16)"

dc logs --no-color >"$work/all.log" 2>&1
for name in MEMTAIL_BROKER_PASSWORD MEMTAIL_DASHBOARD_TOKEN MEMTAIL_S3_SECRET_KEY MEMTAIL_WORKER_S3_SECRET_KEY; do
  grep -qF "$(setting $name)" "$work/all.log" && die "$name is in the logs"
  for each in $(ids); do
    grep -qF "$(setting $name)" <<<"$(docker top "$each")" && die "$name shows among the processes"
  done
done
healthy 90 redis minio aggregator dashboard worker
dc ps
took "no secret in logs or processes; all healthy in the end"
echo "passed"
