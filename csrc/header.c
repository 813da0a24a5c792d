/* header - one header line of an HTTP answer.
 *
 * For:   what header.h promises.
 * Never: which headers matter, whole answers.
 */
#include "header.h"

#include <string.h>
#include <strings.h>

/* The value of header `name` in `line` as a slice without white space around it, or NULL. */
static const char *value_of(const char *line, size_t length, const char *name, size_t *value_length)
{
    size_t skip = strlen(name);

    if (length <= skip || strncasecmp(line, name, skip) != 0 || line[skip] != ':')
        return NULL;
    for (skip++; skip < length && (line[skip] == ' ' || line[skip] == '\t');)
        skip++;
    while (length > skip && strchr(" \t\r\n", line[length - 1]))
        length--;
    *value_length = length - skip;
    return line + skip;
}

void vault_header_keep(const char *line, size_t length, const char *name, char *to, size_t size)
{
    size_t value_length;
    const char *value = value_of(line, length, name, &value_length);

    if (value && value_length < size) {
        memcpy(to, value, value_length);
        to[value_length] = '\0';
    }
}
