#!/bin/sh
# run.sh BUILD ADDRESS: decides the example's requests, says what to try, and serves the example
# until it is told to stop.
set -eu

postern=$1/postern
address=$2
example=examples/private-api

"$postern" eval --cases $example/requests.jsonl --table --check
"$postern" eval --estate $example/estate.lua --cases $example/estate-requests.jsonl --table --check

cat <<END

postern serve $example/estate.lua --listen $address
Try, in another terminal, and end this one by Ctrl-C:

  curl --json '{"api":"orders7a1b","stage":"live","method":"GET","path":"/orders/42",
      "vpce":"vpce-0a11b22c33d44e55f","client_ip":"10.20.7.9"}' http://$address/v1/decide

END
exec "$postern" serve $example/estate.lua --listen "$address"
