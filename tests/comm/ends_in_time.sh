#!/usr/bin/env bash
# ends_in_time.sh SECONDS CODE COMMAND…: passes if COMMAND ends by itself within SECONDS with exit code CODE.
set -u
seconds=$1 expected=$2
shift 2
timeout --kill-after=5 "$seconds" "$@"
code=$?
if ((code == 124 || (code == 137 && expected != 137))); then
  echo "still running after $seconds s, or killed: exit code $code"
  exit 1
fi
echo "exit code $code, expected $expected"
((code == expected))
