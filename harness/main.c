/* The `lockstep` command's entry: hands over to hx_main, which tests call too. */
#include "harness/harness.h"

int main(int argc, char **argv) {
    return hx_main(argc, argv);
}
