/* A local in the caller's return slot. On both sides its location begins with its declaration (clang 14: DW_OP_breg5,
 * DW_OP_WASM_location), where nothing has been assigned to it: the slot holds what was on the stack, of which the two
 * sides had different things. Reduced from Csmith's seed 1901. */
typedef signed char int8_t;
typedef short int16_t;
typedef int int32_t;
typedef unsigned short uint16_t;
typedef unsigned int uint32_t;
typedef unsigned long long uint64_t;
#pragma pack(1)
struct S0 {
    const unsigned f0 : 21;
    uint32_t f1;
};
static int32_t g_4[1][6] = {0};
static struct S0 func_12(uint32_t p_13, int32_t *p_14, int32_t *p_15, int32_t *p_16);
static int16_t func_1(void) {
    const int8_t l_5 = 0;
    uint32_t *l_17 = 0;
    int32_t *l_19 = 0;
    uint64_t *l_427[3];
    uint16_t l_438[2][10] = {0};
    func_12(0, l_17, l_19, &g_4[0][5]);
    return 0;
}
static struct S0 func_12(uint32_t p_13, int32_t *p_14, int32_t *p_15, int32_t *p_16) {
    int8_t l_24 = 0;
    struct S0 l_331 = {0};
    return l_331;
}
int main(void) {
    func_1();
    return 0;
}
