/* json_elements - the elements of a JSON array, one after the other.
 *
 * For:   walking an array that vault_json_members has found and thereby checked: slices of it, no
 *        copies.
 * Never: checking JSON (json_extract), what an element means.
 */
#ifndef VAULT_JSON_ELEMENTS_H
#define VAULT_JSON_ELEMENTS_H

#include <stdbool.h>

#include "json_extract.h"

/* What is left of an array; borrows its text. */
struct vault_json_elements {
    const char *at;
    const char *end;
};

/* Before the first element of `array`, a member of type VAULT_JSON_ARRAY; of any other there are
 * no elements. */
struct vault_json_elements vault_json_elements_of(const struct vault_json_member *array);

/* Set type, text and length of `element` to the next one's, as vault_json_members does, and return
 * true; false, and nothing changed, behind the last. Of an array that was never checked the slices
 * may be anything that lies within it; they end all the same. */
bool vault_json_elements_next(struct vault_json_elements *elements,
                              struct vault_json_member *element);

#endif
