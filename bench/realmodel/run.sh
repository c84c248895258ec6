#!/usr/bin/env bash
# Makes the small model, serves it and lets ml-intern do whole jobs with it.
#
#   bench/realmodel/run.sh [llamacpp] [transformers]      both without arguments
#
# REALMODEL_DIR   where everything goes (default a new temp folder); a model and
#                 a program that lie there already are used again
# REALMODEL_VENV  a Python environment with requirements.txt (default: made there)
# ML_INTERN       the program (default: built there)
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
dir=${REALMODEL_DIR:-$(mktemp -d)}
venv=${REALMODEL_VENV:-$dir/venv}
program=${ML_INTERN:-$dir/ml-intern}
[ $# -gt 0 ] || set -- llamacpp transformers
# Nothing is looked up at the Hub; the cache folder must exist to be listed.
export HF_HUB_OFFLINE=1 HF_HOME="$dir/hf" OMP_NUM_THREADS=2
mkdir -p "$HF_HOME/hub"

if [ ! -x "$venv/bin/python" ]; then
	python3 -m venv "$venv"
	"$venv/bin/pip" install --quiet -r "$here/requirements.txt"
fi
if [ -z "${ML_INTERN:-}" ]; then # always anew: an old program would prove nothing
	(cd "$here/../.." && CGO_ENABLED=0 go build -o "$program" ./cmd/ml-intern)
fi
if [ ! -f "$dir/model/tiny-trainer.gguf" ]; then
	"$venv/bin/python" -u "$here/make_model.py" "$dir/model" 2>&1 | tee "$dir/train.log"
fi
code=0
for kind; do
	"$venv/bin/python" "$here/drive.py" "$kind" --model "$dir/model" --program "$program" --dir "$dir" || code=1
done
exit $code
