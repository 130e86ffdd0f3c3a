/* test/test.h: the smallest test frame that tells what it needs to.
 *
 *     TEST(name) { CHECK(x == 1); CHECK_STR(s, "abc"); }
 *
 * Every TEST registers itself; main() is in test/test.c.  A failed CHECK prints file, line and values, counts the
 * test as failed and goes on.  Arguments select tests by substring; the last line printed is "N passed, N failed". */
#ifndef TEST_TEST_H
#define TEST_TEST_H

#include <inttypes.h>
#include <stdio.h>
#include "net/blob.h"

struct test { const char *name; void (*fn)(void); struct test *next; };
void test_register(struct test *t);
void test_fail(const char *file, int line, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* A fresh empty directory, removed when the program ends. */
const char *test_dir(void);

#define TEST(id)                                                            \
    static void test_##id(void);                                            \
    static struct test test_reg_##id = { #id, test_##id, NULL };            \
    __attribute__((constructor)) static void test_ctor_##id(void)           \
    { test_register(&test_reg_##id); }                                      \
    static void test_##id(void)

#define CHECK(e) ((e) ? (void)0 : test_fail(__FILE__, __LINE__, "%s", #e))
#define CHECK_INT(a, b)                                                     \
    do {                                                                    \
        long long a_ = (long long)(a), b_ = (long long)(b);                 \
        if (a_ != b_)                                                       \
            test_fail(__FILE__, __LINE__, "%s is %lld, not %lld", #a, a_, b_); \
    } while (0)
#define CHECK_STR(a, z)                                                     \
    do {                                                                    \
        struct str a_ = (a), b_ = str_of(z);                                \
        if (!str_eq(a_, b_))                                                \
            test_fail(__FILE__, __LINE__, "%s is \"%.*s\", not \"%.*s\"", #a, STR_ARG(a_), STR_ARG(b_)); \
    } while (0)

#endif
