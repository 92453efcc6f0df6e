#!/bin/sh
# From the labelled data to both model folders. Every step is skipped when its result exists, and training resumes.
# Usage: train.sh [--data FOLDER] [--work FOLDER] [--out FOLDER] [--seed N] [--device cuda] [--smoke]  (PYTHON names the interpreter)
# --out gets nano-gen/ and nano-stream/. --smoke: a thousand rows, small, without data or teachers, the same to the bit each time.
set -eu
cd "$(dirname "$0")"
data=../../../shared/data work=.work/full out=.work/models seed=7 device=cpu smoke=
while [ $# -gt 0 ]; do
  case $1 in
    --data) data=$2; shift 2 ;;
    --work) work=$2; shift 2 ;;
    --out) out=$2; shift 2 ;;
    --seed) seed=$2; shift 2 ;;
    --device) device=$2; shift 2 ;;
    --smoke) smoke=1; shift ;;
    *) sed -n 3,4p "$0"; exit 2 ;;
  esac
done
python="${PYTHON:-python3} -B"
# Waiting threads must sleep, not spin: on a shared machine that doubles the speed.
export GOMP_SPINCOUNT=0 OMP_WAIT_POLICY=PASSIVE
if [ "$smoke" ]; then
  prepare="--synthetic-only --rows 1000" alone=--no-teachers vocab=2048
  words="--steps 12 --chunk 600 --tokens 2048" both="--steps 12 --chunk 400 --tokens 2048" third=$both last=$both
  calibrate='--sample 60'
  export OMP_NUM_THREADS=1
else
  calibrate=''
  prepare="--data $data" alone='' vocab=40960
  again="--lr 1e-3 --matrix-lr 0.01 --settle 150 --warmup 0.03"
  words="--steps 3300" both="--steps 1600 $again --chunk 8000" third="--steps 2200 $again --chunk 8000" last="--steps 1600 $again --steady --chunk 6000"
  # Compiling the layers pays on a CPU within minutes.
  case $device in cpu) speed=--compile ;; *) speed="--device $device --workers 2" ;; esac
  words="$words $speed" both="$both $speed" third="$third $speed" last="$last $speed"
fi
mkdir -p "$work"
# Runs in the background end with the script, however it ends.
runs=
trap 'for run in $runs; do kill "$run" 2>/dev/null || :; done' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# 1. Rows, vocabulary, and the teachers' vectors of all texts.
[ -e "$work/train.jsonl" ] || $python prepare.py $prepare --work "$work" --seed "$seed"
[ -e "$work/tokenizer.json" ] || $python vocabulary.py --work "$work" --vocab $vocab $alone
[ "$smoke" ] || $python -m teachers.vectors --work "$work"
[ -e "$work/start.pt" ] || $python embeddings.py --work "$work" --seed "$seed" $alone
[ "$smoke" ] || [ -e "$work/soft.npz" ] || $python -m teachers.soft_labels --work "$work"

# 2. The heads and the teachers' vectors; then heads and verdict text in turn.
[ -e "$work/words.pt" ] || $python train.py --work "$work" --forms stream --init "$work/start.pt" --out "$work/words.pt" \
  --seed "$seed" $words
[ -e "$work/both.pt" ] || $python train.py --work "$work" --forms stream,gen --init "$work/words.pt" --out "$work/both.pt" \
  --seed "$seed" $both

# 3. Twice, two seeds go on from the same weights, a core each, and their mean is kept.
two_seeds() { # name, what to start from, options
  if [ -e "$work/$1.pt" ]; then return; fi
  name=$1 init=$2 runs=; shift 2
  for s in "$seed" $((seed + 1)); do
    if [ -e "$work/$name$s.pt" ]; then continue; fi
    OMP_NUM_THREADS=1 $python train.py --work "$work" --forms stream,gen --init "$work/$init.pt" --out "$work/$name$s.pt" --seed "$s" "$@" &
    runs="$runs $!"
  done
  for run in $runs; do wait "$run"; done
  runs=
  $python stages.py mean --checkpoint "$work/$name$seed.pt" "$work/$name$((seed + 1)).pt" --out "$work/$name.pt"
}
two_seeds third both $third
two_seeds last third $last

# 4. The operating point, from the everyday set's calibration half and, for answers and streams, the development split; then the model folders.
[ -e "$work/final.pt" ] || $python calibrate.py --work "$work" --checkpoint "$work/last.pt" --out "$work/final.pt" --seed "$seed" $calibrate
$python stages.py save --checkpoint "$work/final.pt" --tokenizer "$work/tokenizer.json" --stage "$work/stage"
for kind in gen stream; do
  $python export.py --kind $kind --stage "$work/stage" --out "$out/nano-$kind"
done
