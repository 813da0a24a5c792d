/* program_exec - this process becomes another program.
 *
 * For:   what program_exec.h promises.
 * Never: a shell, another process.
 */
#include "program_exec.h"

#include <errno.h>
#include <unistd.h>

#include "program_image.h"

enum vault_status vault_program_exec(const struct vault_buffer *words,
                                     const struct vault_environment *environment,
                                     struct vault_message *why)
{
    struct vault_program_image image = {0};
    enum vault_status status = vault_program_image_make(words, environment, &image, why);

    if (status != VAULT_OK)
        return status;
    (void)execve(image.path, image.arguments, image.environment);
    status = vault_program_image_unfit(image.path, errno, why);
    vault_program_image_free(&image);
    return status;
}
