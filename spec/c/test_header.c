/* test_header - one header line of an HTTP answer.
 *
 * For:   what header.h promises, at its borders.
 * Never: answers (test_http). It allocates nothing, so there is no loop of failures.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "header.h"

#define BEFORE "before"

static void test_rows(void **state)
{
    static const struct {
        const char *line, *kept;
    } rows[] = {
        {"Date: now\r\n", "now"},
        {"dAtE:now", "now"},
        {"date: \t now \t \r\n", "now"},
        {"Date: a b: c\r\n", "a b: c"},
        {"Date:\r\n", ""},
        {"Date: \t", ""},
        {"Date: 1234567\r\n", "1234567"},
        {"Date: 12345678\r\n", BEFORE},
        {"Date : now", BEFORE},
        {" Date: now", BEFORE},
        {"Dates: now", BEFORE},
        {"Dat: now", BEFORE},
        {"Date", BEFORE},
        {"", BEFORE},
        {"X-Date: now", BEFORE},
        {"\r\n", BEFORE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char kept[8] = BEFORE, line[64];
        size_t length = strlen(rows[i].line);

        memset(line, ':', sizeof line); /* no NUL ends it */
        memcpy(line, rows[i].line, length);
        vault_header_keep(line, length, "Date", kept, sizeof kept);
        if (strcmp(kept, rows[i].kept) != 0)
            fail_msg("row %zu: %s", i, kept);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
