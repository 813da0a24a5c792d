/* trail - what was tried on the way to a credential, in order, for people to read.
 *
 * For:   what trail.h promises.
 * Never: values; what a provider's message may not hold.
 */
#include "trail.h"

#include <stddef.h>

void vault_trail_add(struct vault_trail *trail, const char *what, enum vault_status status,
                     const char *why)
{
    struct vault_trail_step *step;

    if (!trail)
        return;
    if (trail->count < VAULT_TRAIL_MAX)
        trail->count++;
    step = &trail->steps[trail->count - 1];
    step->status = status;
    vault_message_clear(&step->what);
    vault_message_add(&step->what, "%s", what);
    vault_message_clear(&step->why);
    vault_message_add(&step->why, "%s", why);
}
