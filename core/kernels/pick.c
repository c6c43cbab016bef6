#include "kernels/kernels.h"

#define MLS_KERNEL_FAMILY(family)
#define MLS_KERNEL(family, isa_id, isa) extern const struct mls_##family##_kernels mls_##family##__##isa;
#include "kernels/families.def"
#undef MLS_KERNEL_FAMILY
#undef MLS_KERNEL

struct mls_kernels mls_kernels_pick(enum mls_isa cap)
{
    struct mls_kernels kernels = {.isa = cap};
#define MLS_KERNEL_FAMILY(family)
#define MLS_KERNEL(family, isa_id, isa_name)                        \
    if (MLS_ISA_##isa_id <= cap && mls_cpu_has(MLS_ISA_##isa_id)) { \
        kernels.family = &mls_##family##__##isa_name;               \
        kernels.family##_isa = MLS_ISA_##isa_id;                    \
    }
#include "kernels/families.def"
#undef MLS_KERNEL_FAMILY
#undef MLS_KERNEL
    return kernels;
}
