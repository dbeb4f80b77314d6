#!/usr/bin/env bash
# HikariCP beside tidepool, where Debian's libhikaricp-java and a JDK are installed. Called by ./bench.sh.
set -euo pipefail
cd "$(dirname "$0")/hikari"
jars=/usr/share/java
if ! command -v javac >/dev/null || [ ! -e "$jars/HikariCP.jar" ] || [ ! -e "$jars/slf4j-api.jar" ]; then
  echo "HikariCP not measured: needs a JDK and Debian's libhikaricp-java"
  exit 0
fi
classes=$(mktemp -d)
trap 'rm -rf "$classes"' EXIT
javac -nowarn -cp "$jars/HikariCP.jar" -d "$classes" Nothing.java HikariBench.java
echo "HikariCP $(dpkg-query -W -f '${Version}' libhikaricp-java 2>/dev/null || true)"
java -cp "$classes:$jars/HikariCP.jar:$jars/slf4j-api.jar:$jars/slf4j-nop.jar" HikariBench 2>/dev/null
