/* place - where a service is, as it was found a moment ago.
 *
 * For:   what place.h promises.
 * Never: who says where a service is, threads.
 */
#include "place.h"

#include <string.h>

#define GOOD_MS 1000

struct vault_place {
    unsigned holds;      /* the list's, and one for each who uses it */
    int64_t until;       /* it is asked for anew */
    const char *service; /* what was asked: constant text; */
    char region[VAULT_REGION_MAX + 1];
    char *override; /* NULL for none */
    struct vault_endpoint endpoint;
};

const struct vault_endpoint *vault_place_endpoint(const struct vault_place *place)
{
    return &place->endpoint;
}

void vault_place_release(struct vault_place *place)
{
    if (!place || --place->holds > 0)
        return;
    vault_endpoint_free(&place->endpoint);
    vault_free(place->override);
    vault_free(place);
}

void vault_places_free(struct vault_places *places)
{
    for (size_t i = 0; i < VAULT_PLACES_MAX; i++)
        vault_place_release(places->all[i]);
    *places = (struct vault_places){0};
}

static bool same_text(const char *left, const char *right)
{
    return strcmp(left ? left : "", right ? right : "") == 0;
}

static bool is_for(const struct vault_place *place, const struct vault_endpoint_query *asked)
{
    return strcmp(place->region, asked->region) == 0 &&
           same_text(place->override, asked->override) &&
           strcmp(place->service, asked->service) == 0;
}

static enum vault_status settle(struct vault_place *place,
                                const struct vault_credential_query *query,
                                const struct vault_endpoint_query *asked, struct vault_message *why)
{
    enum vault_status status = vault_service_endpoint(query, asked, &place->endpoint, why);

    if (status != VAULT_OK)
        return status;
    strcpy(place->region, asked->region); /* which a region's endpoint was settled for */
    place->service = asked->service;
    if (asked->override && *asked->override) {
        place->override = vault_copy(asked->override, strlen(asked->override));
        if (!place->override)
            return VAULT_NO_MEMORY;
    }
    return VAULT_OK;
}

/* The one for what is asked, good or not, or the one that leaves for a new one. */
static struct vault_place **slot_for(struct vault_places *places,
                                     const struct vault_endpoint_query *asked)
{
    for (size_t i = 0; i < VAULT_PLACES_MAX; i++)
        if (places->all[i] && is_for(places->all[i], asked))
            return &places->all[i];
    return &places->all[places->put++ % VAULT_PLACES_MAX];
}

static void put(struct vault_place **slot, struct vault_place *place, int64_t until)
{
    vault_place_release(*slot);
    place->until = until;
    place->holds++;
    *slot = place;
}

enum vault_status vault_place_find(struct vault_places *places,
                                   const struct vault_credential_query *query,
                                   const struct vault_endpoint_query *asked, int64_t now_ms,
                                   struct vault_place **found, struct vault_message *why)
{
    struct vault_place **slot = places ? slot_for(places, asked) : NULL;
    struct vault_place *place = slot ? *slot : NULL;
    enum vault_status status;

    if (place && is_for(place, asked) && now_ms < place->until) {
        place->holds++;
        *found = place;
        return VAULT_OK;
    }
    place = vault_alloc(sizeof *place);
    if (!place)
        return VAULT_NO_MEMORY;
    place->holds = 1;
    vault_endpoint_init(&place->endpoint);
    status = settle(place, query, asked, why);
    if (status != VAULT_OK) {
        vault_place_release(place);
        return status;
    }
    if (slot)
        put(slot, place, now_ms + GOOD_MS);
    *found = place;
    return VAULT_OK;
}
