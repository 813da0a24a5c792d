/* place - where a service is, as it was found a moment ago.
 *
 * For:   an endpoint that many fetches use, settled once in a second: what may say where it is are
 *        also files, which may change.
 * Never: who says where a service is (service_endpoint), threads: a list belongs to one at a time.
 */
#ifndef VAULT_PLACE_H
#define VAULT_PLACE_H

#include "service_endpoint.h"

#define VAULT_PLACES_MAX 16

struct vault_place; /* one endpoint, held by all who use it */

/* The last ones, for one environment and its profile. {0} is an empty list. */
struct vault_places {
    struct vault_place *all[VAULT_PLACES_MAX];
    size_t put; /* in all, ever */
};

/* Those that are held live on. */
void vault_places_free(struct vault_places *places);

/* What vault_service_endpoint comes to, or came to less than a second before `now_ms` (any clock
 * that does not go back). *found goes to vault_place_release. `places` NULL: nothing is kept. */
VAULT_MUST_CHECK enum vault_status vault_place_find(struct vault_places *places,
                                                    const struct vault_credential_query *query,
                                                    const struct vault_endpoint_query *asked,
                                                    int64_t now_ms, struct vault_place **found,
                                                    struct vault_message *why);

/* Borrowed until `place` is released. */
const struct vault_endpoint *vault_place_endpoint(const struct vault_place *place);

/* NULL does nothing. */
void vault_place_release(struct vault_place *place);

#endif
