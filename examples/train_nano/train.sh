#!/bin/sh
# From the labelled data to both model folders. Every step is skipped when its result exists, and training resumes.
# Usage: train.sh [--data FOLDER] [--work FOLDER] [--out FOLDER] [--smoke]      (PYTHON names the interpreter)
set -eu
cd "$(dirname "$0")"
data=../../../shared/data work=.work out=../../src/embedded smoke=
while [ $# -gt 0 ]; do
  case $1 in
    --data) data=$2; shift 2 ;;
    --work) work=$2; shift 2 ;;
    --out) out=$2; shift 2 ;;
    --smoke) smoke=1; shift ;;
    *) sed -n 2,3p "$0"; exit 2 ;;
  esac
done
python=${PYTHON:-python3}
# Waiting threads must sleep, not spin: on a shared machine that doubles the speed.
export GOMP_SPINCOUNT=0 OMP_WAIT_POLICY=PASSIVE
if [ "$smoke" ]; then
  prepare="--synthetic-only --rows 600" few="--rows 200" vocab=1024 gen_rows=200 stream_rows=200 last_rows=200
else
  prepare="--data $data" few= vocab=8192 gen_rows=32000 stream_rows=108000 last_rows=64000
fi
mkdir -p "$work/first" "$work/full"

# 1. The sources alone: a first vocabulary and backbone.
[ -e "$work/first/train.jsonl" ] || $python prepare.py $prepare --work "$work/first" --no-synthetic
[ -e "$work/first/tokenizer.json" ] || $python train_tokenizer.py --work "$work/first" --vocab $vocab
[ -e "$work/first/done" ] || $python train.py --work "$work/first" --form stream --out "$work/first/backbone.pt" \
  --epochs 2 --limit 200 $few
touch "$work/first/done"

# 2. With the synthetic rows: the final vocabulary, the backbone carried over and trained on.
[ -e "$work/full/train.jsonl" ] || $python prepare.py $prepare --work "$work/full"
[ -e "$work/full/tokenizer.json" ] || $python train_tokenizer.py --work "$work/full" --vocab $vocab
[ -e "$work/full/start.pt" ] || $python transplant.py --checkpoint "$work/first/backbone.pt" \
  --old "$work/first/tokenizer.json" --new "$work/full/tokenizer.json" --out "$work/full/start.pt"
[ -e "$work/full/backbone.done" ] || $python train.py --work "$work/full" --form stream --init "$work/full/start.pt" \
  --out "$work/full/backbone.pt" --epochs 1 --limit 160 --lr 1.5e-3 --lm 0.05 --warmup 60 $few
touch "$work/full/backbone.done"
[ -e "$work/full/relabel.done" ] || $python relabel.py --work "$work/full" --checkpoint "$work/full/backbone.pt"
touch "$work/full/relabel.done"

# 3. nano-stream, then nano-gen from it.
[ -e "$work/full/stream.done" ] || $python train.py --work "$work/full" --form stream --init "$work/full/backbone.pt" \
  --out "$work/full/stream.pt" --epochs 1 --rows $stream_rows --limit 200 --lr 1.3e-3 --lm 0.03 --warmup 60
touch "$work/full/stream.done"
[ -e "$work/full/gen.done" ] || $python train.py --work "$work/full" --form gen --init "$work/full/stream.pt" \
  --out "$work/full/gen.pt" --epochs 1 --rows $gen_rows --limit 160 --lr 1e-3 --lm 0 --tokens 8192 --warmup 60
touch "$work/full/gen.done"

# 4. A last round for nano-gen with other weights: everyday queries more, responses less.
[ -e "$work/last/train.jsonl" ] || $python reweigh.py --work "$work/full" --out "$work/last"
[ -e "$work/last/gen.done" ] || $python train.py --work "$work/last" --form gen --init "$work/full/gen.pt" \
  --out "$work/last/gen.pt" --epochs 1 --rows $last_rows --limit 128 --lr 1e-3 --lm 0 --tokens 8192 --warmup 30 --seed 11
touch "$work/last/gen.done"

# 5. The operating point, then the model folders. The development optimum (Unsafe +1.0) flags plain greetings.
$python calibrate.py --form gen --work "$work/last" --checkpoint "$work/last/gen.pt" --offsets 0.5 -0.1 \
  --out "$work/last/gen-final.pt"
$python calibrate.py --form stream --work "$work/full" --checkpoint "$work/full/stream.pt" --offsets 0 0 \
  --out "$work/full/stream-final.pt"
$python export.py --kind gen --checkpoint "$work/last/gen-final.pt" --tokenizer "$work/full/tokenizer.json" \
  --out "$out/nano-gen"
$python export.py --kind stream --checkpoint "$work/full/stream-final.pt" --tokenizer "$work/full/tokenizer.json" \
  --out "$out/nano-stream"
