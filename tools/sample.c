/* tools/sample.c: see tools/sample.h. */
#include "tools/sample.h"

/* The file's bytes, taken in by the assembler; the build runs at the top of the tree. */
__asm__(".section .rodata\n"
        "sample_yaml_begin: .incbin \"tools/sample.yaml\"\n"
        "sample_yaml_end: .byte 0\n"
        ".previous\n");
extern const char sample_yaml_begin[], sample_yaml_end[];

struct str sample_manifest(void)
{
    return str_make(sample_yaml_begin, (size_t)(sample_yaml_end - sample_yaml_begin));
}

bool sample_next_document(struct str *rest, struct str *ret_doc)
{
    static const struct str mark = STR("\n---\n");

    if (rest->n == 0)
        return false;
    const char *end = memmem(rest->p, rest->n, mark.p, mark.n);
    *ret_doc = end != NULL ? str_upto(*rest, (size_t)(end - rest->p) + 1) : *rest;
    *rest = end != NULL ? str_from(*rest, (size_t)(end - rest->p) + mark.n) : STR_NONE;
    return true;
}
