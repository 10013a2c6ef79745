#!/bin/sh
# usage: tests/run.sh VENV STAGE...     (from the project's top folder)
#
# Run every stage, also after one that failed. All run beside each other: the last one is seen at
# work, and what another one has said comes when it is done. The summary at the end has one line for
# each stage: passed or FAILED, and its seconds. The exit status is that of the first that failed.
set -u

bin=$1/bin
shift
summary=''
status=0
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
# a shell lets what runs beside it ignore Ctrl-C, so the whole group is told to end
trap 'trap "" TERM; kill 0; exit 130' INT
trap 'trap "" TERM; kill 0; exit 143' TERM

run_stage() {
    case $1 in
    lint) "$bin/ruff" check . ;;
    format) "$bin/ruff" format --check . ;;
    types) "$bin/mypy" --strict mmsim ;;
    # what needs no tool from outside; the vectors are among these tests
    quick)
        "$bin/pytest" -n auto --dist worksteal \
            -m 'not browser and not pyodide and not spin and not slow' tests
        ;;
    unit) "$bin/pytest" -n auto --dist worksteal tests ;;
    # nbval asks the cell's kernel, so a warning inside pytest itself is not the lesson's
    notebooks)
        JUPYTER_RUNTIME_DIR=$logs PYTHONPATH=tests/notebooks \
            "$bin/pytest" -n auto --dist loadfile -o filterwarnings=default \
            -p nbval -p kernels_by_ipc --nbval --nbval-cell-timeout=300 \
            --nbval-sanitize-with tests/notebooks/nbval.cfg notebooks
        ;;
    *)
        echo "tests/run.sh: no stage '$1';" \
            "there are: lint format types quick unit notebooks" >&2
        return 2
        ;;
    esac
}

timed() { # STAGE: its status and its seconds are noted
    begin=$(date +%s)
    run_stage "$1" </dev/null
    echo "$? $(($(date +%s) - begin))" >"$logs/$1.result"
}

for stage in "$@"; do
    last=$stage
done
for stage in "$@"; do
    if [ "$stage" = "$last" ]; then continue; fi
    {
        timed "$stage" >"$logs/$stage" 2>&1
        echo "== $stage" && cat "$logs/$stage"
    } &
done
echo "== $last"
timed "$last"
wait
for stage in "$@"; do
    read -r result seconds <"$logs/$stage.result"
    if [ "$result" -eq 0 ]; then word=passed; else word=FAILED; fi
    if [ "$status" -eq 0 ]; then status=$result; fi
    summary="$summary$(printf '  %-10s %s %4d s' "$stage" "$word" "$seconds")
"
done
printf '== summary\n%s' "$summary"
exit "$status"
