#!/usr/bin/env bash
# Exports a project and has the files read by the judges: judge.sh PARTS WORK WHARF PROJECT. Called in a network of
# its own.
set -euo pipefail
parts=$1 work=$2 wharf=$3 project=$4
export HOME=$work/home XDG_RUNTIME_DIR=$work/run
mkdir -p "$HOME" "$XDG_RUNTIME_DIR"
chmod 700 "$XDG_RUNTIME_DIR"
cp -r "$project" "$work/project"
cd "$work/project"
trap '"$wharf" daemon stop >"$work/stop.log" 2>&1 || true' EXIT
"$wharf" export compose -o compose.yaml
"$parts/handover/handover" compose compose.yaml >"$work/compose.json"
for way in "" --ingress; do
    "$wharf" export k8s $way -o "kubernetes$way.yaml"
    "$parts/handover/handover" k8s "kubernetes$way.yaml" >"$work/kubernetes$way.json"
done
