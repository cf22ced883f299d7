# bash completion for kref-track
_kref_track()
{
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} i
    local values='--filter --object --seed --format --flamegraph --log-path --debug-dir --address --exitcode --signal --depth --sample
        --max-memory --library --trace --stuck --watermark -p'
    local flags='--chaos --live --stale-handles --summary --keep-freed --lossy --no-preload --survive --help --version'

    # Behind the program's name, the words are the program's.
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            -*=*) ;;
            -*) [[ " $values " == *[[:space:]]"${COMP_WORDS[i]}"[[:space:]]* ]] && ((i++)) ;;
            *) COMPREPLY=($(compgen -f -- "$word")); return ;;
        esac
    done
    case $before in
        --format) COMPREPLY=($(compgen -W 'text json html sarif' -- "$word")) ;;
        --signal) COMPREPLY=($(compgen -W 'USR1 USR2 HUP PROF WINCH' -- "$word")) ;;
        --flamegraph | --log-path | --library | --trace) COMPREPLY=($(compgen -f -- "$word")) ;;
        --debug-dir) COMPREPLY=($(compgen -d -- "$word")) ;;
        --filter | --object | --seed | --exitcode | --depth | --sample | --max-memory | --stuck | --watermark | --address) COMPREPLY=() ;;
        *) if [[ $word == -* ]]; then
               COMPREPLY=($(compgen -W "$values $flags" -- "$word"))
           else
               COMPREPLY=($(compgen -c -- "$word") $(compgen -f -- "$word"))
           fi ;;
    esac
}
complete -o filenames -F _kref_track kref-track
