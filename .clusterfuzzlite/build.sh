#!/bin/bash -eu
exec "$SRC/lockstep/ci/oss-fuzz/build.sh"
