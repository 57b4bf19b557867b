/* A local that is made where the return value is, which the other return writes when the local is no longer in scope:
 * unedited, it agrees.
 *
 * EDIT block-ends-early native -O0 hidden block(1, 's/(\.long\t\.Ltmp\d+-\.Ltmp\d+)/$1-12/')
 */
union either {
    int first;
    short second;
};

static union either kept = {3};

static union either choose(int which) {
    if (which) {
        int number = which;
        union either local = {7};
        local.first += number;
        number = 0;
        return local;
    }
    return kept;
}

int main(void) {
    return choose(1).first + choose(0).first != 11;
}
