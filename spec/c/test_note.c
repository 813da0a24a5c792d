/* test_note - a message that is kept.
 *
 * For:   copies, what takes their place, what stands for them without memory.
 * Never: building messages (test_message).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "buffer.h"
#include "note.h"

static void test_kept(void **state)
{
    struct vault_message message = {0};
    struct vault_note note;

    (void)state;
    vault_note_init(&note);
    assert_string_equal(note.text, "");
    assert_int_equal(note.length, 0);
    vault_message_add(&message, "first");
    vault_note_set(&note, &message);
    vault_message_clear(&message);
    assert_string_equal(note.text, "first");
    assert_int_equal(note.length, 5);
    vault_message_add(&message, "the second");
    vault_note_set(&note, &message);
    assert_string_equal(note.text, "the second");
    assert_int_equal(note.length, 10);
    vault_message_clear(&message);
    vault_note_set(&note, &message);
    assert_string_equal(note.text, "");
    assert_int_equal(note.length, 0);
    assert_null(note.bytes);
    vault_note_clear(&note); /* again, for nothing */
}

static void test_no_memory(void **state)
{
    struct vault_message message = {0};
    struct vault_note note;

    (void)state;
    vault_note_init(&note);
    vault_message_add(&message, "told");
    vault_note_set(&note, &message);
    (void)vault_alloc_fail(1);
    vault_note_set(&note, &message);
    (void)vault_alloc_fail(0);
    assert_string_equal(note.text, vault_status_row(VAULT_NO_MEMORY)->sentence);
    assert_int_equal(note.length, strlen(note.text));
    vault_note_set(&note, &message);
    assert_string_equal(note.text, "told");
    vault_note_clear(&note);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
