/* url - an endpoint's URL, taken apart.
 *
 * For:   what url.h promises. A URL is taken only in the one form in which libcurl, the Host header
 *        and the signature cannot differ about it.
 * Never: the text of a URL in a message: it may hold a password.
 */
#include "url.h"

#include <string.h>

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static bool is_lower(char byte)
{
    return byte >= 'a' && byte <= 'z';
}

static char lower(char byte)
{
    return byte >= 'A' && byte <= 'Z' ? (char)(byte - 'A' + 'a') : byte;
}

static bool is_hex(char byte)
{
    return is_digit(byte) || (lower(byte) >= 'a' && lower(byte) <= 'f');
}

static enum vault_status fault(struct vault_message *why, const char *what)
{
    vault_message_add(why, "endpoint URL: %s", what);
    return VAULT_BAD_ENDPOINT;
}

/* Every byte that may stand in a host, a port or a path. What is left out either ends the part we
 * want (query, fragment, userinfo) or is rewritten by one client and not by another. */
static enum vault_status check_bytes(const char *url, struct vault_message *why)
{
    size_t length = strlen(url);

    if (length > VAULT_URL_MAX)
        return fault(why, "over 2048 bytes");
    for (size_t i = 0; i < length; i++)
        if (url[i] < 0x21 || url[i] > 0x7e || strchr("\"<>\\^`{|}", url[i]))
            return fault(why, "holds a blank or a byte that no URL has");
    if (memchr(url, '?', length))
        return fault(why, "has a query");
    if (memchr(url, '#', length))
        return fault(why, "has a fragment");
    return VAULT_OK;
}

static bool starts_with(const char *text, const char *start)
{
    for (; *start; text++, start++)
        if (lower(*text) != *start)
            return false;
    return true;
}

/* "65535", nothing after it. 0 where it is no port. */
static unsigned read_port(const char *text, size_t length)
{
    unsigned port = 0;

    if (length == 0 || length > 5)
        return 0;
    for (size_t i = 0; i < length; i++) {
        if (!is_digit(text[i]))
            return 0;
        port = port * 10 + (unsigned)(text[i] - '0');
    }
    return port <= 65535 ? port : 0;
}

static bool is_octet(const char *text, size_t length)
{
    unsigned value = read_port(text, length);

    return length >= 1 && length <= 3 && value <= 255 && (text[0] != '0' ? value > 0 : length == 1);
}

/* Four decimal octets in their one plain form. */
static bool is_ipv4(const char *text, size_t length)
{
    const char *end = text + length, *dot;

    for (int i = 0; i < 3; i++) {
        dot = memchr(text, '.', (size_t)(end - text));
        if (!dot || !is_octet(text, (size_t)(dot - text)))
            return false;
        text = dot + 1;
    }
    return is_octet(text, (size_t)(end - text));
}

/* inet_aton reads "127.1" and "0x7f.1" as addresses, and libcurl rewrites them. */
static bool ends_in_number(const char *host, size_t length)
{
    const char *end = host + length, *last = end;
    bool hex;

    while (last > host && last[-1] != '.')
        last--;
    hex = end - last > 2 && last[0] == '0' && lower(last[1]) == 'x';
    for (last += hex ? 2 : 0; last < end; last++)
        if (hex ? !is_hex(*last) : !is_digit(*last))
            return false;
    return true;
}

static bool is_name(const char *host, size_t length)
{
    bool label = false; /* something stands since the last dot */

    if (length > VAULT_URL_HOST_MAX)
        return false;
    for (size_t i = 0; i < length; i++) {
        char byte = lower(host[i]);

        if (byte == '.' && !label)
            return false;
        if (byte != '.' && !is_lower(byte) && !is_digit(byte) && byte != '-' && byte != '_')
            return false;
        label = byte != '.';
    }
    return label && (!ends_in_number(host, length) || is_ipv4(host, length));
}

/* Without brackets. RFC 4291, 2.2; no zone. */
static bool is_ipv6(const char *text, size_t length)
{
    const char *end = text + length;
    bool gap = length >= 2 && text[0] == ':' && text[1] == ':';
    int groups = 0;

    for (text += gap ? 2 : 0; text < end;) {
        size_t digits = 0;

        while (text + digits < end && is_hex(text[digits]))
            digits++;
        if (text + digits < end && text[digits] == '.')
            return (gap ? groups < 6 : groups == 6) && is_ipv4(text, (size_t)(end - text));
        if (digits == 0 || digits > 4)
            return false;
        groups++;
        text += digits;
        if (text == end)
            break;
        if (*text++ != ':' || text == end)
            return false;
        if (*text == ':' && gap)
            return false;
        if (*text == ':') {
            gap = true;
            text++;
        }
    }
    return gap ? groups < 8 : groups == 8;
}

static bool is_host(const char *text, size_t length)
{
    if (length > 2 && text[0] == '[')
        return text[length - 1] == ']' && is_ipv6(text + 1, length - 2);
    return is_name(text, length);
}

/* `text` .. `end` is "host" or "host:port". */
static enum vault_status read_authority(const char *text, const char *end, struct vault_url *url,
                                        struct vault_message *why)
{
    const char *closing = memchr(text, ']', (size_t)(end - text));
    const char *after = closing ? closing : text;
    const char *colon = memchr(after, ':', (size_t)(end - after));

    if (memchr(text, '@', (size_t)(end - text)))
        return fault(why, "holds a user name or a password");
    url->host = text;
    url->host_length = (size_t)((colon ? colon : end) - text);
    if (url->host_length == 0)
        return fault(why, "has no host");
    if (!is_host(text, url->host_length))
        return fault(why, "has a host that is no name, IPv4 address or [IPv6 address]");
    if (!colon)
        return VAULT_OK;
    url->port = read_port(colon + 1, (size_t)(end - colon - 1));
    if (url->port == 0)
        return fault(why, "has a port that is not 1 to 65535");
    if (url->port == (url->https ? 443 : 80))
        url->port = 0;
    return VAULT_OK;
}

/* The length of one "." or "%2e" at `text`, else 0. */
static size_t dot_length(const char *text)
{
    if (*text == '.')
        return 1;
    return text[0] == '%' && text[1] == '2' && lower(text[2]) == 'e' ? 3 : 0;
}

static bool is_dots(const char *segment, size_t length)
{
    size_t one = dot_length(segment);

    return one == length || (one && one + dot_length(segment + one) == length);
}

/* Empty and dot segments: some clients and AWS's canonical form fold them, others do not. */
static enum vault_status check_path(const char *path, struct vault_message *why)
{
    size_t length;

    for (const char *at = path; *at; at++)
        if (*at == '[' || *at == ']' || (*at == '%' && !(is_hex(at[1]) && is_hex(at[2]))))
            return fault(why, "has a path with a byte that must be percent-encoded");
    for (const char *at = path; *at == '/'; at += length) {
        length = strcspn(++at, "/");
        if ((length == 0 && *at) || (length && is_dots(at, length)))
            return fault(why, "has a path with an empty or a dot segment");
    }
    return VAULT_OK;
}

enum vault_status vault_url_read(const char *text, struct vault_url *url, struct vault_message *why)
{
    struct vault_url made = {0};
    enum vault_status status = check_bytes(text, why);

    if (status != VAULT_OK)
        return status;
    made.https = starts_with(text, "https://");
    if (!made.https && !starts_with(text, "http://"))
        return fault(why, "does not begin with http:// or https://");
    text += made.https ? strlen("https://") : strlen("http://");
    made.path = text + strcspn(text, "/");
    status = read_authority(text, made.path, &made, why);
    if (status == VAULT_OK)
        status = check_path(made.path, why);
    if (status == VAULT_OK)
        *url = made;
    return status;
}
