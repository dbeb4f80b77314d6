# Scenes and claims of the demonstrations. Sourced by bash, once these are there:
#   prompt         what stands before a statement
#   dialect SQL    prints it as the shell at hand spells it
#   table SQL      runs it and prints what a person would see; fails when it does
#   value SQL      runs it and prints the bare value
wrong=0
scene=0
bold='' plain=''
if [ -t 1 ]; then bold=$'\033[1m' plain=$'\033[0m'; fi

# caption TEXT: the next scene, once the last one was looked at.
caption() {
  [ "$scene" -eq 0 ] || sleep "${DEMO_PACE:-4}"
  scene=$((scene + 1))
  printf '\n%s-- %s%s\n' "$bold" "$1" "$plain"
}

claim_fails() {
  printf '   NOT TRUE: %s\n' "$1"
  wrong=$((wrong + 1))
}

# show SQL: as a person would type it, with its result, which stays in `shown`.
show() {
  printf '%s %s\n' "$prompt" "$(dialect "$1")"
  shown=$(table "$1") || { wrong=$((wrong + 1)); shown+='this failed'; }
  [ -z "$shown" ] || printf '%s\n\n' "$shown"
}

# seen WHAT PATTERN: what was shown last looks like this.
seen() {
  if [[ "$shown" == $2 ]]; then printf '   true: %s\n' "$1"; else claim_fails "$1"; fi
}

# expect WHAT SECONDS SQL: SQL becomes true within SECONDS, or the demonstration fails.
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

# refuse WHAT SQL [WORDS]: SQL fails, and its message has these words.
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
