#!/bin/sh
# usage: tests/run.sh VENV STAGE...     (from the project's top folder)
#
# Run the stages in order and stop at the first that fails. The summary at the end has one
# line for each stage: passed, FAILED or not run, and its seconds.
set -u

bin=$1/bin
shift
summary=''
status=0

run_stage() {
    case $1 in
    lint) "$bin/ruff" check . ;;
    format) "$bin/ruff" format --check . ;;
    types) "$bin/mypy" --strict mmsim ;;
    unit) "$bin/pytest" -n auto --dist worksteal tests ;;
    # nbval asks the cell's kernel, so a warning inside pytest itself is not the lesson's
    notebooks)
        "$bin/pytest" -n auto --dist loadfile -o filterwarnings=default \
            --nbval --nbval-cell-timeout=300 \
            --nbval-sanitize-with tests/notebooks/nbval.cfg notebooks
        ;;
    *)
        echo "tests/run.sh: no stage '$1'; there are: lint format types unit notebooks" >&2
        return 2
        ;;
    esac
}

for stage in "$@"; do
    if [ "$status" -ne 0 ]; then
        line=$(printf '  %-10s not run' "$stage")
    else
        echo "== $stage"
        begin=$(date +%s)
        run_stage "$stage" </dev/null
        status=$?
        seconds=$(($(date +%s) - begin))
        if [ "$status" -eq 0 ]; then word=passed; else word=FAILED; fi
        line=$(printf '  %-10s %s %4d s' "$stage" "$word" "$seconds")
    fi
    summary="$summary$line
"
done

printf '== summary\n%s' "$summary"
exit "$status"
