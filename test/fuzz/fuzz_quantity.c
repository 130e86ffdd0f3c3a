/* test/fuzz/fuzz_quantity.c: text as quantity, time and duration; canonical text must keep the value. */
#include "api/quantity.h"
#include "api/time_fmt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_quantity(struct str in)
{
    struct quantity q = QUANTITY_ZERO, again = QUANTITY_ZERO;
    struct errbuf err = { "" };
    char text[QUANTITY_TEXT_MAX], second[QUANTITY_TEXT_MAX];
    size_t n;

    if (quantity_parse(in, &q, &err) != 0) {
        must(err.s[0] != '\0');
        return;
    }
    n = quantity_write(q, text);
    must(n <= sizeof text);
    must_ok(quantity_parse(str_make(text, n), &again, NULL));
    must(quantity_cmp(q, again) == 0);
    must(quantity_write(again, second) == n && memcmp(text, second, n) == 0);
    must(quantity_is_zero(quantity_sub(q, again)));
    must(quantity_sign(quantity_add(q, again)) == quantity_sign(q));
    quantity_write(quantity_add(quantity_add(q, q), quantity_add(q, q)), text);
    must((quantity_value(q) >= 0) == (quantity_sign(q) >= 0) &&
         (quantity_milli(q) == 0) == quantity_is_zero(q));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = str_make((const char *)data, size);
    char text[DURATION_TEXT_MAX], micro[TIME_MICRO_TEXT_MAX];
    int64_t v, again;
    uint32_t ns;

    check_quantity(in);
    if (duration_parse(in, &v)) {
        must(duration_parse(str_make(text, duration_write(v, text)), &again));
        must(v == again);
    }
    if (time_parse(in, &v, &ns)) {
        must(time_parse_micro(str_make(micro, time_write_micro(v, ns, micro)), &again, &ns));
        /* An offset can lead out of the years that can be written. */
        must(v == again || v < -62167219200 || v > 253402300799);
    }
    return 0;
}
