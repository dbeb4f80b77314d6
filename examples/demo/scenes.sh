# Scenes and checks of the demonstrations. To be sourced by bash after these are defined:
#   prompt         the prompt shown before a statement
#   dialect SQL    print the statement in the spelling of the shell in use
#   table SQL      execute it and print the result as a table; fails if the statement fails
#   value SQL      execute it and print the value only
wrong=0
scene=0
bold='' plain=''
if [ -t 1 ]; then bold=$'\033[1m' plain=$'\033[0m'; fi

# caption TEXT: start the next scene after a pause.
caption() {
  [ "$scene" -eq 0 ] || sleep "${DEMO_PACE:-4}"
  scene=$((scene + 1))
  printf '\n%s-- %s%s\n' "$bold" "$1" "$plain"
}

claim_fails() {
  printf '   FALSE: %s\n' "$1"
  wrong=$((wrong + 1))
}

# show SQL: print the statement and its result; the result is kept in `shown`.
show() {
  printf '%s %s\n' "$prompt" "$(dialect "$1")"
  shown=$(table "$1") || { wrong=$((wrong + 1)); shown+='the statement failed'; }
  [ -z "$shown" ] || printf '%s\n\n' "$shown"
}

# seen WHAT PATTERN: check that the last result matches the pattern.
seen() {
  if [[ "$shown" == $2 ]]; then printf '   true: %s\n' "$1"; else claim_fails "$1"; fi
}

# expect WHAT SECONDS SQL: check that SQL becomes true within SECONDS.
expect() {
  local what=$1 until=$((SECONDS + $2)) sql=$3
  while [[ "$(value "$sql" 2>&1)" != [1t] ]]; do
    if [ "$SECONDS" -ge "$until" ]; then
      claim_fails "$what"
      return 0
    fi
    sleep 0.2
  done
  printf '   true: %s\n' "$what"
}

# refuse WHAT SQL [WORDS]: check that SQL fails with a message that contains WORDS.
refuse() {
  local told
  printf '%s %s\n' "$prompt" "$(dialect "$2")"
  if told=$(table "$2" 2>&1); then
    printf '%s\n' "$told"
    claim_fails "$1"
    return 0
  fi
  printf '%s\n' "$told"
  if [[ "$told" == *"${3-}"* ]]; then printf '   true: %s\n' "$1"; else claim_fails "$1"; fi
}
