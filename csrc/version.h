/* version - the one place where the release number stands.
 *
 * For:   the module's _VERSION, the user agent, and whatever derives its version: the rockspec's
 *        name and CHANGELOG are compared with it by `make lint`.
 * Never: anything else.
 */
#ifndef VAULT_VERSION_H
#define VAULT_VERSION_H

#define VAULT_VERSION "0.1.0"

#endif
