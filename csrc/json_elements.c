/* json_elements - the elements of a JSON array, one after the other.
 *
 * For:   what json_elements.h promises: brackets are counted, strings stepped over.
 * Never: checking JSON (json_extract), what an element means.
 */
#include "json_elements.h"

struct vault_json_elements vault_json_elements_of(const struct vault_json_member *array)
{
    if (array->type != VAULT_JSON_ARRAY || array->length < 2)
        return (struct vault_json_elements){0};
    return (struct vault_json_elements){.at = array->text + 1,
                                        .end = array->text + array->length - 1};
}

static bool is_between(char byte)
{
    return byte == ',' || byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

/* A bracket, a string, or a byte of a number or word. */
static bool skip_part(struct vault_json_elements *elements, unsigned *depth)
{
    bool escaped = false;
    char byte = *elements->at++;

    if (byte == '"') {
        if (vault_json_scan_string(&elements->at, elements->end, &escaped) != VAULT_OK)
            return false;
        elements->at++;
    } else if (byte == '{' || byte == '[') {
        (*depth)++;
    } else if ((byte == '}' || byte == ']') && *depth > 0) {
        (*depth)--;
    }
    return true;
}

static bool skip_value(struct vault_json_elements *elements)
{
    unsigned depth = 0;

    do {
        if (!skip_part(elements, &depth))
            return false;
    } while (elements->at < elements->end && (depth > 0 || !is_between(*elements->at)));
    return true;
}

bool vault_json_elements_next(struct vault_json_elements *elements,
                              struct vault_json_member *element)
{
    const char *start;
    size_t quote;

    while (elements->at < elements->end && is_between(*elements->at))
        elements->at++;
    start = elements->at;
    if (start == elements->end || !skip_value(elements)) {
        elements->at = elements->end;
        return false;
    }
    element->type = vault_json_type_of(*start);
    quote = element->type == VAULT_JSON_STRING ? 1 : 0;
    element->text = start + quote;
    element->length = (size_t)(elements->at - start) - 2 * quote;
    return true;
}
