#!/bin/bash -eu
# Builds the fuzz targets as OSS-Fuzz and ClusterFuzzLite want them: with the compiler and flags of the
# environment ($CC, $CFLAGS, $LIB_FUZZING_ENGINE), each target in $OUT with its dictionary and seed corpus.
# The libraries that the targets need and the runner's image lacks lie beside them, in $OUT/lib.
source_folder=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.." && pwd)
# OSS-Fuzz copies this file to $SRC.
[[ -e $source_folder/harness/fuzz ]] || source_folder=$SRC/lockstep
build=${WORK:?}/lockstep

# stepper/fiber.c tells AddressSanitizer of its stacks.
[[ ${SANITIZER:-} != address ]] || CFLAGS="$CFLAGS -DLOCKSTEP_ASAN"
export CFLAGS
# An engine in a library of its own is C++.
engine=$LIB_FUZZING_ENGINE
[[ $engine == -fsanitize=* ]] || engine="$engine -lc++ -lm -lpthread"

cmake -S "$source_folder" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=None -DLOCKSTEP_WERROR=OFF \
    -DLOCKSTEP_FUZZERS=ON "-DLOCKSTEP_FUZZ_ENGINE=$engine" "-DCMAKE_BUILD_RPATH=\$ORIGIN/lib" \
    -DCMAKE_EXE_LINKER_FLAGS=-Wl,--disable-new-dtags # for libraries of libraries, too
targets=()
for source in "$source_folder"/harness/fuzz/*.c; do
    name=$(basename "$source" .c)
    [[ $name == standalone ]] || targets+=("$name")
done
cmake --build "$build" --target "${targets[@]/#/fuzz_}"

mkdir -p "$OUT/lib"
for name in "${targets[@]}"; do
    cp "$build/harness/fuzz/fuzz_$name" "$OUT/fuzz_$name"
    # Whatever is not the C library comes along.
    ldd "$OUT/fuzz_$name" | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p' |
        grep -vE '/(libc|libm|libpthread|libdl|librt|libresolv|libgcc_s|libstdc\+\+)\.so' |
        while read -r library; do
            [[ -e $OUT/lib/$(basename "$library") ]] || cp -L "$library" "$OUT/lib/"
        done
    dictionary=$source_folder/harness/fuzz/$name.dict
    [[ ! -e $dictionary ]] || cp "$dictionary" "$OUT/fuzz_$name.dict"
    corpus=$source_folder/corpus/fuzz/$name
    [[ ! -d $corpus ]] || zip -q -j -r "$OUT/fuzz_${name}_seed_corpus.zip" "$corpus"
done
